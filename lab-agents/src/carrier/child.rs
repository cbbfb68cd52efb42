//! An agent in a process of its own, which can be killed whatever it is doing.
//!
//! The protocol runs over a socket on the child's file descriptor [`PROTOCOL_FD`], so that nothing that a library
//! prints can be taken for a message.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab_protocol::{Carrier, Incoming, Source, ToAgent, wire};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Where the child finds its end of the line.
pub const PROTOCOL_FD: i32 = 3;
/// How long an agent may take to go once it was told to.
const FAREWELL: Duration = Duration::from_secs(3);

/// An agent that runs as a child process.
pub struct ChildCarrier {
    stream: UnixStream,
    child: Arc<Mutex<Child>>,
    reader: Option<JoinHandle<()>>,
}

impl ChildCarrier {
    /// Starts `program` with `args` as the agent `source`; what it says goes to the inbox, what it logs to `log`.
    ///
    /// The child dies with the calling *thread* (`PR_SET_PDEATHSIG`, prctl(2)): call it from one that lives as long as
    /// the run. It gets a process group of its own, so that a Ctrl-C on the terminal reaches the lab alone, which then
    /// ends the agents in order.
    ///
    /// # Errors
    /// When no socket or process can be made.
    pub fn start(
        program: &Path,
        args: &[&str],
        source: &Source,
        inbox: Sender<Incoming>,
        log: Option<File>,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        command.stderr(log.map_or_else(Stdio::null, Stdio::from));
        pass_fd(&mut command, theirs.into())?;
        die_with_parent(&mut command);
        let child = Arc::new(Mutex::new(command.spawn()?));
        // The command still holds the child's end; without this, its end of line would never be seen.
        drop(command);

        let reading = ours.try_clone()?;
        let (source, reader_child) = (source.clone(), Arc::clone(&child));
        let reader = std::thread::Builder::new().name(format!("from {source}")).spawn(move || {
            let broken = super::deliver(reading, &source, &inbox);
            let status = wait(&reader_child);
            let how = match (broken, status) {
                (Some(error), Ok(status)) => format!("{} ({error})", describe(status)),
                (None, Ok(status)) => describe(status),
                (_, Err(error)) => error.to_string(),
            };
            // Nobody listens any more once the run is over.
            let _ = inbox.send(Incoming::Gone { source, how });
        })?;
        Ok(Self { stream: ours, child, reader: Some(reader) })
    }
}

impl Carrier for ChildCarrier {
    fn send(&mut self, message: &ToAgent) -> io::Result<()> {
        wire::write(&mut self.stream, message)
    }

    fn kill(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    fn join(&mut self) {
        let Some(reader) = self.reader.take() else { return };
        let patience = Instant::now() + FAREWELL;
        while !reader.is_finished() {
            if Instant::now() > patience {
                self.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = reader.join();
    }
}

impl Drop for ChildCarrier {
    fn drop(&mut self) {
        if self.reader.is_some() {
            self.kill();
            self.join();
        }
    }
}

/// Waits for the child without keeping others from killing it.
fn wait(child: &Mutex<Child>) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How a process ended, in words.
pub fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The child's side of what [`pass_fd`] gave it. What this process starts doesn't inherit it.
///
/// # Errors
/// If nothing is open there, or it was taken before.
pub fn taken_fd() -> io::Result<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // SAFETY: fcntl on any number is harmless; it tells whether the descriptor is open.
    if unsafe { nix::libc::fcntl(PROTOCOL_FD, nix::libc::F_GETFD) } < 0 || TAKEN.swap(true, Ordering::SeqCst)
    {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: the descriptor is open, it was given to this process for this alone, and it is taken only once.
    let fd = unsafe { OwnedFd::from_raw_fd(PROTOCOL_FD) };
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}

/// Puts `fd` at number [`PROTOCOL_FD`] in the child; the command has to be dropped after its spawn.
///
/// # Errors
/// When no further descriptor is to be had.
pub fn pass_fd(command: &mut Command, fd: OwnedFd) -> io::Result<()> {
    /// Above all that has a fixed place.
    const HIGH: i32 = 10;
    let duplicate = |fd: &OwnedFd, least| -> io::Result<OwnedFd> {
        let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(least))?;
        // SAFETY: the number was just made for us.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    let high = duplicate(&fd, HIGH)?;
    // If the place is free, it is held until the child was spawned: else `spawn` could put there the pipe on which it
    // hears of a failed exec, and the child would overwrite it.
    let held = duplicate(&fd, PROTOCOL_FD)?;
    let place = move || {
        let _ = held.as_fd();
        // SAFETY: dup2 is async-signal-safe (signal-safety(7)) and touches only this process's descriptors; `high` is
        // open because the closure owns it.
        if unsafe { nix::libc::dup2(high.as_raw_fd(), PROTOCOL_FD) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only the async-signal-safe call above.
    unsafe { command.pre_exec(place) };
    Ok(())
}

/// Has the kernel kill the child when the calling thread ends, however it ends.
pub fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let bind = move || {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        // The parent may have died before the line above.
        if nix::unistd::getppid().as_raw() as u32 == parent {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    };
    // SAFETY: prctl and getppid are plain system calls; nothing is allocated or locked between fork and exec.
    unsafe { command.pre_exec(bind) };
}
