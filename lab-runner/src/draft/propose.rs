//! Sightings to proposals: what was used alike becomes one declaration, as wide as the repeats show and no wider.
//!
//! It decides what a declaration would say; whether it may be made without a person's word is decided in `suspicion`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::channel;
use super::network;
use super::pattern::{self, NamePattern, Names};
use super::purpose::{self, Guess};
use super::sighting::{self, Question, Sighting, Sightings, To};
use crate::manifest::{
    Class, Evidence, Glob, Ids, OpenedBy, Peer, PortRange, Talker, Transport, registered_domain,
};

/// The first port that a host takes where it doesn't matter (RFC 6056 section 3.2 suggests all from 1024 on).
const FIRST_FREE_PORT: u16 = 1024;
const FREE_PORTS: PortRange = PortRange { first: FIRST_FREE_PORT, last: u16::MAX };
/// What `lab observe` calls a protocol that it doesn't know.
pub(super) const UNKNOWN: &str = "unknown";
const DNS_PORT: u16 = 53;

/// A declaration that is proposed.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Unique in the draft.
    pub id: String,
    /// Who talks.
    pub talker: Talker,
    /// Who opens.
    pub opened_by: OpenedBy,
    /// To whom.
    pub peer: Peer,
    /// Over what.
    pub transport: Transport,
    /// On which ports; none for ICMP.
    pub ports: Vec<PortRange>,
    /// What is spoken.
    pub protocol: Option<String>,
    /// The evidence that there is for the peer.
    pub evidence: Evidence,
    /// Everything that was sent was encrypted.
    pub encrypted: bool,
    /// The phases in which it was seen.
    pub phases: BTreeSet<String>,
    /// What it may be for.
    pub guess: Option<Guess>,
    /// What it was made from.
    pub seen: Seen,
    /// What a person should look at, though it is declared.
    pub marks: Vec<String>,
    /// Why it isn't declared without a person's word.
    pub suspicions: Vec<String>,
    /// The other ends' addresses.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// What is spoken was told by the bytes of both sides at least once.
    pub(super) sure: bool,
    /// Names are only asked for; nothing was opened.
    pub(super) only_asked: bool,
    /// There are words for it in a manifest: its names are host names.
    pub(super) declarable: bool,
}

/// What a proposal was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The names that stand behind a pattern.
    pub names: Vec<String>,
    /// The runs that show it, by their place in the list.
    pub runs: BTreeSet<usize>,
    /// Flows, or questions.
    pub count: u64,
    /// The first run that shows it, and the frame in its capture.
    pub first: (usize, u64),
}

impl Seen {
    fn add(&mut self, run: usize, frame: u64) {
        if self.count == 0 || (run, frame) < self.first {
            self.first = (run, frame);
        }
        self.count += 1;
        self.runs.insert(run);
    }
}

/// What makes flows alike, but for their names and ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    talker: Talker,
    opened_by: OpenedBy,
    transport: Transport,
    app: String,
    /// Nobody but the client says the name.
    uncorroborated: bool,
    /// It only answers searches.
    answers_search: bool,
}

/// Proposes declarations for everything that was seen, most seen first within each talker.
pub(super) fn propose(sightings: &Sightings<'_>, runs: usize) -> Vec<Proposal> {
    let apps = Apps::of(&sightings.flows);
    let mut named: BTreeMap<(Alike, u16), Vec<&Sighting<'_>>> = BTreeMap::new();
    let mut unnamed: BTreeMap<(Alike, To), Vec<&Sighting<'_>>> = BTreeMap::new();
    for sighting in &sightings.flows {
        let alike = Alike {
            talker: sighting.talker,
            opened_by: sighting.opened_by,
            transport: sighting.transport,
            app: apps.of_flow(sighting).to_owned(),
            uncorroborated: sighting.evidence == Evidence::Sni,
            answers_search: sighting.answers_search,
        };
        match &sighting.to {
            To::Names(_) => named.entry((alike, sighting.port)).or_default().push(sighting),
            to => unnamed.entry((alike, to.clone())).or_default().push(sighting),
        }
    }
    let mut proposals = Vec::new();
    for ((alike, port), flows) in named {
        let others = unnamed.iter().filter(|((other, _), _)| *other == alike).flat_map(|(_, others)| others);
        let others: Vec<&Sighting<'_>> = others.copied().filter(|other| other.port == port).collect();
        let turns = network::taking_turns(&flows, &others, runs);
        proposals.extend(of_names(&alike, port, &flows, &turns, runs));
    }
    for ((alike, to), flows) in unnamed {
        proposals.push(of_address(&alike, &to, &flows));
    }
    proposals.extend(of_questions(&sightings.questions, &proposals, runs));
    for proposal in &mut proposals {
        let port = proposal.ports.first().map_or(0, |ports| ports.first);
        let spoken =
            if proposal.only_asked { UNKNOWN } else { proposal.protocol.as_deref().unwrap_or("icmp") };
        proposal.guess = purpose::guess(spoken, &proposal.seen.names, port);
    }
    proposals.sort_by_key(|proposal| {
        (proposal.talker, proposal.opened_by, std::cmp::Reverse(proposal.seen.runs.len()))
    });
    name(&mut proposals);
    proposals
}

/// What is spoken with whom, where some flow shows it: a connection that came to nothing says nothing against it.
struct Apps<'s>(BTreeMap<(&'s To, Transport, u16), BTreeSet<&'s str>>);

impl<'s> Apps<'s> {
    fn of(flows: &'s [Sighting<'_>]) -> Self {
        let mut known: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for flow in flows.iter().filter(|flow| flow.sure && flow.app != UNKNOWN) {
            known.entry((&flow.to, flow.transport, flow.port)).or_default().insert(flow.app);
        }
        Self(known)
    }

    fn of_flow<'a>(&self, flow: &'a Sighting<'_>) -> &'a str
    where
        's: 'a,
    {
        let silent = flow.nothing_sent || !flow.sure;
        match self.0.get(&(&flow.to, flow.transport, flow.port)) {
            Some(apps) if silent && apps.len() == 1 => apps.first().copied().unwrap_or(flow.app),
            _ => flow.app,
        }
    }
}

fn blank(alike: &Alike, peer: Peer) -> Proposal {
    let protocol = (alike.transport != Transport::Icmp).then(|| alike.app.clone());
    Proposal {
        id: String::new(),
        talker: alike.talker,
        opened_by: alike.opened_by,
        peer,
        transport: alike.transport,
        ports: Vec::new(),
        protocol,
        evidence: Evidence::Corroborated,
        encrypted: true,
        phases: BTreeSet::new(),
        guess: None,
        seen: Seen::default(),
        marks: Vec::new(),
        suspicions: Vec::new(),
        addresses: BTreeSet::new(),
        sure: false,
        only_asked: false,
        declarable: true,
    }
}

impl Proposal {
    fn add(&mut self, flow: &Sighting<'_>) {
        self.seen.add(flow.run, flow.frame);
        self.evidence = self.evidence.max(flow.evidence);
        self.encrypted &= flow.encrypted || flow.nothing_sent;
        self.sure |= flow.sure && !flow.nothing_sent;
        self.phases.insert(flow.phase.to_owned());
        self.addresses.insert(flow.address);
    }
}

fn of_names(
    alike: &Alike,
    port: u16,
    flows: &[&Sighting<'_>],
    turns: &BTreeSet<String>,
    runs: usize,
) -> Vec<Proposal> {
    let mut names = Names::new();
    for flow in flows {
        let To::Names(of_flow) = &flow.to else { continue };
        for name in of_flow {
            names.entry(name.clone()).or_default().insert(flow.run);
        }
    }
    // Whoever keeps time by servers that are others in each run has them from a list.
    let lists = alike.app == "ntp" && names.len() > 2 && names.values().all(|seen| seen.len() < runs);
    let pool = |name: &str| alike.app == "ntp" && Class::NtpPool.covers_name(name);
    let pooled: Vec<String> = names.keys().filter(|name| pool(name)).cloned().collect();
    let mut peers = Vec::new();
    if !pooled.is_empty() {
        names.retain(|name, _| !pool(name));
        peers.push((Peer::Class(Class::NtpPool), pooled));
    }
    for one in pattern::generalise(&names, runs, |name| lists || turns.contains(name)) {
        peers.push((peer(one.pattern), one.names));
    }
    let mut proposals = Vec::new();
    for (peer, names) in peers {
        let mut proposal = blank(alike, peer);
        proposal.ports = vec![port.into()];
        if let ([name], false) = (&names[..], matches!(proposal.peer, Peer::Host(_) | Peer::Class(_))) {
            let servers = "its name counts, and servers beside it take turns from run to run";
            let list = "its name counts, and the time is taken from servers that change from run to run";
            push(&mut proposal.marks, if turns.contains(name) { servers } else { list });
        }
        for flow in flows {
            let To::Names(of_flow) = &flow.to else { continue };
            if of_flow.iter().any(|name| names.contains(name)) {
                proposal.add(flow);
                if !of_flow.iter().all(|name| proposal.peer.covers_name(name)) {
                    let mark = "its address has other names as well, or it asserts several: one declaration has to cover all";
                    push(&mut proposal.marks, mark);
                }
            }
        }
        proposal.seen.names = names;
        proposals.push(proposal);
    }
    proposals
}

/// The peer of a pattern. A pattern was made from names, so that it always is one.
fn peer(pattern: NamePattern) -> Peer {
    match pattern {
        NamePattern::Host(host) => Peer::Host(host),
        NamePattern::Suffix(suffix) => Peer::Suffix(suffix),
        NamePattern::Glob(glob) => match Glob::parse(&glob) {
            Ok(glob) => Peer::Glob(glob),
            Err(_) => Peer::Host(glob),
        },
    }
}

fn of_address(alike: &Alike, to: &To, flows: &[&Sighting<'_>]) -> Proposal {
    // One neighbour is that one; only where it was another now and then is it anybody on the network. Who calls, or
    // searches, is not the product's choice.
    let called = alike.opened_by == OpenedBy::Peer || alike.answers_search;
    let first = flows.first().map(|flow| flow.address).filter(|_| !called);
    let one = first.filter(|first| flows.iter().all(|flow| flow.address == *first));
    let peer = match to {
        To::Class(class) => match one.filter(|_| *class == Class::Lan) {
            Some(address) => Peer::Cidr(IpNet::from(address)),
            None => Peer::Class(*class),
        },
        To::Address(address) => Peer::Cidr(IpNet::from(*address)),
        To::NoHost(name) => Peer::Host(name.clone()),
        To::Names(_) => Peer::Host(String::new()),
    };
    let is_local = matches!(to, To::Class(_));
    let mut proposal = blank(alike, peer);
    let mut ports: BTreeMap<u16, BTreeSet<usize>> = BTreeMap::new();
    for flow in flows {
        proposal.add(flow);
        ports.entry(flow.port).or_default().insert(flow.run);
    }
    if let To::NoHost(name) = to {
        proposal.seen.names.push(name.clone());
        proposal.declarable = false;
    }
    if alike.answers_search {
        push(
            &mut proposal.marks,
            "it answers whoever searches on the local network, at the port that was asked from",
        );
        proposal.ports = vec![FREE_PORTS];
    } else if alike.transport != Transport::Icmp {
        let free = if is_local { free_ports(&ports) } else { BTreeSet::new() };
        let kept = ports.keys().filter(|port| !free.contains(port));
        proposal.ports = kept.map(|port| PortRange::from(*port)).collect();
        if !free.is_empty() {
            let mark = "its port was another one in every run, so that any free one is admitted";
            push(&mut proposal.marks, mark);
            proposal.ports.retain(|ports| ports.first < FIRST_FREE_PORT);
            proposal.ports.push(FREE_PORTS);
        }
    }
    proposal
}

/// Ports that no other run shows, where every run has such a one and all of them are free ones.
fn free_ports(ports: &BTreeMap<u16, BTreeSet<usize>>) -> BTreeSet<u16> {
    let shown: BTreeSet<usize> = ports.values().flatten().copied().collect();
    let once = ports.iter().filter(|(_, runs)| runs.len() == 1);
    let once: BTreeMap<u16, usize> =
        once.flat_map(|(port, runs)| runs.iter().map(|run| (*port, *run))).collect();
    let in_every_run = once.values().copied().collect::<BTreeSet<usize>>() == shown;
    let all_free = once.keys().all(|port| *port >= FIRST_FREE_PORT);
    if in_every_run && shown.len() > 1 && all_free { once.into_keys().collect() } else { BTreeSet::new() }
}

/// Names that were asked for, and that nothing proposed so far covers.
fn of_questions(questions: &[Question<'_>], proposals: &[Proposal], runs: usize) -> Vec<Proposal> {
    let mut asked: BTreeMap<Talker, BTreeMap<String, Vec<&Question<'_>>>> = BTreeMap::new();
    let mut strange: BTreeMap<(Talker, &str), Vec<&Question<'_>>> = BTreeMap::new();
    for question in questions {
        let covered = |proposal: &Proposal| {
            proposal.talker == question.talker && proposal.peer.covers_name(question.name)
        };
        if proposals.iter().any(covered) {
            continue;
        }
        match sighting::host(question.name) {
            Some(name) => asked.entry(question.talker).or_default().entry(name).or_default().push(question),
            None => {
                let domain = registered_domain(question.name);
                strange.entry((question.talker, domain)).or_default().push(question);
            }
        }
    }
    let mut found = Vec::new();
    for (talker, mut asked) in asked {
        // What is told through names is one thing, however many names it takes.
        for domain in channel::open(asked.values().flatten().copied()) {
            let told = asked.extract_if(.., |name, _| registered_domain(name) == domain);
            let (names, of): (Vec<String>, Vec<Vec<&Question<'_>>>) = told.unzip();
            found.push(of_look_up(talker, Peer::Suffix(domain), names, of.into_iter().flatten()));
        }
        let names: Names = asked
            .iter()
            .map(|(name, of)| (name.clone(), of.iter().map(|question| question.run).collect()))
            .collect();
        for one in pattern::generalise(&names, runs, |_| false) {
            let of = one.names.iter().filter_map(|name| asked.get(name)).flatten().copied();
            found.push(of_look_up(talker, peer(one.pattern), one.names.clone(), of));
        }
    }
    for ((talker, domain), of) in strange {
        let names: BTreeSet<String> = of.iter().map(|question| question.name.to_owned()).collect();
        let names = names.into_iter().collect();
        let mut proposal = of_look_up(talker, Peer::Host(domain.to_owned()), names, of.into_iter());
        proposal.declarable = false;
        found.push(proposal);
    }
    found
}

/// A name that is only asked for is admitted as a question: DNS asserts no name, so that no flow satisfies it.
fn of_look_up<'q>(
    talker: Talker,
    peer: Peer,
    names: Vec<String>,
    questions: impl Iterator<Item = &'q Question<'q>>,
) -> Proposal {
    let app = "dns".to_owned();
    let alike = Alike {
        talker,
        opened_by: OpenedBy::Product,
        transport: Transport::Udp,
        app,
        uncorroborated: false,
        answers_search: false,
    };
    let mut proposal = blank(&alike, peer);
    proposal.ports = vec![DNS_PORT.into()];
    (proposal.encrypted, proposal.only_asked, proposal.sure) = (false, true, true);
    for question in questions {
        proposal.seen.add(question.run, question.frame);
        proposal.phases.insert(question.phase.to_owned());
    }
    proposal.seen.names = names;
    proposal
}

fn push(to: &mut Vec<String>, text: &str) {
    if !to.iter().any(|known| known == text) {
        to.push(text.to_owned());
    }
}

/// Gives every proposal an id of its own, from its peer and what it speaks.
fn name(proposals: &mut [Proposal]) {
    let mut ids = Ids::default();
    for proposal in proposals {
        let peer = match &proposal.peer {
            Peer::Host(host) => host.clone(),
            Peer::Suffix(suffix) => suffix.clone(),
            Peer::Glob(glob) => glob.tail(),
            Peer::Cidr(net) => format!("address {}", net.addr()),
            Peer::Class(class) => class.word().to_owned(),
        };
        let spoken = match &proposal.protocol {
            _ if proposal.only_asked => "look-up".to_owned(),
            Some(protocol) if protocol != UNKNOWN => protocol.clone(),
            Some(_) => {
                let port = proposal.ports.first().map_or(0, |ports| ports.first);
                format!("{} {port}", proposal.transport.word())
            }
            None => proposal.transport.word().to_owned(),
        };
        let from = if proposal.opened_by == OpenedBy::Peer { "from " } else { "" };
        proposal.id = ids.take(&in_letters(&format!("{from}{peer} {spoken}")));
    }
}

/// In the letters of an id: it begins with a letter, has letters, digits and hyphens, and leaves room for a number.
fn in_letters(text: &str) -> String {
    const LONGEST: usize = 50;
    let mut id = String::new();
    for character in text.chars().take(LONGEST) {
        if character.is_ascii_alphanumeric() {
            id.push(character.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_end_matches('-');
    if id.starts_with(|first: char| first.is_ascii_alphabetic()) {
        id.to_owned()
    } else {
        format!("host-{id}")
    }
}
