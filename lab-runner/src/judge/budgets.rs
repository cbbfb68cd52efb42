//! What each declaration admitted, counted against its budgets. It counts; what it admits is decided elsewhere.

use std::collections::BTreeMap;

use crate::manifest::{Budget, Declaration, Span, size_text};
use crate::observation::AttributedFlow;

/// The flows of an attempt by the declaration that they count against: the first in the file that admits them.
#[derive(Default)]
pub(super) struct Spent<'m, 'f, 'a> {
    by: BTreeMap<&'m str, (&'m Declaration, Vec<&'f AttributedFlow<'a>>)>,
}

/// More than a budget.
pub(super) struct Excess<'m, 'f, 'a> {
    pub(super) declaration: &'m Declaration,
    /// The flow with which it was exceeded.
    pub(super) flow: &'f AttributedFlow<'a>,
    /// By how much, in words.
    pub(super) said: String,
}

impl<'m, 'f, 'a> Spent<'m, 'f, 'a> {
    /// Counts a flow that a declaration admitted.
    pub(super) fn add(&mut self, declaration: &'m Declaration, flow: &'f AttributedFlow<'a>) {
        if !declaration.budgets.is_empty() {
            self.by.entry(&declaration.id).or_insert((declaration, Vec::new())).1.push(flow);
        }
    }

    /// Every budget that was exceeded, once.
    pub(super) fn excess(self) -> Vec<Excess<'m, 'f, 'a>> {
        let mut found = Vec::new();
        for (declaration, mut flows) in self.by.into_values() {
            flows.sort_by_key(|flow| (flow.t_ns, flow.record.frames));
            for budget in &declaration.budgets {
                found.extend(over(budget, &flows).map(|(flow, said)| Excess { declaration, flow, said }));
            }
        }
        found
    }
}

/// Part of a flow within a span.
struct Part<'f, 'a> {
    flow: &'f AttributedFlow<'a>,
    at: u64,
    bytes: u64,
    /// 1 where the flow begins.
    connections: u64,
}

/// The flow that goes over a budget, in its time.
fn over<'f, 'a>(
    budget: &Budget,
    flows: &[&'f AttributedFlow<'a>],
) -> Option<(&'f AttributedFlow<'a>, String)> {
    let length = budget.per.length().map(|length| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
    let mut parts: Vec<Part<'f, 'a>> = flows.iter().flat_map(|flow| parts(flow, length)).collect();
    parts.sort_by_key(|part| part.at);
    let (mut bytes, mut connections, mut oldest) = (0_u64, 0_u64, 0);
    for part in &parts {
        bytes = bytes.saturating_add(part.bytes);
        connections += part.connections;
        while let (Some(length), Some(old)) = (length, parts.get(oldest)) {
            if part.at - old.at < length {
                break;
            }
            bytes = bytes.saturating_sub(old.bytes);
            connections -= old.connections;
            oldest += 1;
        }
        let span = if budget.per == Span::Hour { "an hour" } else { &format!("a {}", budget.per.word()) };
        if budget.bytes.is_some_and(|most| bytes > most) {
            return Some((
                part.flow,
                format!("{} within {span}, and its budget is {budget}", size_text(bytes)),
            ));
        }
        if budget.connections.is_some_and(|most| connections > most) {
            return Some((
                part.flow,
                format!("{connections} connections within {span}, and its budget is {budget}"),
            ));
        }
    }
    None
}

/// A flow as it counts: at its first packet, or, where it lasts longer than the span, evenly over its time. How its
/// bytes lie in between isn't recorded.
fn parts<'f, 'a>(flow: &'f AttributedFlow<'a>, length: Option<u64>) -> impl Iterator<Item = Part<'f, 'a>> {
    /// A flow of more spans than this is cut into this many.
    const MOST: u64 = 1_000;
    let [out, back] = flow.record.bytes;
    let bytes = out.saturating_add(back);
    let lasts = flow.last_ns.saturating_sub(flow.t_ns);
    let pieces = length.map_or(1, |length| lasts.div_ceil(length.max(1)).clamp(1, MOST));
    (0..pieces).map(move |piece| Part {
        flow,
        at: flow.t_ns + lasts / pieces * piece,
        bytes: bytes / pieces + u64::from(piece < bytes % pieces),
        connections: u64::from(piece == 0),
    })
}
