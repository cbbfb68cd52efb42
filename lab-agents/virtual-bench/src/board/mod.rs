//! The watch's board: an emulated nRF51822 that a debug probe flashes and that runs what was flashed.
//!
//! Layers, from the outside in: the probe's transport ([`probe`], [`swd`]), the debug access port ([`dap`],
//! [`coresight`]), the target's debug registers ([`target`]), and QEMU ([`machine`] with its three sockets [`bus`],
//! [`core`], [`monitor`]). [`uart`] splits the chip's only UART between the console's pty and the radio module.
//!
//! The board stands in for hardware: it knows nothing of agents, plans or of what the firmware means.

mod bus;
mod core;
mod coresight;
mod dap;
mod machine;
mod monitor;
mod probe;
mod swd;
mod target;
mod uart;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::uart::{RadioLine, RadioPort};

/// How long the board may take until its probe answers.
const START_DEADLINE: Duration = Duration::from_secs(15);

/// How a board is to be built.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoardConfig {
    /// What is broken about it.
    pub faults: BoardFaults,
}

/// Faults that a real board or probe can have. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoardFaults {
    /// The probe stops answering, for good, once it was given this many bytes to write into the target's memory.
    pub silent_after_flash_bytes: Option<u64>,
    /// The probe is unplugged once it was given this many bytes: the connection closes, the port refuses.
    pub gone_after_flash_bytes: Option<u64>,
    /// The lowest bit of the flash byte at this address reads as 0 through the probe.
    pub stuck_bit: Option<u32>,
}

/// What tools are pointed at.
#[derive(Debug)]
pub struct BoardEnds {
    /// Where the debug probe listens (Black Magic remote protocol over TCP, one client at a time).
    pub probe: SocketAddr,
    /// The console's serial port: the slave side of a pty.
    pub console: PathBuf,
    /// The radio module's end of the UART.
    pub radio: RadioPort,
}

impl BoardEnds {
    /// The selector by which probe-rs finds the probe: `VID:PID:host:port` of a Black Magic Probe.
    #[must_use]
    pub fn probe_selector(&self) -> String {
        format!("1d50:6018:{}", self.probe)
    }
}

/// What can go wrong with the board itself.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The emulator is not installed.
    #[error(
        "the virtual board needs qemu-system-arm, which is not installed (Debian: apt-get install qemu-system-arm)"
    )]
    QemuMissing,
    /// The emulator ended or refused to work.
    #[error("the virtual board's emulator failed while {doing}: {what}")]
    Qemu {
        /// What was under way.
        doing: &'static str,
        /// What it answered, or its last words.
        what: String,
    },
    /// The emulator ended by itself, as it does when the core locks up.
    #[error("the virtual board's emulator ended")]
    QemuEnded,
    /// The operating system refused something.
    #[error("the virtual board failed while {doing}: {source}")]
    Io {
        /// What was under way.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The board was not ready in time.
    #[error("the virtual board was not ready within {} s", START_DEADLINE.as_secs())]
    Slow,
}

impl BoardError {
    fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    fn errno(doing: &'static str) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |source| Self::Io { doing, source: source.into() }
    }
}

/// A powered board. Dropping it takes it off the desk: emulator, threads and pty end.
#[derive(Debug)]
pub struct Board {
    // Closing this end tells every thread to stop.
    stop: Option<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Board {
    /// Powers a board with erased flash. Returns once the probe accepts connections.
    ///
    /// # Errors
    /// When the emulator is missing or fails, or the system gives no socket, pty or thread.
    pub fn start(config: BoardConfig) -> Result<(Self, BoardEnds), BoardError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(BoardError::io("opening the probe's port"))?;
        let address = listener.local_addr().map_err(BoardError::io("opening the probe's port"))?;
        let (stop, stopped) = UnixStream::pair().map_err(BoardError::io("making a stop signal"))?;
        let uart_stopped = stopped.try_clone().map_err(BoardError::io("making a stop signal"))?;
        let radio_stopped = stopped.try_clone().map_err(BoardError::io("making a stop signal"))?;
        let (radio, wire) = RadioPort::pair();
        let uart = Arc::new(uart::Uart::open(wire.to_radio)?);
        let console = uart.console().to_path_buf();
        let mut board = Self { stop: Some(stop), threads: Vec::new() };

        let (ready, started) = mpsc::channel();
        let lines = Arc::clone(&uart);
        // QEMU is told to die with the thread that started it, so it is started, and started anew, by the thread that
        // lives as long as the board.
        board.spawn("board-probe", move || match target::Target::power_on(lines, &config.faults) {
            Ok(target) => {
                let _ = ready.send(Ok(()));
                probe::serve(listener, target, &config.faults, &stopped);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        })?;
        started.recv_timeout(START_DEADLINE).map_err(|_| BoardError::Slow)??;
        let lines = Arc::clone(&uart);
        board.spawn("board-radio", move || lines.carry_from_radio(&wire.from_radio, &radio_stopped))?;
        board.spawn("board-uart", move || uart.run(&uart_stopped))?;
        Ok((board, BoardEnds { probe: address, console, radio }))
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), BoardError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(BoardError::io("starting a thread"))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
