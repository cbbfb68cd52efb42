//! What an attempt observed: every flow with its time in the run, its phase and step, and who talked.
//!
//! A pure function of the event log and of what was read from the captures. It judges nothing, reads no clock and does
//! no I/O. Everything here is said in roles and in times since the attempt began, so that a live run and the replay of
//! its recording come out the same, byte for byte.

mod heard;
mod line;
mod sides;
mod talker;
mod timeline;

use std::net::SocketAddr;

use lab_observe::{FlowRecord, Observation};
use lab_protocol::Entry;

pub use heard::Heard;
pub use line::{names_in_roles, render_jsonl, server_in_roles};
pub use sides::Sides;
pub use talker::{Confidence, Role, Talker};
pub use timeline::{Since, Span, StepSpan, Timeline, seconds};

#[cfg(test)]
pub(crate) mod support;
#[cfg(test)]
mod tests;

/// All that is known of one attempt: its event log, and what its captures hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counts from 1 in a run.
    pub number: u32,
    /// Which of the plan's repeats it belongs to, from 1.
    pub repeat: u32,
    /// The event log, in its order.
    pub entries: Vec<Entry>,
    /// The captures, in any order.
    pub captures: Vec<Capture>,
    /// A later attempt replaces this one because of a bench fault. What it saw is judged all the same.
    pub retried: bool,
}

/// What one capture holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// The vantage point's name.
    pub vantage: String,
    /// The file within the attempt's directory, `captures/phone.pcapng`.
    pub file: String,
    /// What was read from it.
    pub observation: Observation,
}

/// What an attempt observed, attributed.
#[derive(Debug, Clone)]
pub struct AttemptObservation<'a> {
    /// The attempt's number.
    pub number: u32,
    /// Its repeat.
    pub repeat: u32,
    /// A later attempt replaces it.
    pub retried: bool,
    /// The kind of bench, from the log's first event; `None` where the log has none.
    pub bench: Option<String>,
    /// What of its event log counts.
    pub heard: Heard<'a>,
    /// Phases, steps and stimuli.
    pub timeline: Timeline,
    /// Who is where.
    pub sides: Sides,
    /// Every flow, by time.
    pub flows: Vec<AttributedFlow<'a>>,
}

/// A flow with its place in the run.
#[derive(Debug, Clone)]
pub struct AttributedFlow<'a> {
    /// As it was read from the capture.
    pub record: &'a FlowRecord,
    /// The capture's file.
    pub file: &'a str,
    /// The vantage point that saw it.
    pub vantage: &'a str,
    /// First packet, nanoseconds since the attempt's epoch.
    pub t_ns: u64,
    /// Last packet, nanoseconds since the attempt's epoch.
    pub last_ns: u64,
    /// The phase of the first packet; `setup` and `teardown` are the lab's own.
    pub phase: String,
    /// Label of the step that was under way, or the last one that was begun, at the first packet.
    pub step: Option<String>,
    /// The last stimulus before the first packet.
    pub since: Option<Since>,
    /// Who opened it.
    pub talker: Talker,
    /// The client's look-ups can't have been missed: the capture ran before the client was started.
    pub whole_life: bool,
}

/// Attributes every flow of an attempt to a phase, a step and a talker.
pub fn attribute(attempt: &Attempt) -> AttemptObservation<'_> {
    let heard = Heard::of(&attempt.entries);
    let timeline = Timeline::of(&heard);
    let sides = Sides::of(&heard);
    let mut flows = Vec::new();
    for capture in &attempt.captures {
        let whole_life = timeline.covers_whole_life(&capture.vantage);
        for record in &capture.observation.flows {
            let t_ns = timeline.since_epoch(record.first_ns);
            let talker = talker::of(record, t_ns, &sides, &timeline);
            flows.push(AttributedFlow {
                record,
                file: &capture.file,
                vantage: &capture.vantage,
                t_ns,
                last_ns: timeline.since_epoch(record.last_ns),
                phase: timeline.phase_at(t_ns).to_owned(),
                step: timeline.step_at(t_ns).map(|step| step.label.clone()),
                since: timeline.since_stimulus(t_ns),
                whole_life: whole_life && sides.knows_start(record),
                talker,
            });
        }
    }
    // One order, whatever order flows and captures came in.
    flows.sort_by(|a, b| order(a).cmp(&order(b)));
    AttemptObservation {
        number: attempt.number,
        repeat: attempt.repeat,
        retried: attempt.retried,
        bench: timeline.bench.clone(),
        heard,
        timeline,
        sides,
        flows,
    }
}

fn order<'a>(flow: &AttributedFlow<'a>) -> (u64, &'a str, [u64; 2], SocketAddr, SocketAddr, u64) {
    let record = flow.record;
    (flow.t_ns, flow.vantage, record.frames, record.server, record.client, record.flow)
}
