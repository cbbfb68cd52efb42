//! What can go wrong between a probe and a chip, told apart so that a person knows which cable, name or file to look at.

use std::error::Error;
use std::time::Duration;

use lab_protocol::{Fault, binding};
use probe_rs::flashing::{FileDownloadError, FlashError};

/// An error with all its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

pub(super) fn selector(probe: &str, error: &dyn Error) -> Fault {
    Fault::bench("probe-invalid", format!("{probe:?} does not name a debug probe: {}", chain(error)))
        .with_help("write it as VID:PID, VID:PID:SERIAL or, for a network probe, VID:PID:HOST:PORT")
}

pub(super) fn unreachable(probe: &str, error: &dyn Error) -> Fault {
    Fault::bench("probe-unreachable", format!("the debug probe {probe} can't be reached: {}", chain(error)))
        .with_help("check that it is plugged in or switched on, that no other program holds it, and that you may use it")
}

pub(super) fn silent(probe: &str, doing: &str, after: Option<Duration>) -> Fault {
    let text = match after {
        Some(after) => format!(
            "the debug probe {probe} stopped answering ({doing}); given up after {} ms",
            after.as_millis()
        ),
        None => format!("the debug probe {probe} stopped answering earlier ({doing})"),
    };
    Fault::bench("probe-silent", text).with_help("unplug the probe and plug it in again, then run once more")
}

pub(super) fn crashed(probe: &str, doing: &str) -> Fault {
    Fault::bench("probe-failed", format!("the work with the debug probe {probe} broke off ({doing})"))
        .with_help("the log of this run holds the library's own words")
}

pub(super) fn chip_unknown(chip: &str, error: &dyn Error) -> Fault {
    Fault::bench("chip-unknown", format!("no chip named {chip:?} is known: {}", chain(error)))
        .with_help("use a name from probe-rs's list of chips, such as nRF51822_xxAA")
}

pub(super) fn chip_differs(named: &str, found: &str) -> Fault {
    Fault::bench(
        "chip-differs",
        format!("the bench names the chip {named}, but the probe is attached to {found}"),
    )
    .with_help("correct the chip in the bench file, or connect the probe to the right board")
}

pub(super) fn attach(binding: &binding::Flash, error: &probe_rs::Error) -> Fault {
    let binding::Flash { probe, chip } = binding;
    match error {
        probe_rs::Error::Probe(error) => Fault::bench(
            "probe-failed",
            format!("the debug probe {probe} failed while attaching: {}", chain(error)),
        )
        .with_help("unplug the probe and plug it in again"),
        error => Fault::bench(
            "chip-silent",
            format!("no {chip} answers behind the debug probe {probe}: {}", chain(error)),
        )
        .with_help("check the board's power and the cable between probe and board"),
    }
}

pub(super) fn reset(binding: &binding::Flash, error: &dyn Error) -> Fault {
    Fault::bench("reset-failed", format!("the {} could not be reset: {}", binding.chip, chain(error)))
}

pub(super) fn read_back(binding: &binding::Flash, error: &dyn Error) -> Fault {
    Fault::bench("flash-failed", format!("the {}'s flash could not be read: {}", binding.chip, chain(error)))
}

pub(super) fn image(chip: &str, error: &FileDownloadError) -> Fault {
    match error {
        FileDownloadError::Flash(FlashError::NoSuitableNvm { range, .. }) => Fault::product(
            "image-misplaced",
            format!(
                "the image has bytes for {:#x} to {:#x}, where a {chip} has no memory",
                range.start, range.end
            ),
        )
        .with_help("check that the image was linked for this chip"),
        error => Fault::product("image-invalid", format!("the image can't be read: {}", chain(error)))
            .with_help("check the file and its format (elf, hex or bin)"),
    }
}

pub(super) fn image_empty() -> Fault {
    Fault::product("image-invalid", "the image holds nothing to write")
        .with_help("check the file and its format (elf, hex or bin)")
}

pub(super) fn flash(binding: &binding::Flash, doing: &str, error: &FlashError) -> Fault {
    let chip = &binding.chip;
    match error {
        FlashError::Verify => {
            Fault::bench("verify-failed", format!("the {chip} does not hold what was written to it"))
                .with_help(
                    "run again; where it stays, the board's flash is worn out or the supply is unstable",
                )
        }
        FlashError::NoSuitableNvm { range, .. } => Fault::product(
            "image-misplaced",
            format!(
                "the image has bytes for {:#x} to {:#x}, where a {chip} has no flash",
                range.start, range.end
            ),
        )
        .with_help("check that the image was linked for this chip"),
        error => Fault::bench(
            "flash-failed",
            format!("writing the {chip}'s flash failed ({doing}): {}", chain(error)),
        )
        .with_help("check the cable, the supply and whether the flash is protected"),
    }
}
