//! From a flow's evidence to its state: named, ambiguous, or unresolved and why.

use std::net::IpAddr;

use crate::flow::{Evidence, Flow, Hot, SERVER, UNKNOWN};
use crate::ip::Addr;
use crate::names::{Answer, Known};
use crate::ports;
use crate::record::{Disagreement, FlowRecord, L4, Name, NameKind, Reason, State, Word};

/// Names of DNS with their CNAMEs that a record shows, and how many bytes of CNAMEs; many flows may know the same ones.
const MAX_CHAINS: usize = 4;
const MAX_CHAIN_BYTES: usize = 2048;
/// Bytes of names of DNS in a record.
const MAX_NAME_BYTES: usize = 4096;

struct Decision {
    state: State,
    reason: Option<Reason>,
    corroborated: bool,
    disagreement: Vec<Disagreement>,
}

/// A flow's record by what its client knew, without its numbers; adds how many names did not fit into it.
// One that is returned beside something else is copied on its way.
pub(crate) fn record(hot: &Hot, flow: &mut Flow, known: &Known<'_>, dropped: &mut u64) -> FlowRecord {
    let mut evidence = flow.take_evidence();
    let [client, server] = hot.ends();
    let verdict = decide(hot, flow, &evidence, known);
    *dropped += evidence.dropped + show(&mut evidence.names, &known.answers);
    let port_suggests = match flow.app {
        UNKNOWN => ports::suggests(hot.key.l4(), server.1).map(Word::from),
        _ => None,
    };
    let weird = evidence.weird_words();
    let mut names = evidence.names;
    names.sort_by_key(|name| name.frame);
    FlowRecord {
        file: String::new(),
        flow: 0,
        l4: hot.key.l4(),
        client: (client.0.ip(), client.1).into(),
        server: (server.0.ip(), server.1).into(),
        vlan: hot.key.vlan(),
        first_ns: flow.first_ns,
        last_ns: hot.last_ns,
        packets: hot.packets,
        bytes: hot.bytes,
        app: flow.app.into(),
        names,
        state: verdict.state,
        reason: verdict.reason,
        corroborated: verdict.corroborated,
        alpn: evidence.alpn,
        ech: flow.ech,
        frames: [flow.first_frame, hot.last_frame],
        client_mac: flow.client_mac,
        server_mac: flow.server_mac,
        answered: hot.answered,
        opening_seen: flow.opening_seen,
        link_control: hot.link_control,
        disagreement: verdict.disagreement,
        guessed: flow.guessed,
        interface: flow.interface,
        tunnel: None,
        unread: flow.unread,
        version: evidence.version.map(Into::into),
        ja4: evidence.ja4,
        carries: evidence.carries.into_iter().map(Word::from).collect(),
        weird,
        port_suggests,
        silent: hot.key.l4() == L4::Tcp && !hot.payload_seen,
    }
}

/// Adds what DNS gave before the flow, as far as a record holds it: first what vouches for a name that the client asserts.
/// Returns how many names were left out.
fn show(names: &mut Vec<Name>, answers: &[&Answer]) -> u64 {
    let mut by_worth: Vec<&Answer>;
    let mut answers = answers;
    if answers.len() > 1 {
        let asserts = |alias: &str| names.iter().any(|name| name.kind.is_asserted() && name.name == alias);
        by_worth = answers.to_vec();
        by_worth
            .sort_by_key(|answer| !asserts(&answer.name) && !answer.chain.iter().any(|alias| asserts(alias)));
        answers = &by_worth;
    }
    let (mut chains, mut chain_bytes, mut name_bytes, mut left_out) = (0, 0, 0, 0);
    names.reserve_exact(answers.len());
    for answer in answers {
        name_bytes += answer.name.len();
        if name_bytes > MAX_NAME_BYTES {
            left_out += 1;
            continue;
        }
        let length: usize = answer.chain.iter().map(|alias| alias.len()).sum();
        let has_room = chains < MAX_CHAINS && chain_bytes + length <= MAX_CHAIN_BYTES;
        let mut chain = Vec::new();
        if has_room && !answer.chain.is_empty() {
            chain.extend(answer.chain.iter().map(|alias| alias.to_string()));
            chains += 1;
            chain_bytes += length;
        }
        let name = Name::new(NameKind::Dns, &*answer.name, answer.frame);
        names.push(Name { chain, ttl: Some(answer.ttl), ..name });
    }
    left_out
}

fn decide(hot: &Hot, flow: &Flow, evidence: &Evidence, known: &Known<'_>) -> Decision {
    let dns = &known.answers;
    let server = hot.ends()[SERVER].0.ip();
    // The server's own address, written where a name belongs, names nothing.
    let is_own_address = |name: &Name| {
        // No other text is looked at twice.
        let may_be = name.name.ends_with(|last: char| last.is_ascii_digit()) || name.name.contains(':');
        may_be && name.name.parse::<IpAddr>() == Ok(server)
    };
    // Neither does an outer name, which is there to mislead.
    let tells =
        |name: &&Name| name.kind.is_asserted() && name.kind != NameKind::EchOuter && !is_own_address(name);
    let asserted = evidence.names.iter().filter(tells);
    let vouched = |name: &Name| {
        let is_it = |other: &str| other == name.name;
        dns.iter().any(|answer| is_it(&answer.name) || answer.chain.iter().any(|alias| is_it(alias)))
    };
    let mut disagreement = disagreement(asserted.clone(), !dns.is_empty(), vouched);
    if !evidence.certified_in_part && is_anothers_certificate(&evidence.names) {
        disagreement.push(Disagreement::SniCert);
    }
    let is_asserted = asserted.clone().next().is_some();
    let (state, reason, corroborated) = match dns.split_first() {
        None if !is_asserted => (State::Unresolved, Some(why(hot, flow, known)), false),
        Some((first, others)) if !is_asserted && others.iter().any(|other| other.name != first.name) => {
            (State::Ambiguous, Some(Reason::SeveralNames), false)
        }
        _ => (State::Named, None, asserted.clone().all(vouched)),
    };
    Decision { state, reason, corroborated, disagreement }
}

fn disagreement<'a>(
    mut asserted: impl Iterator<Item = &'a Name> + Clone,
    looked_up: bool,
    vouched: impl Fn(&Name) -> bool,
) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let host = |name: &Name| matches!(name.kind, NameKind::HttpHost | NameKind::HttpAuthority);
    for name in asserted.clone() {
        if looked_up && !vouched(name) {
            found.push(if host(name) { Disagreement::HostDns } else { Disagreement::SniDns });
        }
    }
    if let Some(first) = asserted.next() {
        for other in asserted.filter(|name| name.name != first.name) {
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

/// Whether the server showed a certificate that is for none of the hosts that a ClientHello asked for.
fn is_anothers_certificate(names: &[Name]) -> bool {
    let certified =
        || names.iter().filter(|name| name.kind == NameKind::CertSan).map(|name| name.name.as_str());
    let mut asked = names
        .iter()
        .filter(|name| matches!(name.kind, NameKind::Sni | NameKind::QuicSni | NameKind::StarttlsSni));
    // An address is no name that a certificate of a public authority holds.
    let is_host = |name: &Name| name.name.parse::<IpAddr>().is_err();
    certified().next().is_some()
        && asked.any(|asked| is_host(asked) && !certified().any(|pattern| covers(pattern, &asked.name)))
}

/// RFC 9525 §6.3: a `*` stands for the first label, whole.
fn covers(pattern: &str, host: &str) -> bool {
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, parent))) => domain == parent,
        _ => pattern == host,
    }
}

/// Why nothing names the server: the first that applies.
fn why(hot: &Hot, flow: &Flow, known: &Known<'_>) -> Reason {
    let server = hot.ends()[SERVER].0;
    if hot.link_control || server.is_local() || is_broadcast(server, flow) {
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
fn is_broadcast(server: Addr, flow: &Flow) -> bool {
    let to_all = flow.server_mac.is_some_and(|mac| mac.0 == [0xff; 6]);
    to_all && matches!(server.ip(), IpAddr::V4(ip) if ip.is_private())
}
