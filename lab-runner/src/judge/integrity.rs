//! Whether an attempt saw all that it had to see. Every gap is a reason not to pass.

use std::collections::{BTreeMap, BTreeSet};

use lab_protocol::{Action, AgentKind, Body, Entry, Event, Fault, FaultKind, StepRef};

use super::captures::captures;
use super::collect::{Collector, Draft};
use super::verdict::Outcome;
use super::words::printable;
use super::{Grounds, JudgeInput, policy};
use crate::observation::{Attempt, AttemptObservation, Heard};
use crate::plan::{Plan, SETUP, TEARDOWN};

/// The rule, and the fault's code, for what was said by somebody who could not know it.
const FORGED: &str = "forged-event";

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
    grounds: Grounds,
    input: &JudgeInput<'_>,
    attempt: &Attempt,
    observed: &AttemptObservation<'_>,
    captures_matter: bool,
    collector: &mut Collector,
) -> Worth {
    let mut gaps = Gaps { observed, found: Vec::new() };
    if grounds == Grounds::Run {
        log(input.plan, &mut gaps);
    }
    if captures_matter {
        captures(grounds, attempt, &mut gaps);
    }
    // The capture itself says more than the agent that waited for the same canary.
    if gaps.found.iter().any(|draft| draft.rule == "no-canary") {
        gaps.found.retain(|draft| !draft.evidence.iter().any(|one| one == "code canary-missing"));
    }
    let worth = if gaps.found.is_empty() { Worth::Whole } else { Worth::Partial };
    for mut draft in gaps.found {
        // What the product did wrong stands, whatever the bench did afterwards.
        if !attempt.retried || draft.severity == Outcome::Fail {
            draft.severity = policy::severity(&input.manifest.policy, draft.rule, draft.severity, None);
            collector.add(attempt, draft);
        }
    }
    worth
}

/// The fault of the bench for which an attempt was replaced, in words.
pub(super) fn bench_fault(heard: &Heard<'_>) -> Option<String> {
    heard.events().find_map(|(_, event)| match event {
        Event::Failed { fault } | Event::Fault { fault } if fault.kind == FaultKind::Bench => {
            Some(printable(&fault.message))
        }
        _ => None,
    })
}

/// What an attempt is missing, as it is found.
pub(super) struct Gaps<'o, 'a> {
    pub(super) observed: &'o AttemptObservation<'a>,
    found: Vec<Draft>,
}

impl Gaps<'_, '_> {
    pub(super) fn doubt(&mut self, rule: &'static str, title: impl Into<String>) -> &mut Draft {
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

fn log(plan: &Plan, gaps: &mut Gaps<'_, '_>) {
    let observed = gaps.observed;
    let mut open: BTreeMap<u64, &StepRef> = BTreeMap::new();
    let mut done: BTreeSet<(&str, u32)> = BTreeSet::new();
    let mut steps: BTreeMap<u64, (&str, u32)> = BTreeMap::new();
    let (mut begun, mut ended, mut interrupted, mut faults) = (false, false, false, 0);
    let causes = Causes::of(&observed.heard);
    for entry in &observed.heard.entries {
        let event = match &entry.body {
            Body::Command(command) => {
                let step = &command.step;
                open.insert(command.id, step);
                // The lab's own commands are no steps of the plan.
                if !matches!(command.action, Action::Phase { .. })
                    && ![SETUP, TEARDOWN].contains(&step.phase.as_str())
                {
                    steps.insert(command.id, (&step.phase, step.index));
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
                done.extend(entry.id.and_then(|id| steps.get(&id)));
            }
            Event::Cancelled => {
                close(&mut open, entry.id);
            }
            Event::Exited { .. } if of_services(entry) && causes.bench_fault => {}
            Event::Exited { what, status } => gaps.at(entry.t, of_exit(of_services(entry), what, status)),
            _ => {}
        }
    }
    for entry in &observed.heard.forged {
        gaps.at(entry.t, of_forged(entry));
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
        let mut missing = missing.filter(|(phase, index, _)| !done.contains(&(phase.name.as_str(), *index)));
        if let Some((phase, index, step)) = missing.next() {
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
    fn of(heard: &Heard<'_>) -> Self {
        let any = |is: &dyn Fn(&Entry, &Event) -> bool| heard.events().any(|(entry, event)| is(entry, event));
        Self {
            app_exited: any(&|entry, event| matches!(event, Event::Exited { .. }) && !of_services(entry)),
            bench_fault: any(
                &|_, event| matches!(event, Event::Fault { fault } if fault.kind == FaultKind::Bench),
            ),
            interrupted: any(&|_, event| matches!(event, Event::Interrupted)),
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
        FaultKind::Doubt if fault.code == FORGED => (FORGED, Outcome::Inconclusive),
        FaultKind::Doubt => ("not-seen", Outcome::Inconclusive),
    };
    let mut draft = Draft::new(rule, severity, printable(&fault.message));
    draft.evidence.push(format!("code {}", printable(&fault.code)));
    draft.help = fault.help.as_deref().map(printable);
    draft
}

/// Whether a program that ended belongs to the bench's network. An app may be called anything.
fn of_services(entry: &Entry) -> bool {
    entry.source.kind == AgentKind::Network
}

fn of_exit(of_services: bool, what: &str, status: &str) -> Draft {
    let title = format!("{} ended by itself: {}", printable(what), printable(status));
    if of_services {
        return Draft::new("bench-fault", Outcome::BenchFault, title);
    }
    let mut draft = Draft::new("companion-exited", Outcome::Inconclusive, title);
    draft.evidence.push("what it would have done afterwards was not seen".into());
    draft
}

fn of_forged(entry: &Entry) -> Draft {
    let what = match &entry.body {
        Body::Command(_) => "gave a command in the lab's name",
        Body::Event(Event::Begin { .. } | Event::Interrupted | Event::End) => "spoke in the lab's name",
        Body::Event(_) => "answered a command that it was not asked, or that had ended",
    };
    let title = format!("{} {what}: it does not count", printable(&entry.source.to_string()));
    let mut draft = Draft::new(FORGED, Outcome::Inconclusive, title);
    draft.evidence.push(format!("entry {} of the event log", entry.seq));
    draft.help = Some("an agent is broken, or a program got at its control line: look at the bench".into());
    draft
}
