//! From a flow's evidence to its state: named, ambiguous, or unresolved and why.

use std::net::IpAddr;

use crate::flow::Flow;
use crate::names::Answer;
use crate::record::{Disagreement, FlowRecord, Name, NameKind, Reason, State};

struct Decision {
    /// Names that DNS gave before the flow.
    dns: Vec<Name>,
    state: State,
    reason: Option<Reason>,
    corroborated: bool,
    disagreement: Vec<Disagreement>,
}

/// A flow's record.
pub(crate) fn record(number: u64, flow: Flow) -> FlowRecord {
    let verdict = decide(&flow);
    let mut names = flow.evidence.names;
    names.extend(verdict.dns);
    names.sort_by_key(|name| name.frame);
    FlowRecord {
        file: String::new(),
        flow: number,
        l4: flow.l4,
        client: (flow.client.0.ip(), flow.client.1).into(),
        server: (flow.server.0.ip(), flow.server.1).into(),
        vlan: flow.vlan,
        first_ns: flow.first_ns,
        last_ns: flow.last_ns,
        packets: flow.packets,
        bytes: flow.bytes,
        app: flow.app.to_owned(),
        names,
        state: verdict.state,
        reason: verdict.reason,
        corroborated: verdict.corroborated,
        alpn: flow.evidence.alpn,
        ech: flow.ech,
        frames: flow.frames,
        client_mac: flow.client_mac,
        server_mac: flow.server_mac,
        answered: flow.answered,
        opening_seen: flow.opening_seen,
        link_control: flow.link_control,
        disagreement: verdict.disagreement,
        guessed: flow.guessed,
        interface: flow.interface,
        tunnel: (flow.tunnel != 0).then_some(flow.tunnel),
        unread: flow.unread,
    }
}

fn decide(flow: &Flow) -> Decision {
    let known = &flow.evidence.known;
    let dns: Vec<Name> = known
        .answers
        .iter()
        .map(|answer| Name {
            kind: NameKind::Dns,
            name: answer.name.to_string(),
            frame: answer.frame,
            chain: answer.chain.to_vec(),
        })
        .collect();
    let server = flow.server.0.ip();
    // The server's own address, written where a name belongs, names nothing.
    let is_own_address = |name: &Name| name.name.parse::<IpAddr>() == Ok(server);
    // Neither does an outer name, which is there to mislead.
    let tells =
        |name: &&Name| name.kind.is_asserted() && name.kind != NameKind::EchOuter && !is_own_address(name);
    let asserted: Vec<&Name> = flow.evidence.names.iter().filter(tells).collect();
    let vouched =
        |name: &Name| dns.iter().any(|answer| answer.name == name.name || answer.chain.contains(&name.name));
    let disagreement = disagreement(&asserted, &dns, vouched);
    let all_vouched = asserted.iter().all(|name| vouched(name));

    let mut distinct: Vec<&str> = dns.iter().map(|answer| answer.name.as_str()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let (state, reason, corroborated) = if !asserted.is_empty() || distinct.len() == 1 {
        (State::Named, None, all_vouched)
    } else if distinct.len() > 1 {
        (State::Ambiguous, Some(Reason::SeveralNames), false)
    } else {
        (State::Unresolved, Some(why(flow)), false)
    };
    Decision { dns, state, reason, corroborated, disagreement }
}

fn disagreement(asserted: &[&Name], dns: &[Name], vouched: impl Fn(&Name) -> bool) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let host = |name: &Name| matches!(name.kind, NameKind::HttpHost | NameKind::HttpAuthority);
    for name in asserted {
        if !dns.is_empty() && !vouched(name) {
            found.push(if host(name) { Disagreement::HostDns } else { Disagreement::SniDns });
        }
    }
    if let Some(first) = asserted.first() {
        for other in asserted.iter().filter(|name| name.name != first.name) {
            found.push(match host(first) == host(other) {
                true => Disagreement::SeveralAsserted,
                false => Disagreement::HostSni,
            });
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Why nothing names the server: the first that applies.
fn why(flow: &Flow) -> Reason {
    let known = &flow.evidence.known;
    if flow.link_control || flow.server.0.is_local() || is_broadcast(flow) {
        Reason::Local
    } else if matches!(flow.app, "dns" | "mdns" | "llmnr") {
        Reason::Resolver
    } else if flow.ech {
        Reason::Ech
    } else if !flow.opening_seen {
        Reason::BeforeCapture
    } else if flow.lossy {
        Reason::Loss
    } else if known.hidden_dns {
        Reason::HiddenDns
    } else if known.used_dns {
        Reason::NeverQueried
    } else {
        Reason::NoDnsSeen
    }
}

/// A private network's own broadcast address, which only the link address gives away.
fn is_broadcast(flow: &Flow) -> bool {
    let to_all = flow.server_mac.is_some_and(|mac| mac.0 == [0xff; 6]);
    to_all && matches!(flow.server.0.ip(), IpAddr::V4(ip) if ip.is_private())
}
