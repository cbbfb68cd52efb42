//! `observation.jsonl`: a line a flow, with the product's own ends written as roles and times since the attempt began.

use lab_observe::{Disagreement, FlowRecord, L4, Name, Reason, State, Weird, Word};
use serde::Serialize;

use super::{AttemptObservation, AttributedFlow, Sides, Since, Talker};

/// The fields stand in the order of `lab observe`; scripts rely on it.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    flow: u64,
    l4: L4,
    client: String,
    server: String,
    vlan: Option<u16>,
    first_ns: u64,
    last_ns: u64,
    packets: [u64; 2],
    bytes: [u64; 2],
    app: &'a str,
    names: Vec<Name>,
    state: State,
    reason: Option<Reason>,
    corroborated: bool,
    alpn: &'a [Word],
    ech: bool,
    frames: [u64; 2],
    answered: bool,
    opening_seen: bool,
    link_control: bool,
    disagreement: &'a [Disagreement],
    guessed: bool,
    unread: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    carries: &'a [Word],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    weird: &'a [Weird],
    talker: &'a Talker,
    phase: &'a str,
    step: Option<&'a str>,
    since: Option<&'a Since>,
}

/// All lines of an attempt's `observation.jsonl`.
pub fn render_jsonl(observation: &AttemptObservation<'_>) -> String {
    let mut text = String::new();
    for flow in &observation.flows {
        // Serialising plain data into memory has nothing that could fail.
        if let Ok(line) = serde_json::to_string(&line(flow, &observation.sides)) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn line<'a>(flow: &'a AttributedFlow<'_>, sides: &Sides) -> Line<'a> {
    let record = flow.record;
    Line {
        file: flow.file,
        flow: record.flow,
        l4: record.l4,
        client: sides.written(record.client, record.client_mac),
        server: sides.written(record.server, record.server_mac),
        vlan: record.vlan,
        first_ns: flow.t_ns,
        last_ns: flow.last_ns,
        packets: record.packets,
        bytes: record.bytes,
        app: &record.app,
        names: names_in_roles(record, sides),
        state: record.state,
        reason: record.reason,
        corroborated: record.corroborated,
        alpn: &record.alpn,
        ech: record.ech,
        frames: record.frames,
        answered: record.answered,
        opening_seen: record.opening_seen,
        link_control: record.link_control,
        disagreement: &record.disagreement,
        guessed: record.guessed,
        unread: record.unread,
        version: record.version.as_deref(),
        ja4: record.ja4.as_deref(),
        carries: &record.carries,
        weird: &record.weird,
        talker: &flow.talker,
        phase: &flow.phase,
        step: flow.step.as_deref(),
        since: flow.since.as_ref(),
    }
}

/// A flow's names, the product's own addresses among them (as STUN tells) written as roles.
pub fn names_in_roles(record: &FlowRecord, sides: &Sides) -> Vec<Name> {
    record.names.iter().map(|name| in_roles(name, sides)).collect()
}

/// A name that is one of the product's own addresses is written as its role.
fn in_roles(name: &Name, sides: &Sides) -> Name {
    let written = match (name.name.parse(), name.name.parse()) {
        (Ok(end), _) => Some(sides.written(end, None)),
        (_, Ok(ip)) => sides.role(ip, None).map(str::to_owned),
        _ => None,
    };
    match written {
        Some(written) => Name { name: written, ..name.clone() },
        None => name.clone(),
    }
}

/// The server of a flow as people read it: address and port, or the address alone where the transport has no ports.
pub fn server_in_roles(record: &FlowRecord, sides: &Sides) -> String {
    if matches!(record.l4, L4::Tcp | L4::Udp) {
        return sides.written(record.server, record.server_mac);
    }
    let ip = record.server.ip().to_canonical();
    sides.role(ip, record.server_mac).map_or_else(|| ip.to_string(), str::to_owned)
}
