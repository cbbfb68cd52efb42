//! Findings gathered: the same thing seen again counts up instead of repeating itself.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use lab_observe::Name;

use super::verdict::{Considered, Finding, Outcome};
use crate::observation::{Attempt, Since, Talker, seconds};

/// A finding before it is known how often it was seen.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) rule: String,
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
    pub(super) fn new(rule: &str, severity: Outcome, title: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
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

    fn key(&self) -> (Outcome, String, String) {
        let same = self.same.as_ref().unwrap_or(&self.title);
        (self.severity, self.rule.clone(), same.clone())
    }
}

/// All findings of a run.
#[derive(Debug, Default)]
pub(super) struct Collector {
    found: Vec<Gathered>,
    index: HashMap<(Outcome, String, String), usize>,
}

#[derive(Debug)]
struct Gathered {
    first: Draft,
    count: u64,
    packets: [u64; 2],
    bytes: [u64; 2],
    attempts: BTreeSet<u32>,
    repeats: BTreeSet<u32>,
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
        let place = *self.index.entry(draft.key()).or_insert(self.found.len());
        if place == self.found.len() {
            self.found.push(Gathered {
                first: draft,
                count: 0,
                packets: [0; 2],
                bytes: [0; 2],
                attempts: BTreeSet::new(),
                repeats: BTreeSet::new(),
            });
        }
        let gathered = &mut self.found[place];
        gathered.count += 1;
        gathered.packets = sum(gathered.packets, packets);
        gathered.bytes = sum(gathered.bytes, bytes);
        if let Some((attempt, repeat)) = of {
            gathered.attempts.insert(attempt);
            gathered.repeats.insert(repeat);
        }
    }

    /// The findings, worst first; within a severity in the order in which they were first seen.
    pub(super) fn finish(self, repeats: u32) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.found.into_iter().map(|gathered| gathered.finish(repeats)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }
}

impl Gathered {
    fn finish(self, repeats: u32) -> Finding {
        let Gathered { first, count, packets, bytes, attempts, repeats: seen } = self;
        let flow = first.flow;
        let of_flow = flow.is_some();
        let address = flow.as_ref().and_then(|flow| flow.address);
        let (talker, since, endpoint, transport, capture, frames, names) = match flow {
            Some(flow) => (
                Some(flow.talker),
                flow.since,
                Some(flow.endpoint),
                Some(flow.transport),
                Some(flow.capture),
                Some(flow.frames),
                flow.names,
            ),
            None => (None, None, None, None, None, None, Vec::new()),
        };
        Finding {
            rule: first.rule,
            severity: first.severity,
            title: first.title,
            count,
            seen_in: [seen.len() as u32, repeats],
            attempts: attempts.into_iter().collect(),
            t: first.t.map(seconds),
            since,
            phase: first.phase,
            step: first.step,
            talker,
            endpoint,
            address,
            owners: Vec::new(),
            transport,
            capture,
            frames,
            packets: of_flow.then_some(packets),
            bytes: of_flow.then_some(bytes),
            names,
            manifest: first.manifest,
            considered: first.considered,
            would_go: first.would_go,
            suggestion: first.suggestion,
            evidence: first.evidence,
            help: first.help,
        }
    }
}

/// Both directions added up.
pub(super) fn sum(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0].saturating_add(b[0]), a[1].saturating_add(b[1])]
}
