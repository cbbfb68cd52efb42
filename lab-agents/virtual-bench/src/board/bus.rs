//! The chip's bus, by QEMU's qtest socket: memory and peripherals, while the core runs or stands.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::BoardError;

const DEADLINE: Duration = Duration::from_secs(5);
/// Non-volatile memory controller (nRF51 Series Reference Manual v3.0, 6.4).
const NVMC_CONFIG: u32 = 0x4001_E504;
const NVMC_ERASEALL: u32 = 0x4001_E50C;
/// Bytes a single request carries at most.
const CHUNK: usize = 16 * 1024;

/// The size of the chip's flash in bytes (nRF51822_xxAA).
pub(super) const FLASH_SIZE: u32 = 256 * 1024;

#[derive(Debug)]
pub(super) struct Bus {
    stream: BufReader<UnixStream>,
    line: String,
}

impl Bus {
    pub(super) fn open(stream: UnixStream) -> Result<Self, BoardError> {
        stream.set_read_timeout(Some(DEADLINE)).map_err(BoardError::io("opening the bus"))?;
        Ok(Self { stream: BufReader::new(stream), line: String::new() })
    }

    pub(super) fn read_word(&mut self, address: u32) -> Result<u32, BoardError> {
        let answer = self.request(format_args!("readl {address:#x}"))?;
        let value = answer.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        match value.map(u32::try_from) {
            Some(Ok(value)) => Ok(value),
            _ => Err(unexpected(answer)),
        }
    }

    pub(super) fn write_word(&mut self, address: u32, value: u32) -> Result<(), BoardError> {
        self.request(format_args!("writel {address:#x} {value:#x}")).map(|_| ())
    }

    pub(super) fn write_half(&mut self, address: u32, value: u16) -> Result<(), BoardError> {
        self.request(format_args!("writew {address:#x} {value:#x}")).map(|_| ())
    }

    pub(super) fn write_byte(&mut self, address: u32, value: u8) -> Result<(), BoardError> {
        self.request(format_args!("writeb {address:#x} {value:#x}")).map(|_| ())
    }

    pub(super) fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), BoardError> {
        let mut at = address;
        for chunk in into.chunks_mut(CHUNK) {
            let answer = self.request(format_args!("read {at:#x} {}", chunk.len()))?;
            let hex = answer.strip_prefix("0x").unwrap_or_default().as_bytes();
            if hex.len() != chunk.len() * 2 {
                return Err(unexpected(answer));
            }
            for (byte, pair) in chunk.iter_mut().zip(hex.chunks_exact(2)) {
                let text = std::str::from_utf8(pair).unwrap_or_default();
                *byte = u8::from_str_radix(text, 16).map_err(|_| unexpected(answer))?;
            }
            at = at.wrapping_add(chunk.len() as u32);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BoardError> {
        let mut at = address;
        for chunk in bytes.chunks(CHUNK) {
            let mut hex = String::with_capacity(chunk.len() * 2);
            for byte in chunk {
                let _ = write!(hex, "{byte:02x}");
            }
            self.request(format_args!("write {at:#x} {} 0x{hex}", chunk.len()))?;
            at = at.wrapping_add(chunk.len() as u32);
        }
        Ok(())
    }

    /// Erases the flash and, where given, programs it with `content` from address 0 on.
    pub(super) fn fill_flash(&mut self, content: Option<&[u8]>) -> Result<(), BoardError> {
        self.write_word(NVMC_CONFIG, 2)?;
        self.write_word(NVMC_ERASEALL, 1)?;
        if let Some(content) = content {
            self.write_word(NVMC_CONFIG, 1)?;
            self.write(0, content)?;
        }
        self.write_word(NVMC_CONFIG, 0)
    }

    /// Sends one request and returns what follows `OK`.
    fn request(&mut self, request: std::fmt::Arguments<'_>) -> Result<&str, BoardError> {
        let line = format!("{request}\n");
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|_| BoardError::QemuEnded)?;
        loop {
            self.line.clear();
            match self.stream.read_line(&mut self.line) {
                Ok(0) => return Err(BoardError::QemuEnded),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Err(BoardError::QemuEnded);
                }
                Err(source) => return Err(BoardError::Io { doing: "accessing the bus", source }),
            }
            // Interrupt lines are reported unasked.
            if !self.line.starts_with("IRQ ") {
                break;
            }
        }
        let answer = self.line.trim_end();
        answer.strip_prefix("OK").map(str::trim_start).ok_or_else(|| unexpected(answer))
    }
}

fn unexpected(answer: &str) -> BoardError {
    let what: String = answer.chars().take(80).collect();
    BoardError::Qemu { doing: "accessing the bus", what: format!("unexpected answer {what:?}") }
}
