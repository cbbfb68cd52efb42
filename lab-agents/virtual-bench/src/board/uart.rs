//! The chip's only UART, split in two: lines that begin with `AT` go to the radio module, all else to the console's
//! pty. What the console user types and what the radio answers goes to the chip a whole line at a time.
//!
//! It never interprets a line. Every buffer is bounded: what nobody reads is dropped, and said so.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use super::BoardError;
use crate::uart::RadioLine;

/// Longest line of the radio's protocol, and longest line that a console user can type, in bytes.
const MAX_LINE: usize = 512;
/// Console output kept for a reader that has not come yet, beyond what the pty itself holds, in bytes.
const MAX_BACKLOG: usize = 256 * 1024;
/// How long it may take until a chip that was powered anew is listened to.
const RECONNECT_MS: u16 = 50;
/// Most bytes that wait for a standing core.
const MAX_HELD: usize = 4096;
/// How long it may take until a thread notices that the board is gone.
const STOP_TICK: Duration = Duration::from_millis(50);

nix::ioctl_none_bad!(allow_further_openers, nix::libc::TIOCNXCL);

#[derive(Debug)]
pub(super) struct Uart {
    path: PathBuf,
    state: Mutex<State>,
    // Kept open, so that what is written while no reader is there stays in the pty.
    slave: OwnedFd,
}

#[derive(Debug)]
struct State {
    /// The chip's side; none while no chip is powered.
    chip: Option<UnixStream>,
    console: File,
    backlog: VecDeque<u8>,
    dropped: u64,
    typed: Vec<u8>,
    line: LineKind,
    to_radio: Sender<RadioLine>,
    /// Whether the core stands. A standing core takes no bytes out of its receiver, which holds six; the flow control
    /// of the UART (RTS) then keeps the others waiting.
    deaf: bool,
    /// What waits for the core to run on.
    held: Vec<u8>,
    /// Whether the firmware said anything to the radio since the chip was reset. What comes from the radio before that
    /// is an answer to what ran before the reset.
    asked: bool,
}

/// What the line is that the chip is sending.
#[derive(Debug)]
enum LineKind {
    Start,
    /// An `A` that may become `AT`.
    A,
    Radio(Vec<u8>),
    Console,
}

impl Uart {
    /// Opens the console's pty.
    pub(super) fn open(to_radio: Sender<RadioLine>) -> Result<Self, BoardError> {
        let doing = "opening the console's pty";
        let pty = nix::pty::openpty(None, None).map_err(BoardError::errno(doing))?;
        let path = nix::unistd::ttyname(&pty.slave).map_err(BoardError::errno(doing))?;
        let mut settings = tcgetattr(&pty.slave).map_err(BoardError::errno(doing))?;
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).map_err(BoardError::errno(doing))?;
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).map_err(BoardError::errno(doing))?;
        }
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(BoardError::errno(doing))?;
        let state = State {
            chip: None,
            console: File::from(pty.master),
            backlog: VecDeque::new(),
            dropped: 0,
            typed: Vec::new(),
            line: LineKind::Start,
            to_radio,
            deaf: true,
            held: Vec::new(),
            asked: true,
        };
        Ok(Self { path, state: Mutex::new(state), slave: pty.slave })
    }

    /// The pty's slave side: the console's serial port.
    pub(super) fn console(&self) -> &Path {
        &self.path
    }

    /// Connects a newly powered chip.
    pub(super) fn connect(&self, chip: UnixStream) -> Result<(), BoardError> {
        chip.set_nonblocking(true).map_err(BoardError::io("connecting the UART"))?;
        self.lock().chip = Some(chip);
        Ok(())
    }

    /// Tells whether the core runs and so takes what is sent to it.
    pub(super) fn set_running(&self, running: bool) {
        let mut state = self.lock();
        state.deaf = !running;
        if running {
            let held = std::mem::take(&mut state.held);
            state.write_chip(&held);
        }
    }

    /// The chip is being reset, its core stands: passes on what it had still said, then the reset.
    pub(super) fn chip_reset(&self) {
        let mut state = self.lock();
        state.read_chip();
        state.end_line();
        state.held.clear();
        state.asked = false;
        let _ = state.to_radio.send(RadioLine::Reset);
    }

    /// Passes the radio's lines to the chip until `stop` closes or the radio is gone.
    pub(super) fn carry_from_radio(&self, from_radio: &Receiver<String>, stop: &UnixStream) {
        loop {
            match from_radio.recv_timeout(STOP_TICK) {
                Ok(line) => {
                    let mut state = self.lock();
                    if state.asked {
                        state.send_line(line.as_bytes());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let mut fds = [PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
                return;
            }
        }
    }

    /// Passes bytes between chip and console until `stop` closes.
    pub(super) fn run(&self, stop: &UnixStream) {
        loop {
            let (chip, console) = {
                let state = self.lock();
                let chip = state.chip.as_ref().and_then(|chip| chip.try_clone().ok());
                (chip, state.console.try_clone().ok())
            };
            let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            if let Some(chip) = &chip {
                fds.push(PollFd::new(chip.as_fd(), PollFlags::POLLIN));
            }
            if let Some(console) = &console {
                fds.push(PollFd::new(console.as_fd(), PollFlags::POLLIN));
            }
            if poll(&mut fds, PollTimeout::from(RECONNECT_MS)).is_err() {
                continue;
            }
            if fds[0].revents().is_some_and(|events| !events.is_empty()) {
                return;
            }
            // A reader that took the port for itself and was killed leaves it taken, since the slave stays open here.
            // SAFETY: the descriptor is open and the request takes no argument.
            let _ = unsafe { allow_further_openers(self.slave.as_raw_fd()) };
            let mut state = self.lock();
            state.read_chip();
            state.flush_console();
            state.read_console();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read_chip(&mut self) {
        let mut chunk = [0; 1024];
        while let Some(chip) = &mut self.chip {
            match chip.read(&mut chunk) {
                Ok(0) => self.chip = None,
                Ok(read) => chunk[..read].iter().for_each(|&byte| self.take(byte)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.chip = None,
            }
        }
        self.flush_console();
    }

    /// One byte that the chip sent. A console line passes as it comes; a radio line once it is whole.
    fn take(&mut self, byte: u8) {
        match &mut self.line {
            LineKind::Start if byte == b'A' => self.line = LineKind::A,
            LineKind::A if byte == b'T' => self.line = LineKind::Radio(b"AT".to_vec()),
            LineKind::Radio(line) if byte == b'\n' => {
                let text = String::from_utf8_lossy(line).trim_end().to_owned();
                let _ = self.to_radio.send(RadioLine::Line(text));
                self.asked = true;
                self.line = LineKind::Start;
            }
            LineKind::Radio(line) if line.len() < MAX_LINE => line.push(byte),
            LineKind::Radio(_) => {
                tracing::warn!("a line to the radio is longer than {MAX_LINE} bytes and was cut")
            }
            LineKind::Start | LineKind::A | LineKind::Console => {
                if matches!(self.line, LineKind::A) {
                    self.print(b'A');
                }
                self.print(byte);
                self.line = if byte == b'\n' { LineKind::Start } else { LineKind::Console };
            }
        }
    }

    /// Ends the line under way, for nothing will complete it.
    fn end_line(&mut self) {
        if matches!(self.line, LineKind::A) {
            self.print(b'A');
            self.line = LineKind::Console;
        }
        if matches!(self.line, LineKind::Console) {
            self.print(b'\r');
            self.print(b'\n');
        }
        self.line = LineKind::Start;
        self.flush_console();
    }

    fn print(&mut self, byte: u8) {
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back(byte);
            return;
        }
        if self.dropped == 0 {
            tracing::warn!("nobody reads the virtual board's console: its further output is dropped");
        }
        self.dropped += 1;
    }

    fn flush_console(&mut self) {
        while !self.backlog.is_empty() {
            let (front, _) = self.backlog.as_slices();
            match self.console.write(front) {
                Ok(written) => drop(self.backlog.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn read_console(&mut self) {
        let mut chunk = [0; 256];
        while let Ok(read @ 1..) = self.console.read(&mut chunk) {
            for &byte in &chunk[..read] {
                if byte == b'\r' || byte == b'\n' {
                    let line = std::mem::take(&mut self.typed);
                    if !line.is_empty() {
                        self.send_line(&line);
                    }
                } else if self.typed.len() < MAX_LINE {
                    self.typed.push(byte);
                }
            }
        }
    }

    /// Sends a line to the chip, once its core runs.
    fn send_line(&mut self, line: &[u8]) {
        let mut bytes = line.to_vec();
        bytes.extend_from_slice(b"\r\n");
        if !self.deaf {
            self.write_chip(&bytes);
        } else if self.held.len() + bytes.len() <= MAX_HELD {
            self.held.extend_from_slice(&bytes);
        } else {
            tracing::warn!("the virtual board's core stands for long: a line to it was lost");
        }
    }

    /// Writes to a chip that takes what comes.
    fn write_chip(&mut self, bytes: &[u8]) {
        let Some(chip) = self.chip.as_mut().filter(|_| !bytes.is_empty()) else { return };
        if !matches!(chip.write(bytes), Ok(written) if written == bytes.len()) {
            tracing::warn!("the virtual board's firmware does not read its UART: a line to it was lost");
        }
    }
}
