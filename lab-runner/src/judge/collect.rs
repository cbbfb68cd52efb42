//! Findings gathered: the same thing seen again counts up instead of repeating itself.

use std::cmp::Reverse;
use std::net::IpAddr;

use lab_observe::Name;

use super::places::{Places, keep};
use super::verdict::{Considered, Finding, Outcome};
use crate::observation::{Attempt, Since, Talker, seconds};

/// A finding before it is known how often it was seen.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) rule: &'static str,
    pub(super) severity: Outcome,
    pub(super) title: String,
    pub(super) evidence: Vec<String>,
    pub(super) help: Option<String>,
    pub(super) manifest: Option<String>,
    pub(super) considered: Vec<Considered>,
    pub(super) would_go: Option<String>,
    pub(super) suggestion: Option<String>,
    pub(super) flow: Option<FlowPart>,
    /// What tells it from others of its rule; the title where nothing else does.
    pub(super) same: Option<String>,
    t: Option<u64>,
    phase: Option<String>,
    step: Option<String>,
}

/// What a finding about a flow says of it.
#[derive(Debug, Clone)]
pub(super) struct FlowPart {
    pub(super) talker: Talker,
    pub(super) since: Option<Since>,
    pub(super) endpoint: String,
    /// The far end's, where it isn't the product's own.
    pub(super) address: Option<IpAddr>,
    pub(super) transport: String,
    pub(super) capture: String,
    pub(super) frames: [u64; 2],
    pub(super) packets: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) names: Vec<Name>,
}

impl Draft {
    pub(super) fn new(rule: &'static str, severity: Outcome, title: impl Into<String>) -> Self {
        Self {
            rule,
            severity,
            title: title.into(),
            evidence: Vec::new(),
            help: None,
            manifest: None,
            considered: Vec::new(),
            would_go: None,
            suggestion: None,
            flow: None,
            same: None,
            t: None,
            phase: None,
            step: None,
        }
    }

    pub(super) fn at(mut self, t: u64, phase: &str, step: Option<String>) -> Self {
        self.t = Some(t);
        self.phase = Some(phase.into());
        self.step = step;
        self
    }

    fn key(&self) -> (Outcome, &str, &str) {
        (self.severity, self.rule, self.same.as_deref().unwrap_or(&self.title))
    }
}

/// All findings of a run.
#[derive(Debug, Default)]
pub(super) struct Collector {
    found: Vec<Gathered>,
    places: Places,
}

#[derive(Debug)]
struct Gathered {
    finding: Finding,
    same: Option<String>,
    repeats: Vec<u32>,
}

impl Collector {
    /// Adds one that an attempt showed.
    pub(super) fn add(&mut self, attempt: &Attempt, draft: Draft) {
        self.gather(draft, Some((attempt.number, attempt.repeat)));
    }

    /// Adds one that the run as a whole shows.
    pub(super) fn add_for_run(&mut self, draft: Draft) {
        self.gather(draft, None);
    }

    fn gather(&mut self, draft: Draft, of: Option<(u32, u32)>) {
        let (packets, bytes) =
            draft.flow.as_ref().map_or(([0; 2], [0; 2]), |flow| (flow.packets, flow.bytes));
        let found = &mut self.found;
        let key = draft.key();
        let place = self.places.of(key, found.len(), |place| found[place].key() == key);
        if place == found.len() {
            found.push(Gathered::of(draft));
        }
        let Gathered { finding, repeats, .. } = &mut found[place];
        finding.count += 1;
        finding.packets = finding.packets.map(|known| sum(known, packets));
        finding.bytes = finding.bytes.map(|known| sum(known, bytes));
        if let Some((attempt, repeat)) = of {
            keep(&mut finding.attempts, attempt);
            keep(repeats, repeat);
        }
    }

    /// The findings, worst first; within a severity in the order in which they were first seen.
    pub(super) fn finish(self, repeats: u32) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.found.into_iter().map(|gathered| gathered.finish(repeats)).collect();
        // Findings are large: their order is found first, and each is moved but once.
        findings.sort_by_cached_key(|finding| Reverse(finding.severity));
        findings
    }
}

impl Gathered {
    /// Of the first one; nothing of it is counted yet.
    fn of(first: Draft) -> Self {
        let finding = Finding {
            t: first.t.map(seconds),
            phase: first.phase,
            step: first.step,
            manifest: first.manifest,
            considered: first.considered,
            would_go: first.would_go,
            suggestion: first.suggestion,
            evidence: first.evidence,
            help: first.help,
            count: 0,
            ..Finding::of_run(first.rule, first.severity, first.title)
        };
        let finding = match first.flow {
            Some(flow) => Finding {
                talker: Some(flow.talker),
                since: flow.since,
                endpoint: Some(flow.endpoint),
                address: flow.address,
                transport: Some(flow.transport),
                capture: Some(flow.capture),
                frames: Some(flow.frames),
                packets: Some([0; 2]),
                bytes: Some([0; 2]),
                names: flow.names,
                ..finding
            },
            None => finding,
        };
        Self { finding, same: first.same, repeats: Vec::new() }
    }

    fn key(&self) -> (Outcome, &str, &str) {
        let finding = &self.finding;
        (finding.severity, &finding.rule, self.same.as_deref().unwrap_or(&finding.title))
    }

    fn finish(self, repeats: u32) -> Finding {
        Finding { seen_in: [self.repeats.len() as u32, repeats], ..self.finding }
    }
}

/// Both directions added up.
pub(super) fn sum(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0].saturating_add(b[0]), a[1].saturating_add(b[1])]
}
