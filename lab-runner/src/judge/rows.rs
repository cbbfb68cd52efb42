//! The verdict's list of endpoints: flows of the same kind to the same end make one row.

use std::borrow::Cow;

use lab_observe::{FlowRecord, L4, Reason};

use super::admit::{Ruling, protection};
use super::collect::sum;
use super::identity::{Server, asserted, looked_up};
use super::places::{Places, keep};
use super::verdict::{DeclarationRef, Endpoint, Status};
use super::words;
use crate::manifest::Declaration;
use crate::observation::{Attempt, AttributedFlow, Role, Sides, seconds};
use crate::plan::{Plan, SETUP, TEARDOWN};

/// What makes two flows one row.
#[derive(Hash)]
struct Key<'k> {
    status: Status,
    talker: Role,
    endpoint: &'k str,
    transport: L4,
    app: Cow<'k, str>,
    names: Vec<Cow<'k, str>>,
    /// By its id, of which there is but one.
    declaration: Option<&'k str>,
    rule: Option<&'static str>,
    reason: Option<Reason>,
}

struct Row {
    endpoint: Endpoint,
    transport: L4,
    repeats: Vec<u32>,
}

impl Row {
    fn is(&self, key: &Key<'_>) -> bool {
        let known = &self.endpoint;
        known.status == key.status
            && known.talker == key.talker
            && known.endpoint == key.endpoint
            && self.transport == key.transport
            && known.app == key.app
            && known.names == key.names
            && known.declaration.as_ref().map(|of| of.id.as_str()) == key.declaration
            && known.rule.as_deref() == key.rule
            && known.reason == key.reason
    }

    /// Its place in the list: undeclared ones last.
    fn order(&self) -> impl Ord {
        let row = &self.endpoint;
        (
            (row.status, row.talker, row.endpoint.as_str(), row.transport.as_str(), row.app.as_str()),
            (row.names.as_slice(), &row.declaration, row.rule.as_deref(), row.reason.map(Reason::as_str)),
        )
    }
}

/// The rows of a run, as its flows are judged.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    places: Places,
}

/// A flow with what was made of it.
pub(super) struct Judged<'f, 'a> {
    pub(super) attempt: &'f Attempt,
    pub(super) flow: &'f AttributedFlow<'a>,
    pub(super) sides: &'f Sides,
    pub(super) server: &'f Server,
    /// The far end, as people read it.
    pub(super) to: &'f str,
}

impl Rows {
    /// Counts a flow in. `rule` is the one that it broke; a row that is new has its declaration written by `reference`.
    pub(super) fn add(
        &mut self,
        judged: &Judged<'_, '_>,
        ruling: &Ruling<'_>,
        rule: Option<&'static str>,
        reference: impl Fn(&Declaration) -> DeclarationRef,
    ) {
        let Judged { attempt, flow, server, .. } = *judged;
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
        let declaration = ruling.declaration();
        let key = Key {
            status,
            talker: flow.talker.role,
            endpoint: judged.to,
            transport: record.l4,
            app: words::shown(&record.app),
            names,
            declaration: declaration.map(|declaration| declaration.id.as_str()),
            rule,
            reason,
        };
        let rows = &mut self.rows;
        let place = self.places.of(&key, rows.len(), |place| rows[place].is(&key));
        if place == rows.len() {
            let endpoint = Endpoint {
                status,
                rule: rule.map(str::to_owned),
                talker: key.talker,
                endpoint: key.endpoint.to_owned(),
                transport: record.l4.to_string(),
                app: key.app.into_owned(),
                names: key.names.into_iter().map(Cow::into_owned).collect(),
                evidence,
                reason,
                declaration: declaration.map(reference),
                phases: Vec::new(),
                protection: protection(record),
                flows: 0,
                packets: [0; 2],
                bytes: [0; 2],
                seen_in: [0; 2],
                t: seconds(flow.t_ns),
                since: flow.since.clone(),
                frame: record.frames[0],
            };
            rows.push(Row { endpoint, transport: record.l4, repeats: Vec::new() });
        }
        let Row { endpoint: known, repeats, .. } = &mut rows[place];
        if let Err(place) = known.phases.binary_search(&flow.phase) {
            known.phases.insert(place, flow.phase.clone());
        }
        keep(repeats, attempt.repeat);
        known.flows += 1;
        known.packets = sum(known.packets, record.packets);
        known.bytes = sum(known.bytes, record.bytes);
        known.protection = known.protection.min(protection(record));
        // Later words of `Evidence` are weaker.
        known.evidence = known.evidence.max(evidence);
    }

    /// The rows in their order.
    pub(super) fn finish(self, plan: &Plan, repeats: u32) -> Vec<Endpoint> {
        let names: Vec<&str> = std::iter::once(SETUP)
            .chain(plan.phases.iter().map(|phase| phase.name.as_str()))
            .chain([TEARDOWN])
            .collect();
        let of_plan = |phase: &String| names.iter().position(|name| name == phase).unwrap_or(names.len());
        let finish = |row: Row| {
            let mut endpoint = row.endpoint;
            endpoint.phases.sort_by_key(of_plan);
            Endpoint { seen_in: [row.repeats.len() as u32, repeats], ..endpoint }
        };
        // Rows are large: their order is found first, and each is moved but once.
        let mut order: Vec<_> =
            self.rows.iter().enumerate().map(|(place, row)| (row.order(), place)).collect();
        order.sort_unstable();
        let places: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();
        let mut rows: Vec<Option<Row>> = self.rows.into_iter().map(Some).collect();
        places.into_iter().filter_map(|place| rows[place].take()).map(finish).collect()
    }
}

/// What the client asserts, else what DNS said; sorted.
fn names(flow: &FlowRecord) -> Vec<Cow<'_, str>> {
    let mut names: Vec<Cow<'_, str>> = asserted(flow).map(|name| words::shown(&name.name)).collect();
    if names.is_empty() {
        names = looked_up(flow).map(|name| words::shown(&name.name)).collect();
    }
    names.sort_unstable();
    names.dedup();
    names
}
