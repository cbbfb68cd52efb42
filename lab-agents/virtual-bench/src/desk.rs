//! The virtual desk: board and radio wired together, and the description of the whole bench in the shape of a bench
//! file's `resources`. It runs no agent and makes no network; companion and services are named in the description,
//! and whoever reads it starts them, as with any bench.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::board::{Board, BoardConfig, BoardError, BoardFaults};
use crate::companion::{Covert, Transport};
use crate::radio::{Radio, RadioConfig, RadioError};
use crate::services::Addresses;

/// The chip that the board has.
const CHIP: &str = "nRF51822_xxAA";
/// The link between phone and services, on documentation addresses (RFC 5737, RFC 3849).
const PHONE: [&str; 2] = ["192.0.2.10/24", "2001:db8:1::10/64"];
const SERVICES: [&str; 2] = ["192.0.2.1/24", "2001:db8:1::1/64"];
/// The services' end of the link, the phone's way to everything behind it.
const GATEWAYS: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
/// A port on which the undeclared host answers anyway.
const HTTPS: u16 = 443;

/// What the virtual bench is told: the bench file's `companion` and `faults`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeskConfig {
    /// Which companion the phone has.
    pub companion: CompanionChoice,
    /// What is wrong on purpose.
    pub faults: Faults,
}

/// Which companion app is installed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompanionChoice {
    /// Its version: 2.3.0 has the covert channel, 2.3.1 has none.
    pub version: String,
}

impl Default for CompanionChoice {
    fn default() -> Self {
        Self { version: "2.3.1".into() }
    }
}

/// What is wrong with the bench or the product, on purpose. By default nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The board and its probe.
    pub board: BoardFaults,
    /// The services end at their first DNS query.
    pub services_die_at_first_query: bool,
    /// The services end so many milliseconds after their start.
    pub services_die_after_ms: Option<u64>,
    /// The cable between phone and services is pulled so many milliseconds after the services' start.
    pub link_unplugged_after_ms: Option<u64>,
    /// The companion has this covert channel in place of its version's own.
    pub covert: Option<Covert>,
    /// The companion crashes after this stage.
    pub companion_crashes_after: Option<String>,
    /// The companion sends so many more packets to the time server at once.
    pub companion_floods: u32,
}

/// Why the desk could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The board.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The radio.
    #[error("{}", chain(.0))]
    Radio(#[from] RadioError),
    /// The directory for sockets.
    #[error("{}: {error}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The covert channel can't be written down.
    #[error("the covert channel: {0}")]
    Json(#[from] serde_json::Error),
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Virtual hardware that is switched on. Dropping it switches it off and removes its directory.
#[derive(Debug)]
pub struct Desk {
    // In this order: the radio hangs on the board's UART.
    _radio: Radio,
    _board: Board,
    directory: PathBuf,
    // Held until the directory is gone.
    _lock: File,
}

impl Desk {
    /// Switches the hardware on. `lab` is the executable that is started again for companion and services.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn start(config: &DeskConfig, lab: &Path) -> Result<(Self, Value), DeskError> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        let (directory, lock) = own_directory(&parent)
            .map_err(|error| DeskError::Directory { path: parent.join(PREFIX), error })?;
        let (board, ends) = Board::start(BoardConfig { faults: config.faults.board.clone() })?;
        let (selector, console) = (ends.probe_selector(), ends.console.clone());
        let radio_config = RadioConfig::new(directory.clone());
        let adapter = radio_config.adapter.clone();
        let radio = Radio::start(radio_config, ends.radio)?;
        let description = json!({
            "watch": {"kind": "board", "probe": selector, "chip": CHIP},
            "console": {"kind": "serial", "port": console, "baud": 115_200},
            "radio": {"kind": "ble", "adapter": adapter, "bus": radio.bus_address()},
            "phone": companion(config, lab, &directory, radio.bus_address())?,
            "net": gateway(config, lab, &directory),
        });
        Ok((Self { _radio: radio, _board: board, directory, _lock: lock }, description))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn companion(config: &DeskConfig, lab: &Path, directory: &Path, bus: &str) -> Result<Value, DeskError> {
    let faults = &config.faults;
    let mut args = vec!["virtual-bench".to_owned(), "companion".to_owned()];
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    option("--version-of-app", config.companion.version.clone());
    option("--ca-file", ca_file(directory));
    if let Some(covert) = &faults.covert {
        option("--covert", serde_json::to_string(covert)?);
    }
    if let Some(stage) = &faults.companion_crashes_after {
        option("--crash-after", stage.clone());
    }
    if faults.companion_floods > 0 {
        option("--flood", faults.companion_floods.to_string());
    }
    let app = json!({"program": lab, "args": args, "env": {"DBUS_SYSTEM_BUS_ADDRESS": bus}});
    Ok(json!({"kind": "companion", "driver": "program", "apps": {"companion": app}}))
}

fn gateway(config: &DeskConfig, lab: &Path, directory: &Path) -> Value {
    let faults = &config.faults;
    let mut args = vec!["virtual-bench".to_owned(), "services".to_owned()];
    args.extend(["--ca-file".to_owned(), ca_file(directory)]);
    if faults.services_die_at_first_query {
        args.push("--die-at-first-query".to_owned());
    }
    if let Some(ms) = faults.services_die_after_ms {
        args.extend(["--die-after-ms".to_owned(), ms.to_string()]);
    }
    if let Some(ms) = faults.link_unplugged_after_ms {
        args.extend(["--unplug-after-ms".to_owned(), ms.to_string()]);
    }
    // Whatever port the covert channel goes to, somebody is there: a channel that gets no answer is the easier case.
    if let Some(covert) = &faults.covert
        && covert.port != HTTPS
    {
        match covert.transport {
            Transport::Udp => args.extend(["--echo".to_owned(), format!("udp:{}", covert.port)]),
            Transport::Tcp => args.extend(["--echo".to_owned(), format!("tcp:{}", covert.port)]),
            Transport::Tls | Transport::Icmp => {}
        }
    }
    json!({
        "kind": "gateway",
        "driver": "namespaces",
        "phone": {"addresses": PHONE, "routes": GATEWAYS, "resolvers": Addresses::default().dns},
        "services": {
            "addresses": SERVICES,
            "services": addresses(),
            "program": {"program": lab, "args": args},
        },
    })
}

/// Every address on which the services answer.
fn addresses() -> Vec<IpAddr> {
    let Addresses { dns, api, firmware, time, undeclared } = Addresses::default();
    dns.into_iter().chain([api, firmware, time]).chain(undeclared).collect()
}

fn ca_file(directory: &Path) -> String {
    directory.join("ca.pem").display().to_string()
}

/// Directories of desks are named after the process that made them; each is locked as long as its desk stands.
const PREFIX: &str = "lab-desk-";

/// How many names are tried for a directory.
const NAMES: u32 = 100;

/// Makes this desk's directory and locks it.
fn own_directory(parent: &Path) -> io::Result<(PathBuf, File)> {
    let process = std::process::id();
    for name in 0..NAMES {
        // Another container may share the directory, and have a process of the same number.
        let name = if name == 0 { format!("{PREFIX}{process}") } else { format!("{PREFIX}{process}-{name}") };
        let path = parent.join(name);
        match create_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            result => result?,
        }
        // Another desk's sweep may come in between, and lock and remove it.
        if let Some(lock) = lock(&path) {
            return Ok((path, lock));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Locks a directory that nobody else has locked, if it is still there then.
fn lock(path: &Path) -> Option<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
    let directory = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    directory.try_lock().ok()?;
    let (locked, there) = (directory.metadata().ok()?, std::fs::symlink_metadata(path).ok()?);
    (locked.ino() == there.ino() && locked.dev() == there.dev()).then_some(directory)
}

/// Removes what desks left behind whose process was killed.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        // Somebody else's can't be locked or removed and is left to them.
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && let Some(_locked) = lock(&entry.path())
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Nobody else may reach the sockets in it.
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

    use super::*;

    #[test]
    fn only_directories_of_desks_that_are_gone_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let (standing, lock) = own_directory(parent.path()).unwrap();
        let (beside, gone) = own_directory(parent.path()).unwrap();
        assert_ne!(standing, beside, "a directory of the same process number is left to its desk");
        drop(gone);
        sweep(parent.path());
        assert!(standing.exists() && !beside.exists());
        drop(lock);
        sweep(parent.path());
        assert!(!standing.exists());
    }
}
