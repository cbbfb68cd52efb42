//! The debug probe: a Black Magic Probe's remote protocol, version 4, over TCP. One client at a time, as with the real
//! one; the next waits.
//!
//! A packet is `!command#`, an answer `&K…#` (done), `&E…#` (failed) or `&N…#` (not known). Numbers are hexadecimal;
//! registers and memory are answered in the target's byte order.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::dap::Dap;
use super::swd::Wire;
use super::target::Target;
use super::{BoardError, BoardFaults};

const MAX_PACKET: usize = 8 * 1024;
const MAX_BLOCK: usize = 4 * 1024;
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
const PROTOCOL_VERSION: u64 = 4;
/// Accelerators: ADIv5.
const ACCELERATORS: u64 = 1;
/// From here on there is no memory, but the core's registers.
const DEBUG_REGISTERS: u32 = 0xE000_0000;
const SPEED_HZ: u64 = 4_000_000;

/// Whether the probe still does what it should.
#[derive(Debug, PartialEq, Eq)]
enum Health {
    Well,
    Silent,
    Gone,
}

#[derive(Debug)]
struct Probe {
    dap: Dap,
    wire: Wire,
    reset_held: bool,
    written: u64,
    faults: BoardFaults,
}

/// Serves clients until `stop` closes.
pub(super) fn serve(listener: TcpListener, target: Target, faults: &BoardFaults, stop: &UnixStream) {
    let mut probe = Probe {
        dap: Dap::new(target),
        wire: Wire::new(),
        reset_held: false,
        written: 0,
        faults: faults.clone(),
    };
    let mut listener = Some(listener);
    loop {
        let ready = match &listener {
            Some(listener) => wait(listener, stop),
            None => wait(stop, stop),
        };
        let (true, Some(open)) = (ready, &listener) else { return };
        if let Ok((client, _)) = open.accept()
            && let Err(error) = probe.serve_client(client, stop)
        {
            tracing::debug!(%error, "the debug probe's client ended");
        }
        if probe.health() == Health::Gone {
            listener = None;
        }
    }
}

/// Waits for something to read. False once `stop` has closed.
fn wait(source: &impl AsFd, stop: &UnixStream) -> bool {
    loop {
        let mut fds =
            [PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(source.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
            Ok(_) => return fds[0].revents().is_none_or(|events| events.is_empty()),
        }
    }
}

impl Probe {
    fn health(&self) -> Health {
        let reached = |limit: Option<u64>| limit.is_some_and(|limit| self.written >= limit);
        if reached(self.faults.gone_after_flash_bytes) {
            Health::Gone
        } else if reached(self.faults.silent_after_flash_bytes) {
            Health::Silent
        } else {
            Health::Well
        }
    }

    fn serve_client(&mut self, mut client: TcpStream, stop: &UnixStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        client.set_write_timeout(Some(WRITE_DEADLINE))?;
        let mut packet: Option<Vec<u8>> = None;
        let mut chunk = [0; 2048];
        while wait(&client, stop) {
            let read = client.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            for &byte in &chunk[..read] {
                match (byte, &mut packet) {
                    (b'!', _) => packet = Some(Vec::new()),
                    (b'#', Some(body)) => {
                        let answer = self.answer(body);
                        packet = None;
                        match self.health() {
                            Health::Well => client.write_all(answer.as_bytes())?,
                            Health::Silent => {}
                            Health::Gone => return Ok(()),
                        }
                    }
                    (_, Some(body)) if body.len() < MAX_PACKET => body.push(byte),
                    (_, Some(_)) => packet = None,
                    (_, None) => {}
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, packet: &[u8]) -> String {
        if self.health() != Health::Well {
            return String::new();
        }
        let Ok(packet) = std::str::from_utf8(packet) else { return "&N0#".to_owned() };
        match self.command(packet) {
            Some(Ok(answer)) => format!("&K{answer}#"),
            Some(Err(error)) => {
                tracing::warn!(%error, "the debug probe could not do what it was told");
                "&E1#".to_owned()
            }
            None => "&N0#".to_owned(),
        }
    }

    /// Executes a packet. None when it is unknown or malformed.
    fn command(&mut self, packet: &str) -> Option<Result<String, BoardError>> {
        let (name, rest) = packet.split_at_checked(2)?;
        let mut fields = Fields(rest);
        let number = |value: u64| Some(Ok(format!("{value:x}")));
        match name {
            "GA" => Some(Ok("Virtual Black Magic Probe".to_owned())),
            "GV" => Some(Ok("3.3V".to_owned())),
            "HC" => number(PROTOCOL_VERSION),
            "HA" => number(ACCELERATORS),
            "Gf" => number(SPEED_HZ),
            "GF" | "GE" | "GP" => number(0),
            "GZ" => Some(self.drive_reset(rest == "1").map(|()| "0".to_owned())),
            "SS" => {
                self.wire = Wire::new();
                number(0)
            }
            "So" => {
                let count = fields.number(2)? as u32;
                let bits = u64::from_str_radix(fields.0, 16).ok()?;
                Some(self.wire.drive(&mut self.dap, bits, count).map(|()| "0".to_owned()))
            }
            "Si" => {
                let count = fields.number(2)? as u32;
                number(self.wire.sample(count))
            }
            "Ad" => {
                fields.number(4)?;
                let address = fields.number(4)? as u8;
                Some(Ok(register(self.dap.read_dp(address))))
            }
            "AR" => {
                fields.number(2)?;
                let (read, address, value) =
                    (fields.number(2)?, fields.number(4)? as u8, fields.number(8)? as u32);
                if read != 0 {
                    return Some(Ok(register(self.dap.read_dp(address))));
                }
                self.dap.write_dp(address, value);
                number(0)
            }
            "Aa" => {
                fields.number(2)?;
                let (port, address) = (fields.number(2)? as u8, fields.number(4)? as u8);
                Some(self.dap.read_ap(port, address).map(register))
            }
            "AA" => {
                fields.number(2)?;
                let (port, address) = (fields.number(2)? as u8, fields.number(4)? as u8);
                let value = fields.number(8)? as u32;
                Some(self.dap.write_ap(port, address, value).map(|()| "0".to_owned()))
            }
            "Am" => self.read_memory(fields),
            "AM" => self.write_memory(fields),
            _ => None,
        }
    }

    /// The target's reset line; the chip is reset as it is released.
    fn drive_reset(&mut self, asserted: bool) -> Result<(), BoardError> {
        if std::mem::replace(&mut self.reset_held, asserted) && !asserted {
            self.dap.target.reset()?;
        }
        Ok(())
    }

    fn read_memory(&mut self, mut fields: Fields<'_>) -> Option<Result<String, BoardError>> {
        fields.skip_port_and_csw()?;
        let address = u32::try_from(fields.number(16)?).ok()?;
        let length = usize::try_from(fields.number(8)?).ok().filter(|&length| length <= MAX_BLOCK)?;
        let mut bytes = vec![0; length];
        Some(self.dap.target.read(address, &mut bytes).map(|()| hex(&bytes)))
    }

    fn write_memory(&mut self, mut fields: Fields<'_>) -> Option<Result<String, BoardError>> {
        fields.skip_port_and_csw()?;
        let alignment = fields.number(2)?.min(2) as u32;
        let address = u32::try_from(fields.number(16)?).ok()?;
        let length = usize::try_from(fields.number(8)?).ok().filter(|&length| length <= MAX_BLOCK)?;
        let bytes = fields.bytes(length)?;
        if address < DEBUG_REGISTERS {
            self.written += length as u64;
        }
        if self.health() != Health::Well {
            return None;
        }
        Some(self.dap.target.write(address, 1 << alignment, &bytes).map(|()| "0".to_owned()))
    }
}

/// Fixed-width hexadecimal fields.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    fn number(&mut self, digits: usize) -> Option<u64> {
        let (field, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        u64::from_str_radix(field, 16).ok()
    }

    /// The index of the debug port, the access port, and its CSW, whose access size the length and alignment imply.
    fn skip_port_and_csw(&mut self) -> Option<()> {
        self.number(2)?;
        self.number(2)?;
        self.number(8).map(|_| ())
    }

    fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        (0..length).map(|_| self.number(2).map(|byte| byte as u8)).collect()
    }
}

fn register(value: u32) -> String {
    hex(&value.to_le_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
