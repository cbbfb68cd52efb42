//! The processor core, by QEMU's gdb stub: registers, run, halt, step and breakpoints; never memory.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::BoardError;

const DEADLINE: Duration = Duration::from_secs(5);
const MAX_PACKET: usize = 16 * 1024;
/// The program status register's number in QEMU's description of an M-profile core.
pub(super) const XPSR: u8 = 25;

/// A core that stands when the connection opens.
#[derive(Debug)]
pub(super) struct Core {
    stream: UnixStream,
    received: Vec<u8>,
    running: bool,
}

impl Core {
    pub(super) fn open(stream: UnixStream) -> Result<Self, BoardError> {
        stream.set_read_timeout(Some(DEADLINE)).map_err(BoardError::io("opening the core"))?;
        let mut core = Self { stream, received: Vec::new(), running: false };
        core.ask("QStartNoAckMode")?;
        // Single registers can be asked for only after their description was read.
        core.ask("qXfer:features:read:target.xml:0,ffb")?;
        Ok(core)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    pub(super) fn read_register(&mut self, number: u8) -> Result<u32, BoardError> {
        let answer = self.ask(&format!("p{number:x}"))?;
        u32::from_str_radix(&answer, 16).map(u32::swap_bytes).map_err(|_| unexpected(&answer))
    }

    pub(super) fn write_register(&mut self, number: u8, value: u32) -> Result<(), BoardError> {
        self.expect_ok(&format!("P{number:x}={:08x}", value.swap_bytes()))
    }

    pub(super) fn set_breakpoint(&mut self, address: u32, on: bool) -> Result<(), BoardError> {
        self.expect_ok(&format!("{}1,{address:x},2", if on { 'Z' } else { 'z' }))
    }

    pub(super) fn resume(&mut self) -> Result<(), BoardError> {
        self.send("c")?;
        self.running = true;
        Ok(())
    }

    pub(super) fn halt(&mut self) -> Result<(), BoardError> {
        if self.running {
            self.stream.write_all(&[3]).map_err(|_| BoardError::QemuEnded)?;
            self.receive()?;
            self.running = false;
        }
        Ok(())
    }

    /// Starts the execution of one instruction, interrupts held back. [`Self::stops_within`] tells when it is done.
    pub(super) fn step(&mut self) -> Result<(), BoardError> {
        self.send("s")?;
        self.running = true;
        Ok(())
    }

    /// Whether a running core has stopped by itself, waiting for that no longer than `limit`.
    pub(super) fn stops_within(&mut self, limit: Duration) -> Result<bool, BoardError> {
        let end = Instant::now() + limit;
        while self.running {
            if self.take_packet().is_some() {
                self.running = false;
                break;
            }
            let left = end.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                Ok(0) => break,
                Ok(_) => self.read_more()?,
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(BoardError::errno("watching the core")(error)),
            }
        }
        Ok(!self.running)
    }

    fn expect_ok(&mut self, request: &str) -> Result<(), BoardError> {
        let answer = self.ask(request)?;
        if answer == "OK" { Ok(()) } else { Err(unexpected(&answer)) }
    }

    fn ask(&mut self, request: &str) -> Result<String, BoardError> {
        self.send(request)?;
        self.receive()
    }

    fn send(&mut self, body: &str) -> Result<(), BoardError> {
        let sum = body.bytes().fold(0u8, u8::wrapping_add);
        let packet = format!("${body}#{sum:02x}");
        self.stream.write_all(packet.as_bytes()).map_err(|_| BoardError::QemuEnded)
    }

    /// The next packet's body. Acknowledgements between packets are passed over.
    fn receive(&mut self) -> Result<String, BoardError> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(body) = self.take_packet() {
                return Ok(body);
            }
            self.read_more()?;
            if self.received.len() > MAX_PACKET || Instant::now() > end {
                return Err(unexpected("neither an end nor an answer in time"));
            }
        }
    }

    fn read_more(&mut self) -> Result<(), BoardError> {
        let mut chunk = [0; 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(BoardError::QemuEnded),
            Ok(read) => self.received.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(BoardError::QemuEnded),
            Err(source) => return Err(BoardError::Io { doing: "reading from the core", source }),
        }
        Ok(())
    }

    fn take_packet(&mut self) -> Option<String> {
        let start = self.received.iter().position(|&byte| byte == b'$')?;
        let end = start + self.received[start..].iter().position(|&byte| byte == b'#')?;
        if self.received.len() < end + 3 {
            return None;
        }
        let body = String::from_utf8_lossy(&self.received[start + 1..end]).into_owned();
        self.received.drain(..end + 3);
        Some(body)
    }
}

fn unexpected(answer: &str) -> BoardError {
    let what: String = answer.chars().take(80).collect();
    BoardError::Qemu { doing: "controlling the core", what: format!("unexpected answer {what:?}") }
}
