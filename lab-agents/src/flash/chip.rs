//! From the bench's probe and chip to a session with that very chip: reaches the probe, attaches, and makes sure that
//! the chip is the one named before anything is written to it.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lab_protocol::{Fault, binding};
use probe_rs::config::{Registry, TargetSelector};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, Probe, WireProtocol};
use probe_rs::{CoreType, MemoryInterface, Permissions, Session, Target};

use super::faults;

/// How long a network probe may take to accept a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// CPUID of every Cortex-M (Armv6-M Architecture Reference Manual, B3.2.3).
const CPUID: u64 = 0xE000_ED00;

/// Attaches to the bench's chip.
pub(super) fn attach(binding: &binding::Flash) -> Result<Session, Fault> {
    let registry = Registry::from_builtin_families();
    let target = registry
        .get_target_by_name(&binding.chip)
        .map_err(|error| faults::chip_unknown(&binding.chip, &error))?;
    let named = family_of(&registry, &target.name);
    let detectable =
        registry.families().iter().any(|family| family.name == named && !family.chip_detection.is_empty());
    if detectable {
        // Some chips tell what they are. One of another family is refused; within a family the bench knows better,
        // because detection is often coarse.
        match open(binding)?.attach_with_registry(TargetSelector::Auto, Permissions::default(), &registry) {
            Ok(session) if session.target().name == target.name => return Ok(session),
            Ok(session) if family_of(&registry, &session.target().name) != named => {
                return Err(faults::chip_differs(&target.name, &session.target().name));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the chip did not tell what it is"),
        }
    }
    let core_type = target.default_core().core_type;
    let chip = target.name.clone();
    let mut session = open(binding)?
        .attach_with_registry(target, Permissions::default(), &registry)
        .map_err(|error| faults::attach(binding, &error))?;
    check_core(&mut session, &chip, core_type)?;
    Ok(session)
}

/// Resets the chip and lets it run.
pub(super) fn reset(session: &mut Session, binding: &binding::Flash) -> Result<(), Fault> {
    session.core(0).and_then(|mut core| core.reset()).map_err(|error| faults::reset(binding, &error))
}

fn open(binding: &binding::Flash) -> Result<Probe, Fault> {
    let selector: DebugProbeSelector =
        binding.probe.parse().map_err(|error| faults::selector(&binding.probe, &error))?;
    // probe-rs reports a refused connection as a missing USB device: look first.
    let address = selector.serial_number.as_deref().and_then(|serial| serial.parse::<SocketAddr>().ok());
    if let Some(address) = address {
        TcpStream::connect_timeout(&address, CONNECT_DEADLINE)
            .map_err(|error| faults::unreachable(&binding.probe, &error))?;
    }
    let mut probe =
        Lister::new().open(selector).map_err(|error| faults::unreachable(&binding.probe, &error))?;
    if probe.protocol().is_none() {
        probe
            .select_protocol(WireProtocol::Swd)
            .map_err(|error| faults::unreachable(&binding.probe, &error))?;
    }
    Ok(probe)
}

fn family_of(registry: &Registry, chip: &str) -> String {
    let has =
        |family: &&probe_rs::config::ChipFamily| family.variants.iter().any(|variant| variant.name == chip);
    registry.families().iter().find(has).map(|family| family.name.clone()).unwrap_or_default()
}

/// Refuses a core of another architecture than the named chip has: its flash algorithm would run astray.
fn check_core(session: &mut Session, chip: &str, expected: CoreType) -> Result<(), Fault> {
    if !expected.is_cortex_m() {
        return Ok(());
    }
    let cpuid = session.core(0).and_then(|mut core| core.read_word_32(CPUID));
    let part = match cpuid {
        Ok(cpuid) => cpuid >> 4 & 0xFFF,
        Err(error) => {
            tracing::debug!(%error, "the core did not tell what it is");
            return Ok(());
        }
    };
    let (name, found) = match part {
        0xC20 => ("a Cortex-M0", CoreType::Armv6m),
        0xC21 => ("a Cortex-M1", CoreType::Armv6m),
        0xC60 => ("a Cortex-M0+", CoreType::Armv6m),
        0xC23 => ("a Cortex-M3", CoreType::Armv7m),
        0xC24 => ("a Cortex-M4", CoreType::Armv7em),
        0xC27 => ("a Cortex-M7", CoreType::Armv7em),
        0xD20 => ("a Cortex-M23", CoreType::Armv8m),
        0xD21 => ("a Cortex-M33", CoreType::Armv8m),
        0xD22 => ("a Cortex-M55", CoreType::Armv8m),
        _ => return Ok(()),
    };
    // Descriptions are not exact about the M3 and M4.
    let alike = |kind| if kind == CoreType::Armv7em { CoreType::Armv7m } else { kind };
    if alike(found) == alike(expected) { Ok(()) } else { Err(faults::chip_differs(chip, name)) }
}

/// What the chip is called, for messages.
pub(super) fn name(target: &Target) -> &str {
    &target.name
}
