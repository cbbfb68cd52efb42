//! The recorded bench: plays an event log back to the engine.
//!
//! It is one more carrier and nothing else: it answers each command with what was recorded, provided that it is the
//! command that was recorded. It opens nothing and waits for nothing.

use lab_protocol::{Action, Body, Command, Entry};

use super::{Bench, BenchError, Happening};

/// Plays one attempt.
#[derive(Debug)]
pub struct RecordedBench<'a> {
    entries: &'a [Entry],
    at: usize,
    step: (String, String),
}

impl<'a> RecordedBench<'a> {
    /// A bench on which exactly this happens.
    pub fn new(entries: &'a [Entry]) -> Self {
        Self { entries, at: 0, step: ("setup".into(), "begin".into()) }
    }

    fn differs(&self, wanted: String, recorded: Option<&Command>) -> BenchError {
        BenchError::Differs {
            phase: self.step.0.clone(),
            step: self.step.1.clone(),
            wanted,
            recorded: recorded.map(describe),
        }
    }
}

/// A command as it stands in the log: what it asks for, and of whom.
fn describe(command: &Command) -> String {
    if let Action::Phase { name } = &command.action {
        return format!("that the phase {name:?} begins");
    }
    let action = serde_json::to_string(&command.action).unwrap_or_default();
    format!("{action} for {} in phase {:?}", command.to, command.step.phase)
}

impl Bench for RecordedBench<'_> {
    fn send(&mut self, command: &Command) -> Result<u64, BenchError> {
        self.step = (command.step.phase.clone(), command.step.label.clone());
        match self.entries.get(self.at) {
            // The deadline is a matter of this desk's patience, the label one of words: neither changes what happened.
            Some(Entry { t, body: Body::Command(recorded), .. })
                if recorded.to == command.to
                    && recorded.action == command.action
                    && recorded.step.phase == command.step.phase =>
            {
                self.at += 1;
                Ok(*t)
            }
            _ => {
                let later = self.entries.get(self.at..).unwrap_or_default();
                let recorded = later.iter().find_map(|entry| match &entry.body {
                    Body::Command(recorded) => Some(recorded),
                    Body::Event(_) => None,
                });
                Err(self.differs(describe(command), recorded))
            }
        }
    }

    fn next(&mut self) -> Result<Happening, BenchError> {
        match self.entries.get(self.at) {
            Some(Entry { t, source, id, body: Body::Event(event), .. }) => {
                self.at += 1;
                Ok(Happening { t: *t, source: source.clone(), id: *id, event: event.clone() })
            }
            _ => Err(BenchError::CutShort {
                seq: self.at as u64,
                while_doing: format!("{}/{}", self.step.0, self.step.1),
            }),
        }
    }

    fn cancel(&mut self, _id: u64) {}

    fn end(&mut self) -> Result<Vec<Happening>, BenchError> {
        let mut rest = Vec::new();
        while let Some(entry) = self.entries.get(self.at) {
            if let Body::Command(recorded) = &entry.body {
                return Err(self.differs("that the run is over".into(), Some(recorded)));
            }
            rest.push(self.next()?);
        }
        Ok(rest)
    }
}
