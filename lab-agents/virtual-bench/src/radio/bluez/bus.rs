//! A private message bus for one bench: a `dbus-daemon` on a socket in the bench's own directory.
//!
//! It never touches the system's bus. The daemon dies with the thread that started it, or when dropped.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use super::super::RadioError;

/// How long the daemon may take until its socket answers.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// The longest path that fits `sockaddr_un` with its end mark.
const MAX_SOCKET_PATH: usize = 107;

/// A running bus.
#[derive(Debug)]
pub(crate) struct Bus {
    child: Child,
    socket: PathBuf,
    address: String,
}

impl Bus {
    /// Starts a bus whose files are in `dir`. Call it on the thread that will keep the bus: the daemon is killed when
    /// that thread ends.
    pub(crate) fn start(dir: &Path) -> Result<Self, RadioError> {
        let socket = dir.join("bus");
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(RadioError::SocketPathTooLong(socket));
        }
        let address = format!("unix:path={}", escape_address(&socket));
        let config = dir.join("bus.conf");
        let log = dir.join("bus.log");
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| RadioError::File { path, source }
        };
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(&socket)(error)),
            _ => {}
        }
        fs::write(&config, configuration(&address)).map_err(file(&config))?;
        let errors = fs::File::create(&log).map_err(file(&log))?;

        let parent = getpid();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg("--nopidfile").arg("--nosyslog").arg("--config-file").arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        // SAFETY: between fork and exec only prctl and getppid run, which are async-signal-safe.
        unsafe { command.pre_exec(move || die_with_parent(parent)) };
        let child = command.spawn().map_err(RadioError::BusProgram)?;

        let mut bus = Self { child, socket, address };
        bus.wait_until_it_answers(&log)?;
        Ok(bus)
    }

    /// `unix:path=…`, as `DBUS_SYSTEM_BUS_ADDRESS` wants it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_until_it_answers(&mut self, log: &Path) -> Result<(), RadioError> {
        let started = Instant::now();
        loop {
            if UnixStream::connect(&self.socket).is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > START_DEADLINE {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(RadioError::BusDidNotStart { said: said.trim().chars().take(500).collect() });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // Both fail only where the daemon is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

fn die_with_parent(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)?;
    if getppid() != parent {
        return Err(io::Error::other("the parent ended before its bus began"));
    }
    Ok(())
}

fn configuration(address: &str) -> String {
    // `escape_address` leaves nothing in the address that XML would want escaped.
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#
    )
}

/// A path as a D-Bus address carries it: all but a few bytes as `%xx` (D-Bus specification, "Server Addresses").
fn escape_address(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'/' | b'.' => {
                text.push(char::from(*byte))
            }
            _ => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}
