//! The QEMU process: started with a socket pair for each of its doors, killed with the thread that started it.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::BoardError;
use super::bus::Bus;
use super::core::Core;
use super::monitor::Monitor;

/// How much of what the emulator complains about is kept, in bytes.
const COMPLAINTS: u16 = 16 * 1024;

/// A running emulator whose core stands still.
#[derive(Debug)]
pub(super) struct Machine {
    child: Child,
    pub(super) bus: Bus,
    pub(super) core: Core,
    pub(super) monitor: Monitor,
}

impl Machine {
    /// Starts the emulator with the flash erased or filled with `flash`. Returns it and its UART.
    ///
    /// It dies with the calling thread, so that thread must live as long as the machine.
    pub(super) fn start(flash: Option<&[u8]>) -> Result<(Self, UnixStream), BoardError> {
        let mut command = Command::new("qemu-system-arm");
        command.args([
            "-machine",
            "microbit",
            "-display",
            "none",
            "-nodefaults",
            "-accel",
            "tcg,tb-size=16",
            "-S",
        ]);
        let mut inherited = Vec::new();
        let mut door = |name: &str| -> Result<UnixStream, BoardError> {
            let (ours, theirs) =
                UnixStream::pair().map_err(BoardError::io("making a socket for the emulator"))?;
            command.args(["-chardev", &format!("socket,id={name},fd={}", theirs.as_raw_fd())]);
            inherited.push(theirs);
            Ok(ours)
        };
        let (uart, bus, core, monitor) = (door("uart")?, door("qtest")?, door("core")?, door("monitor")?);
        command.args([
            "-serial",
            "chardev:uart",
            "-gdb",
            "chardev:core",
            "-mon",
            "chardev=monitor,mode=control",
        ]);
        command.args(["-qtest", "chardev:qtest", "-qtest-log", "none"]);
        let complaints =
            bounded_file().map_err(BoardError::errno("making a file for the emulator's messages"))?;
        let stderr =
            complaints.try_clone().map_err(BoardError::io("making a file for the emulator's messages"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let fds: Vec<RawFd> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
        let parent = nix::unistd::getpid();
        // SAFETY: only async-signal-safe calls (fcntl, prctl, getppid) between fork and exec; `fds` stay open until
        // the child runs, because `inherited` lives until then.
        unsafe {
            command.pre_exec(move || {
                set_pdeathsig(Signal::SIGKILL)?;
                if nix::unistd::getppid() != parent {
                    return Err(nix::errno::Errno::ESRCH.into());
                }
                for &fd in &fds {
                    fcntl(std::os::fd::BorrowedFd::borrow_raw(fd), FcntlArg::F_SETFD(FdFlag::empty()))?;
                }
                Ok(())
            });
        }
        let child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => BoardError::QemuMissing,
            _ => BoardError::Io { doing: "starting qemu-system-arm", source },
        })?;
        drop(inherited);
        let mut child = Reaped(Some(child));
        let opened = (|| {
            let mut bus = Bus::open(bus)?;
            bus.fill_flash(flash)?;
            Ok((bus, Core::open(core)?, Monitor::open(monitor)?))
        })();
        match (opened, child.0.take()) {
            (Ok((bus, core, monitor)), Some(child)) => Ok((Self { child, bus, core, monitor }, uart)),
            (Ok(_), None) => Err(BoardError::QemuEnded),
            (Err(error), child) => Err(last_words(child, &complaints).unwrap_or(error)),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child that is killed and reaped on the way out of a failed start.
struct Reaped(Option<Child>);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A file without a name that takes so many bytes and no more. A pipe, which nobody reads while the machine runs, would
/// stop the emulator once it was full.
fn bounded_file() -> nix::Result<File> {
    let file = memfd_create("emulator", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    nix::unistd::ftruncate(&file, COMPLAINTS.into())?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK))?;
    Ok(file.into())
}

/// What an emulator that failed to start had to say.
fn last_words(child: Option<Child>, complaints: &File) -> Option<BoardError> {
    let mut child = child?;
    let _ = child.kill();
    let _ = child.wait();
    let mut words = vec![0; COMPLAINTS.into()];
    let length = complaints.read_at(&mut words, 0).ok()?;
    let words = String::from_utf8_lossy(&words[..length]);
    let what = words.trim_end_matches('\0').trim();
    (!what.is_empty()).then(|| BoardError::Qemu { doing: "starting", what: what.to_owned() })
}
