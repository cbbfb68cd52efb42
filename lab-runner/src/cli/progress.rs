//! What a person sees on stderr while a plan runs: a line a step, with its time and how it ended.

use std::io::{self, IsTerminal, Write};

use lab_protocol::{Body, Command, Entry, Event, Fault, Reply};

use crate::record::Watcher;

/// Prints progress.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    /// On a terminal, the step under way is shown until its own line replaces it.
    live: bool,
    command: Option<(Command, u64)>,
    shown_phase: String,
}

impl Progress {
    /// To stderr, or nowhere.
    pub fn new(quiet: bool) -> Self {
        let live = !quiet && io::stderr().is_terminal();
        Self { quiet, live, command: None, shown_phase: String::new() }
    }

    fn begin(&mut self, command: &Command, t: u64) -> io::Result<()> {
        if self.live {
            write!(io::stderr(), "\r\x1b[K  {:12} {} …", command.step.phase, command.step.label)?;
        }
        self.command = Some((command.clone(), t));
        Ok(())
    }

    fn end(&mut self, t: u64, how: &str) -> io::Result<()> {
        let Some((command, since)) = self.command.take() else { return Ok(()) };
        let mut err = io::stderr();
        if self.live {
            write!(err, "\r\x1b[K")?;
        }
        // Each phase is named once; what the lab does for itself is told only where it went wrong.
        let own =
            matches!(command.step.phase.as_str(), "setup" | "teardown") || command.step.label == "begin";
        if own && how == "ok" {
            return Ok(());
        }
        let phase = if self.shown_phase == command.step.phase { "" } else { command.step.phase.as_str() };
        writeln!(
            err,
            "{:8.2}s  {phase:13} {:20} {how}  {:.2} s",
            seconds(since),
            command.step.label,
            seconds(t.saturating_sub(since)),
        )?;
        self.shown_phase = command.step.phase;
        Ok(())
    }

    fn fault(&self, fault: &Fault) -> io::Result<()> {
        let mut err = io::stderr();
        for line in fault.message.lines() {
            writeln!(err, "           {}", printable(line))?;
        }
        fault.help.iter().try_for_each(|help| writeln!(err, "           help: {}", printable(help)))
    }
}

impl Watcher for Progress {
    fn saw(&mut self, entry: &Entry) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        // A terminal that went away must not end a run.
        let _ = match &entry.body {
            Body::Command(command) => self.begin(command, entry.t),
            Body::Event(Event::Done { reply }) => {
                let how = match reply {
                    Reply::Flashed { written: false, .. } => "ok, was there already",
                    _ => "ok",
                };
                self.end(entry.t, how)
            }
            Body::Event(Event::Failed { fault }) => {
                self.end(entry.t, "FAILED").and_then(|()| self.fault(fault))
            }
            Body::Event(Event::Fault { fault }) => {
                self.end(entry.t, "broken off").and_then(|()| self.fault(fault))
            }
            Body::Event(Event::Cancelled) => self.end(entry.t, "cancelled"),
            _ => Ok(()),
        };
        Ok(())
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Messages may quote what a watch or an app said.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
