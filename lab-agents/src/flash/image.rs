//! From an image's bytes to a chip that holds them: reads ELF, HEX and raw images, looks whether they are there
//! already, writes and verifies. It doesn't start what it wrote.

use std::io::Cursor;

use lab_protocol::{Fault, ImageFormat, binding};
use probe_rs::flashing::{
    BinLoader, BinOptions, DownloadOptions, ElfLoader, ElfOptions, FlashLoader, FlashProgress, HexLoader,
    ProgressEvent, ProgressOperation,
};
use probe_rs::{MemoryInterface, Session};

use super::{Progress, chip, faults};

/// How much is read back at a time, in bytes: a difference ends the comparison early.
const COMPARE_CHUNK: usize = 1024;

/// Writes the image. False where the chip held it already and nothing was written.
pub(super) fn write(
    session: &mut Session,
    binding: &binding::Flash,
    bytes: &[u8],
    format: ImageFormat,
    verify: bool,
    progress: &Progress,
) -> Result<bool, Fault> {
    let loader = load(session, bytes, format)?;
    if holds(session, &loader, progress).map_err(|error| faults::read_back(binding, &error))? {
        return Ok(false);
    }
    let mut options = DownloadOptions::default();
    options.verify = verify;
    options.progress = FlashProgress::new(|event| tell(progress, event));
    loader.commit(session, options).map_err(|error| faults::flash(binding, &progress.doing(), &error))?;
    Ok(true)
}

fn load(session: &mut Session, bytes: &[u8], format: ImageFormat) -> Result<FlashLoader, Fault> {
    let mut loader = session.target().flash_loader();
    let mut file = Cursor::new(bytes);
    let loaded = match format {
        ImageFormat::Elf => loader.load_image(session, &mut file, ElfLoader(ElfOptions::default()), None),
        ImageFormat::Hex => loader.load_image(session, &mut file, HexLoader, None),
        ImageFormat::Bin { base } => {
            let options = BinOptions { base_address: Some(base), skip: 0 };
            loader.load_image(session, &mut file, BinLoader(options), None)
        }
    };
    loaded.map_err(|error| faults::image(chip::name(session.target()), &error))?;
    if loader.data().next().is_none() {
        return Err(faults::image_empty());
    }
    Ok(loader)
}

/// Whether the chip's flash holds the whole image. What goes into RAM is never there already.
fn holds(session: &mut Session, loader: &FlashLoader, progress: &Progress) -> Result<bool, probe_rs::Error> {
    let regions = session.target().memory_map.clone();
    let in_flash = |address: u64| {
        regions
            .iter()
            .filter_map(|region| region.as_nvm_region())
            .any(|region| region.range.contains(&address))
    };
    if !loader.data().all(|(address, _)| in_flash(address)) {
        return Ok(false);
    }
    progress.begin("compare", loader.data().map(|(_, data)| data.len() as u64).sum());
    let mut core = session.core(0)?;
    let mut there = [0; COMPARE_CHUNK];
    for (address, data) in loader.data() {
        for (chunk, at) in data.chunks(COMPARE_CHUNK).zip((address..).step_by(COMPARE_CHUNK)) {
            let there = &mut there[..chunk.len()];
            core.read(at, there)?;
            if there != chunk {
                return Ok(false);
            }
            progress.advance(chunk.len() as u64);
        }
    }
    Ok(true)
}

/// Passes probe-rs's progress on.
fn tell(progress: &Progress, event: ProgressEvent) {
    match event {
        // probe-rs announces every stage's size before the first begins.
        ProgressEvent::AddProgressBar { operation, total } => {
            progress.announce(word(operation), total.unwrap_or(0))
        }
        ProgressEvent::Started(operation) => progress.begin_announced(word(operation)),
        ProgressEvent::Progress { size, .. } => progress.advance(size),
        ProgressEvent::DiagnosticMessage { message } => tracing::info!(message, "the flash algorithm says"),
        _ => {}
    }
}

fn word(operation: ProgressOperation) -> &'static str {
    match operation {
        ProgressOperation::Fill => "fill",
        ProgressOperation::Erase => "erase",
        ProgressOperation::Program => "program",
        ProgressOperation::Verify => "verify",
    }
}
