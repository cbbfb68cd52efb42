//! What the runs show, flow by flow, in the terms of a declaration: who talks to whom, over what, on what evidence.
//!
//! It only sorts; what is made of it is decided in `propose`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use lab_observe::{FlowRecord, L4, NameKind};

use crate::judge::Protection;
use crate::manifest::{Class, Evidence, OpenedBy, Surroundings, Talker, Transport, canonical_host};
use crate::observation::{AttemptObservation, AttributedFlow, Role};

/// One run: an attempt, and what to call it.
#[derive(Debug)]
pub struct Run<'a> {
    /// A capture's file, or a run's directory.
    pub name: String,
    /// What was seen.
    pub observed: AttemptObservation<'a>,
}

/// Whom a flow is with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum To {
    /// Hosts, by every name that tells the server. More than one where a flow asserts several, or DNS gave several.
    Names(BTreeSet<String>),
    /// Somebody told by a part in the network.
    Class(Class),
    /// An address that nothing names.
    Address(IpAddr),
    /// A name that no host can have.
    NoHost(String),
}

/// One flow.
#[derive(Debug, Clone)]
pub(super) struct Sighting<'a> {
    /// The run's place in the list.
    pub(super) run: usize,
    pub(super) talker: Talker,
    pub(super) opened_by: OpenedBy,
    pub(super) to: To,
    pub(super) transport: Transport,
    /// The port of whoever was called; 0 for ICMP.
    pub(super) port: u16,
    /// What is spoken, or `unknown`.
    pub(super) app: &'a str,
    /// What `app` says was told by the bytes, not guessed.
    pub(super) sure: bool,
    pub(super) evidence: Evidence,
    pub(super) encrypted: bool,
    pub(super) phase: &'a str,
    pub(super) frame: u64,
    /// Only TCP: no connection came about, or nothing was said over it.
    pub(super) nothing_sent: bool,
    /// The other end sent something back.
    pub(super) answered: bool,
    /// It only answers somebody near who searched for it: whom, and at which port, was the searcher's choice.
    pub(super) answers_search: bool,
    /// Where the other end is.
    pub(super) address: IpAddr,
}

/// Ports whose service is searched for by multicast, and answers the searcher alone at the port that it asked from: mDNS
/// (RFC 6762 section 6.7), LLMNR (RFC 4795 section 2.5), SSDP (UPnP Device Architecture 2.0 section 1.3.3).
const SEARCHED_FOR: [(&str, u16); 3] = [("mdns", 5353), ("llmnr", 5355), ("ssdp", 1900)];

/// A name that was asked of a resolver.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub(super) run: usize,
    pub(super) talker: Talker,
    pub(super) name: &'a str,
    pub(super) qtype: Option<&'a str>,
    pub(super) phase: &'a str,
    pub(super) frame: u64,
}

/// Everything of the runs that a declaration could speak of.
#[derive(Debug, Default)]
pub(super) struct Sightings<'a> {
    pub(super) flows: Vec<Sighting<'a>>,
    pub(super) questions: Vec<Question<'a>>,
    /// Flows of which nobody can say who talks, or that no declaration has words for.
    pub(super) left_out: u64,
}

impl<'a> Sightings<'a> {
    /// Of the flows that `wanted` picks.
    pub(super) fn of(runs: &'a [Run<'a>], wanted: impl Fn(&AttributedFlow<'a>) -> bool) -> Self {
        let mut all = Self::default();
        for (run, of) in runs.iter().enumerate() {
            let around = of.observed.sides.surroundings();
            for flow in of.observed.flows.iter().filter(|flow| wanted(flow)) {
                if flow.record.link_control && of.observed.sides.keeps_to_link(flow.record) {
                    continue;
                }
                match sighting(run, flow, around) {
                    Some(sighting) => {
                        all.questions.extend(questions(run, sighting.talker, flow));
                        all.flows.push(sighting);
                    }
                    None => all.left_out += 1,
                }
            }
        }
        all
    }
}

fn sighting<'a>(run: usize, flow: &'a AttributedFlow<'_>, around: &Surroundings) -> Option<Sighting<'a>> {
    let record = flow.record;
    let (talker, opened_by) = match flow.talker.role {
        Role::App => (Talker::App, OpenedBy::Product),
        Role::Os => (Talker::Os, OpenedBy::Product),
        Role::Watch => (Talker::Watch, OpenedBy::Product),
        Role::Services => (Talker::Watch, OpenedBy::Peer),
        Role::Unknown => return None,
    };
    let transport = match record.l4 {
        L4::Tcp => Transport::Tcp,
        L4::Udp => Transport::Udp,
        L4::Icmp | L4::Icmpv6 => Transport::Icmp,
        L4::Other(_) => return None,
    };
    let (to, evidence, address) = match opened_by {
        OpenedBy::Product => {
            let (to, evidence) = whom(record, around);
            (to, evidence, record.server.ip().to_canonical())
        }
        OpenedBy::Peer => {
            let address = record.client.ip().to_canonical();
            (by_address(record, address, around), Evidence::Ip, address)
        }
    };
    let answers_search = transport == Transport::Udp
        && opened_by == OpenedBy::Product
        && matches!(to, To::Class(Class::Lan | Class::Gateway))
        && SEARCHED_FOR.contains(&(record.app.as_str(), record.client.port()))
        && !record.guessed;
    Some(Sighting {
        run,
        talker,
        opened_by,
        to,
        transport,
        port: if transport == Transport::Icmp { 0 } else { record.server.port() },
        app: &record.app,
        sure: !record.guessed,
        evidence,
        encrypted: crate::judge::protection(record) == Protection::Encrypted,
        phase: &flow.phase,
        frame: record.frames[0],
        nothing_sent: crate::judge::protection(record) == Protection::NothingSent,
        answered: record.answered,
        answers_search,
        address,
    })
}

/// A name as a manifest may have it; `None` for what is no host's name, or an address written in a name's place.
pub(super) fn host(name: &str) -> Option<String> {
    canonical_host(name).ok().filter(|host| host.parse::<IpAddr>().is_err())
}

/// Whom a flow that the product opened is with, and how well that is known.
fn whom(record: &FlowRecord, around: &Surroundings) -> (To, Evidence) {
    let told = |names: Vec<&str>| -> To {
        let mut hosts = BTreeSet::new();
        for name in names {
            match host(name) {
                Some(host) => drop(hosts.insert(host)),
                None => return To::NoHost(name.to_owned()),
            }
        }
        To::Names(hosts)
    };
    let own = record.server.ip();
    let asserted = record.names.iter().filter(|name| {
        name.kind.is_asserted() && name.kind != NameKind::EchOuter && name.name.parse() != Ok(own)
    });
    let asserted: Vec<&str> = asserted.map(|name| name.name.as_str()).collect();
    let looked_up: Vec<&str> = record.names_of(NameKind::Dns).collect();
    if !asserted.is_empty() {
        let evidence = if record.corroborated { Evidence::Corroborated } else { Evidence::Sni };
        return (told(asserted), evidence);
    }
    if !looked_up.is_empty() {
        return (told(looked_up), Evidence::Dns);
    }
    (by_address(record, own.to_canonical(), around), Evidence::Ip)
}

fn by_address(record: &FlowRecord, address: IpAddr, around: &Surroundings) -> To {
    let is = |class: Class| class.covers_address(address, around);
    let resolves = record.app == "dns" && record.server.port() == 53;
    if resolves {
        // A resolver is one because the network says so; any other is told by its address.
        return if is(Class::DnsResolver) { To::Class(Class::DnsResolver) } else { To::Address(address) };
    }
    let class = [Class::Multicast, Class::Gateway, Class::Lan].into_iter().find(|class| is(*class));
    class.map_or(To::Address(address), To::Class)
}

fn questions<'a>(
    run: usize,
    talker: Talker,
    flow: &'a AttributedFlow<'_>,
) -> impl Iterator<Item = Question<'a>> {
    let names = flow.record.names.iter().filter(|name| name.kind == NameKind::DnsQuery);
    let phase = flow.phase.as_str();
    names.map(move |name| Question {
        run,
        talker,
        name: &name.name,
        qtype: name.qtype.as_deref(),
        phase,
        frame: name.frame,
    })
}
