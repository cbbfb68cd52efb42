//! Whether an attempt saw all that it had to see. Every gap is a reason not to pass.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::{MacAddr, Observation};
use lab_protocol::{Action, Body, Event, Fault, FaultKind, Reply, StepRef};

use super::collect::{Collector, Draft};
use super::verdict::Outcome;
use super::words::printable;
use crate::observation::{Attempt, AttemptObservation, Capture};
use crate::plan::Plan;

/// EtherTypes that carry no channel of the product's: ARP, 802.1X, LLDP, and the lab's own canary.
const HARMLESS_ETHER_TYPES: [&str; 4] = ["0x0806", "0x888e", "0x88cc", "0x88b5"];

/// What the services behind the bench's network are called in the log.
const SERVICES: &str = "services";

/// What an attempt is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It ran to its end, and nothing was missing.
    Whole,
    /// Something went wrong or missing, so that what didn't show up proves nothing.
    Partial,
}

/// Looks at an attempt's log and captures. Findings of an attempt that was replaced are dropped: its replacement
/// answers for them.
pub(super) fn check(
    plan: &Plan,
    attempt: &Attempt,
    observed: &AttemptObservation<'_>,
    captures_matter: bool,
    collector: &mut Collector,
) -> Worth {
    let mut gaps = Gaps { observed, found: Vec::new() };
    log(plan, attempt, &mut gaps);
    if captures_matter {
        captures(attempt, &mut gaps);
    }
    // The capture itself says more than the agent that waited for the same canary.
    if gaps.found.iter().any(|draft| draft.rule == "no-canary") {
        gaps.found.retain(|draft| !draft.evidence.iter().any(|one| one == "code canary-missing"));
    }
    let worth = if gaps.found.is_empty() { Worth::Whole } else { Worth::Partial };
    for draft in gaps.found {
        // What the product did wrong stands, whatever the bench did afterwards.
        if !attempt.retried || draft.severity == Outcome::Fail {
            collector.add(attempt, draft);
        }
    }
    worth
}

/// Whether packets of this capture are known to be missing, so that a look-up may be among them.
pub(super) fn misses_packets(attempt: &Attempt, capture: &Capture) -> bool {
    let summary = &capture.observation.summary;
    let (lost, written) = counted(attempt, capture);
    !summary.complete()
        || summary.unparsed_packets > 0
        || lost > 0
        || written.is_some_and(|written| written > summary.packets)
}

/// The fault of the bench for which an attempt was replaced, in words.
pub(super) fn bench_fault(attempt: &Attempt) -> Option<String> {
    attempt.entries.iter().find_map(|entry| match &entry.body {
        Body::Event(Event::Failed { fault } | Event::Fault { fault }) if fault.kind == FaultKind::Bench => {
            Some(printable(&fault.message))
        }
        _ => None,
    })
}

struct Gaps<'o, 'a> {
    observed: &'o AttemptObservation<'a>,
    found: Vec<Draft>,
}

impl Gaps<'_, '_> {
    fn doubt(&mut self, rule: &str, title: impl Into<String>) -> &mut Draft {
        self.add(Draft::new(rule, Outcome::Inconclusive, title))
    }

    fn add(&mut self, draft: Draft) -> &mut Draft {
        self.found.push(draft);
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn at(&mut self, t: u64, draft: Draft) {
        let timeline = &self.observed.timeline;
        let step = timeline.step_at(t).map(|step| step.label.clone());
        self.add(draft.at(t, timeline.phase_at(t), step));
    }
}

fn log(plan: &Plan, attempt: &Attempt, gaps: &mut Gaps<'_, '_>) {
    let mut open: BTreeMap<u64, &StepRef> = BTreeMap::new();
    let mut done: BTreeSet<(String, u32)> = BTreeSet::new();
    let mut steps: BTreeMap<u64, (String, u32)> = BTreeMap::new();
    let (mut begun, mut ended, mut interrupted, mut faults) = (false, false, false, 0);
    let causes = Causes::of(attempt);
    for entry in &attempt.entries {
        let event = match &entry.body {
            Body::Command(command) => {
                open.insert(command.id, &command.step);
                if !matches!(command.action, Action::Phase { .. }) {
                    steps.insert(command.id, (command.step.phase.clone(), command.step.index));
                }
                continue;
            }
            Body::Event(event) => event,
        };
        match event {
            Event::Begin { .. } => begun = true,
            Event::End => ended = true,
            Event::Interrupted => interrupted = true,
            Event::Fault { fault } => {
                faults += 1;
                gaps.at(entry.t, of_fault(fault));
            }
            Event::Failed { fault } => {
                faults += 1;
                let step = close(&mut open, entry.id);
                if !causes.explain(fault) {
                    let mut draft = of_fault(fault);
                    if let Some(step) = step {
                        draft.title = format!("{}: {}", printable(&step.label), draft.title);
                    }
                    gaps.at(entry.t, draft);
                }
            }
            Event::Done { .. } => {
                close(&mut open, entry.id);
                done.extend(entry.id.and_then(|id| steps.get(&id)).cloned());
            }
            Event::Cancelled => {
                close(&mut open, entry.id);
            }
            Event::Exited { what, .. } if what == SERVICES && causes.bench_fault => {}
            Event::Exited { what, status } => gaps.at(entry.t, of_exit(what, status)),
            _ => {}
        }
    }
    if interrupted {
        gaps.doubt("interrupted", "the run was interrupted").help = Some("run it again".into());
    }
    if !begun {
        gaps.doubt("log-without-beginning", "the event log has no beginning: it is empty or damaged");
    }
    if !ended && !interrupted {
        let title = "the run ended before its end: it was killed, or its event log was cut";
        gaps.doubt("run-cut-short", title).help = Some("run it again".into());
    }
    if ended && let Some(step) = open.values().next() {
        gaps.doubt(
            "command-unanswered",
            format!("{}/{} was begun and never ended", printable(&step.phase), printable(&step.label)),
        );
    }
    if ended && faults == 0 && !interrupted {
        let missing = plan.phases.iter().flat_map(|phase| {
            phase.steps.iter().enumerate().map(move |(index, step)| (phase, index as u32, step))
        });
        let missing = missing.filter(|(phase, index, _)| !done.contains(&(phase.name.clone(), *index)));
        if let Some((phase, index, step)) = missing.into_iter().next() {
            let what = step.action.word();
            let title =
                format!("phase {}: step {} ({what}) was not carried out", printable(&phase.name), index + 1);
            gaps.doubt("steps-not-run", title).help = Some("run the whole plan, without --until".into());
        }
    }
}

/// What else of an attempt a fault may only repeat, so that one cause is told once.
struct Causes {
    app_exited: bool,
    bench_fault: bool,
    interrupted: bool,
}

impl Causes {
    fn of(attempt: &Attempt) -> Self {
        let any = |is: &dyn Fn(&Event) -> bool| {
            attempt.entries.iter().any(|entry| matches!(&entry.body, Body::Event(event) if is(event)))
        };
        Self {
            app_exited: any(&|event| matches!(event, Event::Exited { what, .. } if what != SERVICES)),
            bench_fault: any(
                &|event| matches!(event, Event::Fault { fault } if fault.kind == FaultKind::Bench),
            ),
            interrupted: any(&|event| matches!(event, Event::Interrupted)),
        }
    }

    /// Whether a doubt is only what another event led to: waiting for an app that ended, or being called off.
    fn explain(&self, fault: &Fault) -> bool {
        fault.kind == FaultKind::Doubt
            && match fault.code.as_str() {
                "app-ended" => self.app_exited,
                "cancelled" => self.bench_fault || self.interrupted,
                _ => false,
            }
    }
}

/// The step of a command that ended.
fn close<'a>(open: &mut BTreeMap<u64, &'a StepRef>, id: Option<u64>) -> Option<&'a StepRef> {
    open.remove(&id?)
}

fn of_fault(fault: &Fault) -> Draft {
    let (rule, severity) = match fault.kind {
        FaultKind::Product => ("expectation-unmet", Outcome::Fail),
        FaultKind::Bench => ("bench-fault", Outcome::BenchFault),
        FaultKind::Doubt => ("not-seen", Outcome::Inconclusive),
    };
    let mut draft = Draft::new(rule, severity, printable(&fault.message));
    draft.evidence.push(format!("code {}", printable(&fault.code)));
    draft.help = fault.help.as_deref().map(printable);
    draft
}

fn of_exit(what: &str, status: &str) -> Draft {
    let title = format!("{} ended by itself: {}", printable(what), printable(status));
    if what == SERVICES {
        return Draft::new("bench-fault", Outcome::BenchFault, title);
    }
    let mut draft = Draft::new("companion-exited", Outcome::Inconclusive, title);
    draft.evidence.push("what it would have done afterwards was not seen".into());
    draft
}

fn captures(attempt: &Attempt, gaps: &mut Gaps<'_, '_>) {
    if attempt.captures.is_empty() {
        gaps.doubt("no-capture", "nothing was captured, so that nothing can be said about endpoints");
        return;
    }
    let started: BTreeSet<&str> = attempt
        .entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::Command(command) => match &command.action {
                Action::StartCapture { vantage } => Some(vantage.as_str()),
                _ => None,
            },
            Body::Event(_) => None,
        })
        .collect();
    let wanted = gaps.observed.sides.vantages.iter().map(|vantage| vantage.name.clone());
    let wanted: BTreeSet<String> = wanted.chain(started.iter().map(|name| (*name).to_owned())).collect();
    for vantage in &wanted {
        if !attempt.captures.iter().any(|capture| capture.vantage == *vantage) {
            let title = format!("the capture at {} is missing", printable(vantage));
            gaps.doubt("capture-missing", title);
        }
    }
    let unwatched: Vec<String> = gaps.observed.sides.unwatched().map(printable).collect();
    for side in unwatched {
        gaps.doubt(
            "side-unwatched",
            format!("nothing captures what the {side} sends: its traffic was not seen"),
        );
    }
    for capture in &attempt.captures {
        counters(attempt, capture, gaps);
        read_whole(attempt, capture, gaps);
        canaries(attempt, capture, gaps);
    }
}

/// What the capturing system counted, against what is in the file.
fn counters(attempt: &Attempt, capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let at = printable(&capture.vantage);
    let (lost, written) = counted(attempt, capture);
    if lost > 0 {
        let title = format!("{lost} packets were dropped at {at}: something may have gone unseen");
        gaps.doubt("packets-dropped", title).help =
            Some("give the capture a larger buffer, or the host less else to do, and run again".into());
    }
    let there = capture.observation.summary.packets;
    match written {
        None => {
            gaps.doubt("capture-not-ended", format!("the capture at {at} was never ended in order"));
        }
        Some(written) if written != there => {
            let title = format!("{written} frames were captured at {at}, and the file holds {there}");
            gaps.doubt("frames-missing", title);
        }
        Some(_) => {}
    }
}

/// Packets lost, and frames written where the capture was ended in order.
fn counted(attempt: &Attempt, capture: &Capture) -> (u64, Option<u64>) {
    let (mut lost, mut written) = (0, None);
    for entry in &attempt.entries {
        let Body::Event(event) = &entry.body else { continue };
        match event {
            Event::CaptureStats { vantage, dropped, if_dropped, .. } if *vantage == capture.vantage => {
                lost = lost.max(dropped.saturating_add(*if_dropped));
            }
            Event::Done { reply: Reply::Captured { vantage, dropped, if_dropped, written: frames, .. } }
                if *vantage == capture.vantage =>
            {
                lost = lost.max(dropped.saturating_add(*if_dropped));
                written = Some(*frames);
            }
            _ => {}
        }
    }
    (lost, written)
}

/// What the file itself says about what is missing.
fn read_whole(attempt: &Attempt, capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let summary = &capture.observation.summary;
    let at = printable(&capture.vantage);
    if summary.cut {
        let why = summary.cut_reason.as_deref().unwrap_or("it ends within a record");
        gaps.doubt("capture-cut", format!("the capture at {at} is damaged: {}", printable(why)));
    }
    // The log's counters and the file's are of the same buffer: told once.
    if summary.drops.unwrap_or(0) > counted(attempt, capture).0 {
        let title = format!("{} packets were dropped at {at}, says its file", summary.drops.unwrap_or(0));
        gaps.doubt("packets-dropped", title);
    }
    let given_up = summary.flows_refused + summary.streams_evicted + summary.names_evicted;
    if given_up > 0 {
        let title =
            format!("the capture at {at} holds more than could be followed: {given_up} things were given up");
        gaps.doubt("observation-incomplete", title);
    }
    let unknown: Vec<&str> = summary
        .ether_types
        .iter()
        .filter(|(kind, count)| {
            **count > 0 && !HARMLESS_ETHER_TYPES.contains(&kind.to_ascii_lowercase().as_str())
        })
        .map(|(kind, _)| kind.as_str())
        .collect();
    if summary.unparsed_packets > 0 || summary.unparsed_bytes > 0 || !unknown.is_empty() {
        let mut title = format!("the capture at {at} holds frames that could not be read");
        if !unknown.is_empty() {
            title.push_str(&format!(" (EtherType {})", printable(&unknown.join(", "))));
        }
        gaps.doubt("frames-unreadable", title);
    }
}

/// Every canary that was sent has to be in the capture, from both ends; one of them before the first phase.
fn canaries(attempt: &Attempt, capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let at = printable(&capture.vantage);
    let first_phase =
        gaps.observed.timeline.phases.iter().find(|phase| phase.name != crate::observation::SETUP);
    let first_phase = first_phase.map_or(u64::MAX, |phase| phase.from);
    let (mut proven_before, mut unseen) = (false, 0);
    for entry in &attempt.entries {
        let Body::Event(Event::Done { reply: Reply::CanarySent { nonce } }) = &entry.body else { continue };
        if seen_both_ways(&capture.observation, nonce) {
            proven_before |= entry.t <= first_phase;
        } else {
            unseen += 1;
        }
    }
    if unseen > 0 || !proven_before {
        let title = if unseen > 0 {
            format!(
                "the capture at {at} doesn't hold the canary of both directions: it may not see all traffic"
            )
        } else {
            format!("no canary showed before the first step that the capture at {at} sees traffic")
        };
        gaps.doubt("no-canary", title).help = Some("check what the capture interface is connected to".into());
    }
}

/// A canary's payload is its nonce and one byte for the direction.
fn seen_both_ways(observation: &Observation, nonce: &str) -> bool {
    let mut ways: BTreeSet<u8> = BTreeSet::new();
    let mut senders: BTreeSet<MacAddr> = BTreeSet::new();
    let length = nonce.len() / 2;
    for frame in &observation.canaries {
        let Some((head, rest)) = frame.payload.split_at_checked(length) else { continue };
        let hex: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(way) = rest.first()
            && length >= 8
            && hex.eq_ignore_ascii_case(nonce)
        {
            ways.insert(*way);
            senders.insert(frame.src_mac);
        }
    }
    ways.len() >= 2 && senders.len() >= 2
}
