//! The virtual watch's radio: a radio module on the firmware's UART, and an emulated `org.bluez` through which this
//! host's Bluetooth clients see it.
//!
//! What is advertised, and what the characteristics say, comes from the firmware's own commands alone. It never opens
//! a real adapter.

mod bluez;
pub mod gatt;
pub mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::uart::{RadioLine, RadioPort};
use bluez::Bus;

/// How many lines from the firmware may wait.
const QUEUE: usize = 256;
/// How often the thread that forwards them looks whether the radio is still there.
const FORWARD_INTERVAL: Duration = Duration::from_millis(200);

/// What a radio is told at its start.
#[derive(Debug, Clone)]
pub struct RadioConfig {
    /// A directory of the bench's own, for the bus's socket, configuration and log.
    pub dir: PathBuf,
    /// The adapter's name.
    pub adapter: String,
    /// The adapter's address, `AA:BB:CC:DD:EE:FF`.
    pub adapter_address: String,
    /// The watch's address, a static random one.
    pub watch_address: String,
    /// Other devices that advertise near it.
    pub neighbours: Vec<Neighbour>,
}

/// Another device in the air, which advertises and does nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The name that it advertises.
    pub name: String,
    /// Its address, `AA:BB:CC:DD:EE:FF`.
    pub address: String,
}

impl RadioConfig {
    /// The usual adapter and watch. The adapter's address is locally administered, the watch's is static random.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            adapter: "hci0".to_owned(),
            adapter_address: "02:00:00:00:00:01".to_owned(),
            watch_address: "C0:00:00:00:00:08".to_owned(),
            neighbours: Vec::new(),
        }
    }

    fn adapter_path(&self) -> String {
        format!("/org/bluez/{}", self.adapter)
    }

    fn device_path(&self) -> String {
        self.path_of(&self.watch_address)
    }

    fn path_of(&self, address: &str) -> String {
        format!("{}/dev_{}", self.adapter_path(), address.replace(':', "_"))
    }

    fn check(&self) -> Result<(), RadioError> {
        let neighbours = self.neighbours.iter().map(|neighbour| &neighbour.address);
        for address in [&self.adapter_address, &self.watch_address].into_iter().chain(neighbours) {
            let octets: Vec<&str> = address.split(':').collect();
            let valid = |octet: &&str| {
                octet.len() == 2 && octet.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
            };
            if octets.len() != 6 || !octets.iter().all(valid) {
                return Err(RadioError::Address(address.clone()));
            }
        }
        if self.adapter.is_empty() || !self.adapter.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(RadioError::Adapter(self.adapter.clone()));
        }
        Ok(())
    }
}

/// Why a radio could not be started, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RadioError {
    /// An address is not one.
    #[error("{0:?} is not a Bluetooth address; write six upper-case octets, such as C0:00:00:00:00:08")]
    Address(String),
    /// An adapter name which no D-Bus path can carry.
    #[error("{0:?} is not an adapter's name; use letters and digits, such as hci0")]
    Adapter(String),
    /// A socket's path has a limit.
    #[error("the bus's socket path {} is too long for a Unix socket; give the bench a shorter directory", .0.display())]
    SocketPathTooLong(PathBuf),
    /// A file of the bus.
    #[error("cannot write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `dbus-daemon` can't be run.
    #[error("cannot start dbus-daemon; on Debian it is in the package dbus-daemon")]
    BusProgram(#[source] io::Error),
    /// `dbus-daemon` ended, or didn't answer.
    #[error("the private message bus did not start: {said}")]
    BusDidNotStart {
        /// The daemon's own words.
        said: String,
    },
    /// The bus accepts connections but doesn't answer.
    #[error("the private message bus does not answer; see bus.log in the bench's directory")]
    BusSilent,
    /// The bus ended under the radio.
    #[error("the private message bus ended")]
    BusLost,
    /// A D-Bus call failed.
    #[error("the private message bus failed")]
    Bus(#[from] zbus::Error),
    /// A thread or its runtime could not be made.
    #[error("cannot start the radio's thread")]
    Thread(#[source] io::Error),
    /// The radio's thread ended before it was ready.
    #[error("the radio ended while it started")]
    Ended,
}

/// A running radio. Dropping it takes the bus and everything on it away.
#[derive(Debug)]
pub struct Radio {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Radio {
    /// Starts the bus and the emulated `org.bluez` on it, and connects the radio module to the firmware's UART.
    /// Returns once clients can call.
    ///
    /// # Errors
    /// [`RadioError`], when the configuration is unusable or the bus does not start.
    pub fn start(config: RadioConfig, port: RadioPort) -> Result<Self, RadioError> {
        config.check()?;
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std_mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("radio".to_owned())
            .spawn(move || {
                let started = ready.clone();
                if let Err(error) = run(config, port, stopped, move |address| drop(started.send(Ok(address))))
                {
                    tracing::error!(error = &error as &dyn std::error::Error, "virtual radio ended");
                    // Nobody listens any more once the radio was ready.
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(RadioError::Thread)?;
        let mut radio = Self { address: String::new(), stop: Some(stop), thread: Some(thread) };
        radio.address = is_ready.recv().map_err(|_| RadioError::Ended)??;
        Ok(radio)
    }

    /// Where its bus is, as `DBUS_SYSTEM_BUS_ADDRESS` wants it: `unix:path=…`.
    #[must_use]
    pub fn bus_address(&self) -> &str {
        &self.address
    }
}

impl Drop for Radio {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only where the radio ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Runs the radio on this thread, which also keeps the bus alive.
fn run(
    config: RadioConfig,
    port: RadioPort,
    stop: oneshot::Receiver<()>,
    ready: impl FnOnce(String),
) -> Result<(), RadioError> {
    let bus = Bus::start(&config.dir)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RadioError::Thread)?;
    let (lines, firmware) = mpsc::channel(QUEUE);
    let RadioPort { from_firmware, to_firmware } = port;
    std::thread::Builder::new()
        .name("radio-uart".to_owned())
        .spawn(move || forward(&from_firmware, &lines))
        .map_err(RadioError::Thread)?;
    let address = bus.address().to_owned();
    let announced = address.clone();
    runtime.block_on(bluez::serve(config, &address, firmware, to_firmware, stop, move || ready(announced)))
}

fn forward(from: &std_mpsc::Receiver<RadioLine>, to: &mpsc::Sender<RadioLine>) {
    loop {
        match from.recv_timeout(FORWARD_INTERVAL) {
            Ok(line) => {
                if to.blocking_send(line).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) if !to.is_closed() => {}
            Err(_) => return,
        }
    }
}
