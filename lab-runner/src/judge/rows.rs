//! The verdict's list of endpoints: flows of the same kind to the same end make one row.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::{FlowRecord, Reason};

use super::admit::{Ruling, protection};
use super::collect::sum;
use super::identity::{Server, asserted, looked_up};
use super::verdict::{DeclarationRef, Endpoint, Status};
use super::words;
use crate::observation::{Attempt, AttributedFlow, Role, Sides, seconds};
use crate::plan::{Plan, SETUP, TEARDOWN};

/// What makes two flows one row, in the order of the list: undeclared ones last.
type Key = (
    Status,
    Role,
    String,
    String,
    String,
    Vec<String>,
    Option<DeclarationRef>,
    Option<&'static str>,
    Option<&'static str>,
);

struct Row {
    endpoint: Endpoint,
    phases: BTreeSet<String>,
    repeats: BTreeSet<u32>,
}

/// The rows of a run, as its flows are judged.
#[derive(Default)]
pub(super) struct Rows {
    rows: BTreeMap<Key, Row>,
}

/// A flow with what was made of it.
pub(super) struct Judged<'f, 'a> {
    pub(super) attempt: &'f Attempt,
    pub(super) flow: &'f AttributedFlow<'a>,
    pub(super) sides: &'f Sides,
    pub(super) server: &'f Server,
}

impl Rows {
    /// Counts a flow in. `rule` is the one that it broke, `declaration` the one that admits it, or might.
    pub(super) fn add(
        &mut self,
        judged: &Judged<'_, '_>,
        ruling: &Ruling<'_>,
        rule: Option<&'static str>,
        declaration: Option<DeclarationRef>,
    ) {
        let Judged { attempt, flow, sides, server } = *judged;
        let record = flow.record;
        let (status, evidence) = match ruling {
            Ruling::Admitted(_, evidence) => (Status::Declared, Some(*evidence)),
            Ruling::Doubtful(..) => (Status::Doubtful, server.best_evidence()),
            Ruling::Broken(..) | Ruling::Pretended(_) | Ruling::Undeclared(_) => {
                (Status::Undeclared, server.best_evidence())
            }
        };
        let names = names(record);
        let reason = match record.reason.filter(|_| names.is_empty()) {
            // Where the client's whole life was watched, no look-up seen is no look-up made.
            Some(Reason::NoDnsSeen) if flow.whole_life => Some(Reason::NeverQueried),
            other => other,
        };
        let (to, transport) = (words::endpoint(flow, sides), record.l4.to_string());
        let app = words::printable(&record.app);
        let key = (
            status,
            flow.talker.role,
            to.clone(),
            transport.clone(),
            app.clone(),
            names.clone(),
            declaration.clone(),
            rule,
            reason.map(Reason::as_str),
        );
        let row = self.rows.entry(key).or_insert_with(|| Row {
            endpoint: Endpoint {
                status,
                rule: rule.map(str::to_owned),
                talker: flow.talker.role,
                endpoint: to,
                transport,
                app,
                names,
                evidence,
                reason,
                declaration,
                phases: Vec::new(),
                protection: protection(record),
                flows: 0,
                packets: [0; 2],
                bytes: [0; 2],
                seen_in: [0; 2],
                t: seconds(flow.t_ns),
                since: flow.since.clone(),
                frame: record.frames[0],
            },
            phases: BTreeSet::new(),
            repeats: BTreeSet::new(),
        });
        if !row.phases.contains(&flow.phase) {
            row.phases.insert(flow.phase.clone());
        }
        row.repeats.insert(attempt.repeat);
        let known = &mut row.endpoint;
        known.flows += 1;
        known.packets = sum(known.packets, record.packets);
        known.bytes = sum(known.bytes, record.bytes);
        known.protection = known.protection.min(protection(record));
        // Later words of `Evidence` are weaker.
        known.evidence = known.evidence.max(evidence);
    }

    /// The rows, in the order of their keys.
    pub(super) fn finish(self, plan: &Plan, repeats: u32) -> Vec<Endpoint> {
        let order: Vec<&str> = std::iter::once(SETUP)
            .chain(plan.phases.iter().map(|phase| phase.name.as_str()))
            .chain([TEARDOWN])
            .collect();
        let place = |phase: &String| order.iter().position(|name| name == phase).unwrap_or(order.len());
        let finish = |row: Row| {
            let mut phases: Vec<String> = row.phases.into_iter().collect();
            phases.sort_by_key(place);
            Endpoint { phases, seen_in: [row.repeats.len() as u32, repeats], ..row.endpoint }
        };
        self.rows.into_values().map(finish).collect()
    }
}

/// What the client asserts, else what DNS said; sorted.
fn names(flow: &FlowRecord) -> Vec<String> {
    let mut names: BTreeSet<String> = asserted(flow).map(|name| words::printable(&name.name)).collect();
    if names.is_empty() {
        names = looked_up(flow).map(|name| words::printable(&name.name)).collect();
    }
    names.into_iter().collect()
}
