//! The event log: one entry a line, in the order in which the lab learned of things.

use serde::{Deserialize, Serialize};

use crate::{Command, Event, Source};

/// A line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 in an attempt.
    pub seq: u64,
    /// Nanoseconds since the attempt's epoch at which it happened (not at which it was learned).
    pub t: u64,
    /// Who says so.
    pub source: Source,
    /// The command that it belongs to, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What.
    pub body: Body,
}

/// A command that went out, or an event that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// Sent to `Command::to`.
    Command(Command),
    /// Came from the entry's source.
    Event(Event),
}
