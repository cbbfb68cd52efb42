//! The console agent: logs every line of a serial port with the time of its first byte, waits for lines and writes them.
//!
//! It interprets nothing. A prompt without a line end is part of the line that follows it.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab_protocol::{Action, Event, Fault, Reply, binding};
use serde_json::Value;
use serialport::{ClearBuffer, SerialPort};

use crate::lines::{Line, LineBuffer, LineSplitter};
use crate::{Agent, Call, Outlet};

/// How long a read waits before it looks whether the agent ends; also the time a write may take.
const READ_TICK: Duration = Duration::from_millis(50);
const WRITE_DEADLINE: Duration = Duration::from_secs(2);
const LINE_END: &[u8] = b"\r\n";

/// Makes the agent; the port is opened by [`Action::OpenConsole`].
///
/// # Errors
/// If the binding is none for this agent.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let binding: binding::Console = serde_json::from_value(binding)
        .map_err(|error| Fault::bench("binding-invalid", format!("the bench's serial port: {error}")))?;
    Ok(Box::new(ConsoleAgent { binding, outlet: outlet.clone(), lines: LineBuffer::default(), open: None }))
}

struct ConsoleAgent {
    binding: binding::Console,
    outlet: Outlet,
    lines: LineBuffer,
    open: Option<Open>,
}

/// A port that is read on a thread.
struct Open {
    writer: Box<dyn SerialPort>,
    ending: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Agent for ConsoleAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        match call.action {
            Action::OpenConsole => self.open(),
            Action::ExpectLine { pattern, within_ms } => self.expect(call, pattern, *within_ms),
            Action::SendLine { text } => self.send(text),
            _ => Err(call.unknown()),
        }
    }

    fn release(&mut self) {
        if let Some(open) = self.open.take() {
            open.ending.store(true, Ordering::Release);
            let _ = open.reader.join();
        }
    }
}

impl ConsoleAgent {
    fn open(&mut self) -> Result<Reply, Fault> {
        if self.open.as_ref().is_some_and(|open| !open.reader.is_finished()) {
            return Ok(Reply::Ok);
        }
        self.release();
        let binding::Console { port, baud } = &self.binding;
        let failed = |error: &dyn std::fmt::Display| {
            Fault::bench("console-not-opened", format!("the serial port {port} can't be opened: {error}")).with_help(
                "check that it is there, that no other program has it open, and that you are in its group (often dialout)",
            )
        };
        let writer =
            serialport::new(port, *baud).timeout(READ_TICK).open().map_err(|error| failed(&error))?;
        // What the system kept from before is of another run.
        writer.clear(ClearBuffer::Input).map_err(|error| failed(&error))?;
        let from = writer.try_clone().map_err(|error| failed(&error))?;
        self.lines.reopen();
        let ending = Arc::new(AtomicBool::new(false));
        let listener = Listener {
            port: port.clone(),
            log: format!("console/{}.log", self.outlet.source().role),
            outlet: self.outlet.clone(),
            lines: self.lines.clone(),
            ending: Arc::clone(&ending),
        };
        let reader = std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || listener.listen(from))
            .map_err(|error| failed(&error))?;
        self.open = Some(Open { writer, ending, reader });
        Ok(Reply::Ok)
    }

    fn expect(&mut self, call: &Call<'_>, pattern: &str, within_ms: u64) -> Result<Reply, Fault> {
        self.lines.answer(call, "console", pattern, within_ms, |how| gone(&self.binding.port, &how))
    }

    fn send(&mut self, text: &str) -> Result<Reply, Fault> {
        let port = &self.binding.port;
        let Some(open) = &mut self.open else {
            return Err(Fault::bench("console-closed", format!("the serial port {port} is not open")));
        };
        let mut rest: &[u8] = &[text.as_bytes(), LINE_END].concat();
        let until = Instant::now() + WRITE_DEADLINE;
        while !rest.is_empty() {
            match open.writer.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                    if Instant::now() >= until {
                        let what = format!(
                            "the serial port {port} took no bytes for {} ms",
                            WRITE_DEADLINE.as_millis()
                        );
                        return Err(Fault::bench("console-blocked", what)
                            .with_help("check that nothing holds the line's flow control"));
                    }
                }
                Err(error) => return Err(gone(port, &error)),
            }
        }
        Ok(Reply::Ok)
    }
}

fn gone(port: &str, how: &dyn std::fmt::Display) -> Fault {
    Fault::bench("console-gone", format!("the serial port {port} is gone: {how}"))
        .with_help("check the cable between host and board")
}

/// What the thread that reads a port has.
struct Listener {
    port: String,
    log: String,
    outlet: Outlet,
    lines: LineBuffer,
    ending: Arc<AtomicBool>,
}

impl Listener {
    fn listen(self, mut from: Box<dyn SerialPort>) {
        let mut splitter = LineSplitter::default();
        let mut buffer = [0; 4096];
        let broken = loop {
            if self.ending.load(Ordering::Acquire) {
                break None;
            }
            match from.read(&mut buffer) {
                // A device that was unplugged reads as ended.
                Ok(0) => break Some("it was unplugged".to_owned()),
                Ok(length) => {
                    let bytes = &buffer[..length];
                    splitter.push(bytes, self.outlet.now(), |line| self.tell(line));
                    self.outlet.chunk(&self.log, bytes.to_vec());
                }
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        if let Some(line) = splitter.finish() {
            self.tell(line);
        }
        if let Some(how) = broken {
            self.outlet.event(None, Event::Fault { fault: gone(&self.port, &how) });
            self.lines.close(how);
        } else {
            self.lines.close("the agent ends");
        }
    }

    fn tell(&self, line: Line) {
        let event = Event::Line { stream: "console".to_owned(), text: line.text.clone() };
        self.outlet.event_at(line.t, None, event);
        self.lines.push(line);
    }
}
