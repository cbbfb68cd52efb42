//! QEMU's machine monitor (QMP): used for one thing, to reset the chip and to know when that is done.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::BoardError;

const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    pub(super) fn open(stream: UnixStream) -> Result<Self, BoardError> {
        stream.set_read_timeout(Some(DEADLINE)).map_err(BoardError::io("opening the monitor"))?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        monitor.wait("opening the monitor", |message| message.get("QMP").is_some())?;
        monitor.send("qmp_capabilities")?;
        monitor.wait("opening the monitor", |message| message.get("return").is_some())?;
        Ok(monitor)
    }

    /// Resets the whole chip and returns once its registers are reset.
    pub(super) fn reset(&mut self) -> Result<(), BoardError> {
        self.send("system_reset")?;
        self.wait("resetting the chip", |message| message.get("event").is_some_and(|name| name == "RESET"))
    }

    fn send(&mut self, command: &str) -> Result<(), BoardError> {
        let line = format!("{{\"execute\":\"{command}\"}}\n");
        self.stream.get_mut().write_all(line.as_bytes()).map_err(|_| BoardError::QemuEnded)
    }

    fn wait(&mut self, doing: &'static str, wanted: impl Fn(&Value) -> bool) -> Result<(), BoardError> {
        let end = Instant::now() + DEADLINE;
        let mut line = String::new();
        while Instant::now() < end {
            line.clear();
            let read = self.stream.read_line(&mut line).map_err(BoardError::io(doing))?;
            if read == 0 {
                return Err(BoardError::QemuEnded);
            }
            let Ok(message) = serde_json::from_str::<Value>(&line) else {
                return Err(BoardError::Qemu { doing, what: format!("not JSON: {}", line.trim()) });
            };
            if let Some(error) = message.get("error") {
                return Err(BoardError::Qemu { doing, what: error.to_string() });
            }
            if wanted(&message) {
                return Ok(());
            }
        }
        Err(BoardError::Qemu { doing, what: "no answer in time".to_owned() })
    }
}
