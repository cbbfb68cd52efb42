//! The table for people: endpoints grouped by the host that opened flows to them, those with the widest evidence first.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use super::{Style, words};
use crate::escape;
use crate::record::{FlowRecord, NameKind, Observation, Reason, State, Summary};

const HEADINGS: [&str; 7] = ["endpoint", "over", "flows", "sent", "received", "first", "evidence"];
/// Columns of numbers, which end at the same place.
const RIGHT: [bool; 7] = [false, false, true, true, true, true, false];
/// Names that a row shows of those that were asked for.
const SHOWN: usize = 3;

/// Writes the endpoints of a capture, grouped by client, and its summary.
///
/// # Errors
/// What `out` reports.
pub fn render_text(
    observation: &Observation,
    file: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let start = observation.flows.iter().map(|flow| flow.first_ns).min().unwrap_or(0);
    let mut clients: BTreeMap<IpAddr, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in &observation.flows {
        clients.entry(flow.client.ip()).or_default().push(flow);
    }
    if !file.is_empty() {
        writeln!(out, "{}", style.bold(&escape::text(file.as_bytes(), 4096)))?;
    }
    // Who talks to whom by name comes first; the link's own chatter last.
    let mut clients: Vec<(IpAddr, Vec<&FlowRecord>)> = clients.into_iter().collect();
    clients.sort_by_key(|(client, flows)| (flows.iter().map(|flow| words::rank(flow)).min(), *client));
    for (client, flows) in clients {
        let mac =
            flows.iter().find_map(|flow| flow.client_mac).map_or(String::new(), |mac| format!("  {mac}"));
        writeln!(out, "\n{}{}", style.bold(&client.to_string()), style.dim(&mac))?;
        table(&endpoints(&flows), start, style, out)?;
    }
    summary(&observation.summary, style, out)
}

/// Flows of one client that say the same of the same server.
struct Endpoint<'a> {
    name: String,
    over: String,
    evidence: String,
    flows: Vec<&'a FlowRecord>,
}

/// The endpoints of one client's flows: widest evidence first, then in the order of their first packets.
fn endpoints<'a>(flows: &[&'a FlowRecord]) -> Vec<Endpoint<'a>> {
    let mut found: Vec<Endpoint<'a>> = Vec::new();
    let mut places: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for &flow in flows {
        let (name, over) = (name(flow), words::over(flow));
        // What a resolver is asked fills rows of its own without telling more.
        let evidence = if flow.reason == Some(Reason::Resolver) { String::new() } else { evidence(flow) };
        match places.entry((name.clone(), over.clone(), evidence.clone())) {
            std::collections::btree_map::Entry::Occupied(place) => found[*place.get()].flows.push(flow),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(found.len());
                found.push(Endpoint { name, over, evidence, flows: vec![flow] });
            }
        }
    }
    for endpoint in found.iter_mut().filter(|endpoint| endpoint.evidence.is_empty()) {
        endpoint.evidence = asks(&endpoint.flows);
    }
    found.sort_by_key(|endpoint| {
        let first = endpoint.flows[0];
        (words::rank(first), std::cmp::Reverse(kinds(first).len()), first.first_ns, first.flow)
    });
    found
}

fn table(endpoints: &[Endpoint<'_>], start: u64, style: Style, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = endpoints.iter().map(|endpoint| row(endpoint, start)).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let aligned = |cells: [&str; 7]| -> String {
        let mut line = String::new();
        for ((cell, width), right) in cells.into_iter().zip(widths).zip(RIGHT).take(6) {
            line.push_str("  ");
            match right {
                true => line.push_str(&format!("{cell:>width$}")),
                false => line.push_str(&format!("{cell:width$}")),
            }
        }
        line
    };
    writeln!(out, "{}  {}", style.dim(&aligned(HEADINGS)), style.dim(HEADINGS[6]))?;
    for (endpoint, row) in endpoints.iter().zip(&rows) {
        let cells = row.each_ref().map(String::as_str);
        let evidence = style.paint(words::colour(endpoint.flows[0]), &endpoint.evidence);
        writeln!(out, "{}  {evidence}", aligned(cells))?;
    }
    Ok(())
}

fn row(endpoint: &Endpoint<'_>, start: u64) -> [String; 7] {
    let flows = &endpoint.flows;
    let sum = |side: usize| words::bytes(flows.iter().map(|flow| flow.bytes[side]).sum());
    let count = match flows.as_slice() {
        [only] => format!("#{}", only.flow),
        several => several.len().to_string(),
    };
    [
        endpoint.name.clone(),
        endpoint.over.clone(),
        count,
        sum(0),
        sum(1),
        words::after(flows[0].first_ns.saturating_sub(start)),
        endpoint.evidence.clone(),
    ]
}

/// Who it is: a name with its port, else the address.
fn name(flow: &FlowRecord) -> String {
    match (flow.best_name(), flow.server.port()) {
        (Some(name), 0) => name.to_owned(),
        (Some(name), port) => format!("{name}:{port}"),
        (None, _) => words::end(flow.l4, flow.server),
    }
}

/// The kinds of evidence for the name that is shown.
fn kinds(flow: &FlowRecord) -> Vec<&'static str> {
    let Some(name) = flow.best_name() else { return Vec::new() };
    let mut kinds: Vec<&'static str> = flow
        .names
        .iter()
        .filter(|evidence| evidence.name == name || evidence.chain.iter().any(|alias| alias == name))
        .map(|evidence| evidence.kind.as_str())
        .collect();
    kinds.dedup();
    kinds
}

/// How that is known, or why it is not.
fn evidence(flow: &FlowRecord) -> String {
    let mut words = match (flow.state, flow.reason) {
        (State::Named, _) => {
            let doubt = if flow.corroborated { "" } else { ", uncorroborated" };
            format!("{}{doubt}", kinds(flow).join(" + "))
        }
        (State::Ambiguous, _) => {
            let names: Vec<&str> = flow.names_of(NameKind::Dns).collect();
            format!("ambiguous: {}", list(&names))
        }
        (State::Unresolved, reason) => match reason.map(words::reason) {
            Some(reason) => format!("no name: {reason}"),
            None => "no name".to_owned(),
        },
    };
    for disagreement in &flow.disagreement {
        words.push_str("; ");
        words.push_str(words::disagreement(*disagreement));
    }
    if !flow.answered && flow.reason != Some(Reason::Local) {
        words.push_str(", no answer");
    }
    if !flow.carries.is_empty() {
        words.push_str(&format!(", carries {}", flow.carries.join(" and ")));
    }
    if flow.unread {
        words.push_str(", not all of it can be read");
    }
    words
}

/// What a resolver, or whoever listens on the link, is asked for.
fn asks(flows: &[&FlowRecord]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in flows.iter().flat_map(|flow| flow.names_of(NameKind::DnsQuery)) {
        if !names.contains(&name) && names.len() < 1000 {
            names.push(name);
        }
    }
    let mut words = match names.as_slice() {
        [] => "a resolver".to_owned(),
        names => format!("asks for {}", list(names)),
    };
    if !flows.iter().any(|flow| flow.answered) {
        words.push_str(", no answer");
    }
    if flows.iter().any(|flow| flow.unread) {
        words.push_str(", not all of it can be read");
    }
    words
}

fn list(names: &[&str]) -> String {
    match names {
        names if names.len() <= SHOWN => names.join(", "),
        names => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

fn summary(summary: &Summary, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut line =
        format!("{} flows, {} packets, {}", summary.flows, summary.packets, words::bytes(summary.bytes));
    if summary.unparsed_packets > 0 {
        line.push_str(&format!(", {} packets not understood", summary.unparsed_packets));
    }
    if let Some(drops) = summary.drops.filter(|drops| *drops > 0) {
        line.push_str(&format!(", {drops} packets dropped while capturing"));
    }
    let given_up = summary.flows_refused + summary.streams_evicted + summary.names_evicted;
    if given_up > 0 {
        line.push_str(&format!(", {given_up} times a bound was reached"));
    }
    writeln!(out, "\n{}", style.bold(&line))?;
    for (kind, aside) in &summary.aside {
        writeln!(out, "{}", style.dim(&format!("left aside: {kind}, {} frames", aside.frames)))?;
    }
    for (word, count) in &summary.weird {
        let frames = summary.weird_frames.get(word).map_or(&[][..], Vec::as_slice);
        let frames: Vec<String> = frames.iter().take(SHOWN).map(u64::to_string).collect();
        let first = if frames.is_empty() { String::new() } else { format!(" (frame {})", frames.join(", ")) };
        writeln!(out, "{}", style.dim(&format!("odd: {word}, {count} times{first}")))?;
    }
    if let Some(reason) = &summary.cut_reason {
        writeln!(out, "{}", style.paint("31", reason))?;
    }
    Ok(())
}
