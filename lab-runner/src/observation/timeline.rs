//! When what happened in an attempt: phases, steps and stimuli on the attempt's own clock. It knows no packets.

use lab_protocol::{Action, Body, Epoch, Event, Source};
use serde::{Deserialize, Serialize};

use super::Heard;
use crate::plan::SETUP;

/// A span of time with a name; it lasts until the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Nanoseconds since the epoch.
    pub from: u64,
}

/// A step, from its command to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSpan {
    /// The phase that it stands in.
    pub phase: String,
    /// Its place in the phase, from 0.
    pub index: u32,
    /// Its label.
    pub label: String,
    /// When its command went out.
    pub from: u64,
    /// When it ended; `None` where the log doesn't say.
    pub to: Option<u64>,
    /// Whether it ended well.
    pub done: bool,
    /// What a reader calls it as a stimulus; `None` where it makes nothing happen.
    stimulus: Option<&'static str>,
}

/// Time since the last stimulus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Since {
    /// What it was: `pairing`, `launch`, …
    pub stimulus: String,
    /// Seconds since it ended, in milliseconds' resolution; `None` while it was still under way.
    pub seconds: Option<f64>,
}

/// Phases, steps and stimuli of an attempt.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The kind of bench, where the log says.
    pub bench: Option<String>,
    /// Where times count from.
    pub epoch: Option<Epoch>,
    /// The phases, by time.
    pub phases: Vec<Span>,
    /// The steps, by time.
    pub steps: Vec<StepSpan>,
    /// When the companion was first launched.
    pub launched: Option<u64>,
    /// When the capture at each vantage point was acknowledged.
    capturing: Vec<(String, u64)>,
    /// The last moment that the lab itself tells of.
    last: u64,
}

impl Timeline {
    /// Reads it from what counts of an event log.
    pub fn of(heard: &Heard<'_>) -> Self {
        let mut timeline = Self::default();
        let mut steps: Vec<(u64, StepSpan)> = Vec::new();
        let mut phases: Vec<(u64, Span)> = Vec::new();
        let mut captures: Vec<(u64, String)> = Vec::new();
        for entry in &heard.entries {
            if entry.source == Source::lab() {
                timeline.last = timeline.last.max(entry.t);
            }
            match &entry.body {
                Body::Event(Event::Begin { bench, epoch, .. }) if timeline.epoch.is_none() => {
                    timeline.bench = Some(bench.clone());
                    timeline.epoch = Some(*epoch);
                }
                Body::Command(command) => match &command.action {
                    Action::Phase { name } => {
                        phases.push((command.id, Span { name: name.clone(), from: entry.t }));
                    }
                    action => {
                        match action {
                            Action::Launch { .. } => {
                                timeline.launched.get_or_insert(entry.t);
                            }
                            Action::StartCapture { vantage } => captures.push((command.id, vantage.clone())),
                            _ => {}
                        }
                        let span = StepSpan {
                            phase: command.step.phase.clone(),
                            index: command.step.index,
                            label: command.step.label.clone(),
                            from: entry.t,
                            to: None,
                            done: false,
                            stimulus: stimulus(action),
                        };
                        steps.push((command.id, span));
                    }
                },
                Body::Event(event @ (Event::Done { .. } | Event::Failed { .. } | Event::Cancelled)) => {
                    let Some(id) = entry.id else { continue };
                    let done = matches!(event, Event::Done { .. });
                    if let Some((_, step)) = steps.iter_mut().rev().find(|(of, _)| *of == id) {
                        step.to = Some(entry.t);
                        step.done = done;
                    }
                    if let Some((_, phase)) = phases.iter_mut().rev().find(|(of, _)| *of == id && done) {
                        phase.from = phase.from.max(entry.t);
                    }
                    if let Some((_, vantage)) = captures.iter().find(|(of, _)| *of == id && done) {
                        timeline.capturing.push((vantage.clone(), entry.t));
                    }
                }
                _ => {}
            }
        }
        timeline.phases = phases.into_iter().map(|(_, phase)| phase).collect();
        timeline.steps = steps.into_iter().map(|(_, step)| step).collect();
        timeline
    }

    /// Nanoseconds since the epoch for a packet's time stamp. What is older than the attempt counts as its beginning.
    pub fn since_epoch(&self, wall_ns: u64) -> u64 {
        wall_ns.saturating_sub(self.epoch.map_or(0, |epoch| epoch.wall_ns))
    }

    /// The phase at a moment.
    pub fn phase_at(&self, t: u64) -> &str {
        self.phases.iter().rev().find(|phase| phase.from <= t).map_or(SETUP, |phase| &phase.name)
    }

    /// The step under way at a moment, or the last one that was begun, within the moment's phase.
    pub fn step_at(&self, t: u64) -> Option<&StepSpan> {
        let phase = self.phase_at(t);
        self.steps.iter().rev().find(|step| step.from <= t).filter(|step| step.phase == phase)
    }

    /// The last stimulus at a moment: one under way, else the one that ended last.
    pub fn since_stimulus(&self, t: u64) -> Option<Since> {
        let step = self.steps.iter().rev().find(|step| step.from <= t && step.stimulus.is_some())?;
        let stimulus = step.stimulus?.to_owned();
        let seconds = step.to.filter(|end| *end <= t).map(|end| seconds(t - end));
        Some(Since { stimulus, seconds })
    }

    /// How long the attempt took, in nanoseconds, by the lab's own clock.
    pub fn duration(&self) -> u64 {
        self.last
    }

    /// Whether the capture at this vantage point ran before anything that is judged was started.
    pub fn covers_whole_life(&self, vantage: &str) -> bool {
        let Some((_, from)) = self.capturing.iter().find(|(name, _)| name == vantage) else { return false };
        let first_phase = self.phases.iter().find(|phase| phase.name != SETUP).map(|phase| phase.from);
        [self.launched, first_phase].into_iter().flatten().all(|start| *from <= start)
    }
}

/// Seconds, rounded to milliseconds, so that they are the same wherever they are written.
pub fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1000.0
}

/// What a reader calls an action that makes the product do something.
fn stimulus(action: &Action) -> Option<&'static str> {
    Some(match action {
        Action::Flash { .. } => "flashing",
        Action::Reset => "the reset",
        Action::SendLine { .. } => "the console input",
        Action::Pair { .. } => "pairing",
        Action::Connect { .. } => "connecting",
        Action::Write { .. } => "the write",
        Action::Launch { .. } => "the launch",
        Action::Stop { .. } => "the stop",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::support::Log;

    #[test]
    fn a_flow_belongs_to_the_phase_of_its_first_packet() {
        let log = Log::virtual_bench().phase(1_000, "baseline").phase(5_000, "pairing").end(9_000);
        let timeline = Timeline::of(&Heard::of(&log.entries));
        let at = |ms: u64| timeline.phase_at(ms * 1_000_000).to_owned();
        assert_eq!([at(10), at(1_000), at(4_999), at(5_000)], ["setup", "baseline", "baseline", "pairing"]);
    }

    #[test]
    fn time_counts_from_the_last_stimulus_that_ended() {
        let log = Log::virtual_bench().phase(1_000, "pairing").launch(1_100).pair(2_000, 3_000).end(9_000);
        let timeline = Timeline::of(&Heard::of(&log.entries));
        let since = |ms: u64| timeline.since_stimulus(ms * 1_000_000).expect("a stimulus");
        assert_eq!(since(4_200), Since { stimulus: "pairing".into(), seconds: Some(1.2) });
        assert_eq!(since(2_500), Since { stimulus: "pairing".into(), seconds: None });
        assert_eq!(since(1_900).stimulus, "the launch");
        assert!(timeline.since_stimulus(500_000_000).is_none());
    }
}
