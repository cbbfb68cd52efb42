//! Who talks to whom: flows gathered, one after the other, into the endpoints of each client.
//!
//! Keeps of a flow what a table shows and nothing more. Lays nothing out.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;

use super::phrases::{Phrase, Phrases};
use super::words;
use crate::hash::Hasher;
use crate::record::{FlowRecord, MacAddr, NameKind, Reason, State};

/// Names that an endpoint shows of those that were asked for.
const SHOWN: usize = 3;
/// Names that are counted of those that were asked for.
const MAX_ASKED: usize = 1000;

/// What a row says of all of its flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Said<Name> {
    name: Name,
    over: Phrase,
    /// `None` for a resolver: what it is asked would fill rows of its own without telling more.
    evidence: Option<Phrase>,
}

/// Flows of one client that say the same of the same server.
#[derive(Debug)]
pub(super) struct Endpoint {
    said: Said<Box<str>>,
    /// The number of the first flow, and when it began.
    pub(super) first: u64,
    pub(super) first_ns: u64,
    /// As [`words::rank`] has it.
    pub(super) rank: u8,
    /// How many kinds of evidence there are.
    kinds: usize,
    pub(super) flows: u64,
    pub(super) bytes: [u64; 2],
    asked: Vec<String>,
    answered: bool,
    unread: bool,
}

/// A host that opened flows.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// The first that it has in a flow, with that flow's number.
    mac: Option<(u64, MacAddr)>,
    /// The best of its flows'.
    rank: u8,
    pub(super) endpoints: Vec<Endpoint>,
    /// Which endpoint has which words.
    places: HashTable<u32>,
}

/// The endpoints of a capture's flows.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// When the first flow began.
    pub(super) begun_ns: Option<u64>,
    clients: Vec<Client>,
    places: HashMap<IpAddr, usize, Hasher>,
    phrases: Phrases,
    /// Where words are put together.
    words: String,
}

impl Endpoints {
    /// Adds a flow.
    pub(super) fn add(&mut self, flow: &FlowRecord) {
        let Self { begun_ns, clients, places, phrases, words } = self;
        *begun_ns = Some(begun_ns.map_or(flow.first_ns, |begun| begun.min(flow.first_ns)));
        let said = Said::of(flow, words, phrases);
        let client = client(flow.client.ip(), places, clients);
        client.mac = client.mac.or(flow.client_mac.map(|mac| (flow.flow, mac)));
        client.rank = client.rank.min(words::rank(flow));
        let endpoint = match client.find(said, places.hasher()) {
            Some(place) => &mut client.endpoints[place],
            None => client.insert(Endpoint::new(flow, said), places.hasher()),
        };
        endpoint.add(flow);
    }

    /// Adds those of other flows of the capture.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { begun_ns, clients, places, phrases, .. } = self;
        let mut ours_of = |phrase: Phrase| phrases.of(other.phrases.text(phrase));
        *begun_ns = [*begun_ns, other.begun_ns].into_iter().flatten().min();
        for theirs in other.clients {
            let ours = client(theirs.address, places, clients);
            ours.mac = [ours.mac, theirs.mac].into_iter().flatten().min_by_key(|(flow, _)| *flow);
            ours.rank = ours.rank.min(theirs.rank);
            for mut endpoint in theirs.endpoints {
                let Said { over, evidence, .. } = &mut endpoint.said;
                (*over, *evidence) = (ours_of(*over), evidence.map(&mut ours_of));
                match ours.find(endpoint.said.by_name(), places.hasher()) {
                    Some(place) => ours.endpoints[place].merge(endpoint),
                    None => {
                        ours.insert(endpoint, places.hasher());
                    }
                }
            }
        }
    }

    /// Who talks to whom by name comes first; the link's own chatter last. Within a client the widest evidence comes
    /// first, then the first flow.
    pub(super) fn sorted(self) -> (Vec<Client>, Phrases) {
        let Self { mut clients, phrases, .. } = self;
        clients.sort_by_key(|client| (client.rank, client.address));
        for Client { endpoints, .. } in &mut clients {
            endpoints.sort_by_key(|endpoint| {
                (endpoint.rank, Reverse(endpoint.kinds), endpoint.first_ns, endpoint.first)
            });
        }
        (clients, phrases)
    }
}

/// The client of an address, which is a new one if need be.
fn client<'a>(
    address: IpAddr,
    places: &mut HashMap<IpAddr, usize, Hasher>,
    clients: &'a mut Vec<Client>,
) -> &'a mut Client {
    let place = *places.entry(address).or_insert_with(|| {
        let (endpoints, places) = (Vec::new(), HashTable::new());
        clients.push(Client { address, mac: None, rank: u8::MAX, endpoints, places });
        clients.len() - 1
    });
    &mut clients[place]
}

impl Client {
    pub(super) fn mac(&self) -> Option<MacAddr> {
        self.mac.map(|(_, mac)| mac)
    }

    /// Where the endpoint is that says this.
    fn find(&self, said: Said<&str>, state: &Hasher) -> Option<usize> {
        let is_it = |place: &u32| self.endpoints[*place as usize].said.by_name() == said;
        self.places.find(state.hash_one(said), is_it).map(|place| *place as usize)
    }

    /// Adds an endpoint that says what no other says.
    fn insert(&mut self, endpoint: Endpoint, state: &Hasher) -> &mut Endpoint {
        let Self { endpoints, places, .. } = self;
        let place = endpoints.len();
        endpoints.push(endpoint);
        let hash = |place: &u32| state.hash_one(endpoints[*place as usize].said.by_name());
        places.insert_unique(hash(&(place as u32)), place as u32, hash);
        &mut endpoints[place]
    }
}

impl Endpoint {
    fn new(flow: &FlowRecord, said: Said<&str>) -> Self {
        Self {
            said: Said { name: said.name.into(), over: said.over, evidence: said.evidence },
            first: flow.flow,
            first_ns: flow.first_ns,
            rank: words::rank(flow),
            kinds: kinds(flow).len(),
            flows: 0,
            bytes: [0; 2],
            asked: Vec::new(),
            answered: false,
            unread: false,
        }
    }

    fn add(&mut self, flow: &FlowRecord) {
        self.flows += 1;
        for (sum, bytes) in self.bytes.iter_mut().zip(flow.bytes) {
            *sum = sum.saturating_add(bytes);
        }
        self.answered |= flow.answered;
        self.unread |= flow.unread;
        if self.said.evidence.is_none() {
            self.ask(flow.names_of(NameKind::DnsQuery));
        }
    }

    /// Adds other flows of the capture.
    fn merge(&mut self, other: Self) {
        if other.first < self.first {
            let Self { first, first_ns, rank, kinds, .. } = other;
            (self.first, self.first_ns, self.rank, self.kinds) = (first, first_ns, rank, kinds);
        }
        self.flows += other.flows;
        for (sum, bytes) in self.bytes.iter_mut().zip(other.bytes) {
            *sum = sum.saturating_add(bytes);
        }
        self.answered |= other.answered;
        self.unread |= other.unread;
        // Only of a resolver, which goes by its address: both halves of a capture never have one.
        self.ask(other.asked);
    }

    fn ask(&mut self, names: impl IntoIterator<Item = impl AsRef<str> + Into<String>>) {
        for name in names {
            if self.asked.len() < MAX_ASKED && !self.asked.iter().any(|asked| asked == name.as_ref()) {
                self.asked.push(name.into());
            }
        }
    }

    /// Who it is: a name with its port, else the address.
    pub(super) fn name(&self) -> &str {
        &self.said.name
    }

    /// Transport and protocol.
    pub(super) fn over<'a>(&self, phrases: &'a Phrases) -> &'a str {
        phrases.text(self.said.over)
    }

    /// How it is known who it is, or why it is not; of a resolver, what it is asked.
    pub(super) fn evidence<'a>(&self, phrases: &'a Phrases) -> Cow<'a, str> {
        if let Some(evidence) = self.said.evidence {
            return phrases.text(evidence).into();
        }
        let mut words = match self.asked.as_slice() {
            [] => "a resolver".to_owned(),
            names => format!("asks for {}", list(names)),
        };
        if !self.answered {
            words.push_str(", no answer");
        }
        if self.unread {
            words.push_str(", not all of it can be read");
        }
        words.into()
    }
}

impl<'a> Said<&'a str> {
    /// What a flow says; `words` will hold the name.
    fn of(flow: &FlowRecord, words: &'a mut String, phrases: &mut Phrases) -> Self {
        words.clear();
        words::push_over(words, flow);
        let over = phrases.of(words);
        words.clear();
        let evidence = (flow.reason != Some(Reason::Resolver)).then(|| {
            push_evidence(words, flow);
            phrases.of(words)
        });
        words.clear();
        match flow.best_name() {
            Some(best) => {
                words.push_str(best);
                if flow.server.port() != 0 {
                    words.push(':');
                    words.push_str(itoa::Buffer::new().format(flow.server.port()));
                }
            }
            None => words::push_end(words, flow.l4, flow.server),
        }
        Self { name: words, over, evidence }
    }
}

impl Said<Box<str>> {
    fn by_name(&self) -> Said<&str> {
        Said { name: &self.name, over: self.over, evidence: self.evidence }
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

/// How it is known who the server is, or why it is not.
fn push_evidence(words: &mut String, flow: &FlowRecord) {
    match (flow.state, flow.reason) {
        (State::Named, _) => {
            words.push_str(&kinds(flow).join(" + "));
            words.push_str(if flow.corroborated { "" } else { ", uncorroborated" });
        }
        (State::Ambiguous, _) => {
            let names: Vec<&str> = flow.names_of(NameKind::Dns).collect();
            words.push_str("ambiguous: ");
            words.push_str(&list(&names));
        }
        (State::Unresolved, reason) => {
            words.push_str("no name");
            if let Some(reason) = reason {
                words.push_str(": ");
                words.push_str(words::reason(reason));
            }
        }
    }
    for disagreement in &flow.disagreement {
        words.push_str("; ");
        words.push_str(words::disagreement(*disagreement));
    }
    if !flow.answered && flow.reason != Some(Reason::Local) {
        words.push_str(", no answer");
    }
    if !flow.carries.is_empty() {
        words.push_str(", carries ");
        words.push_str(&flow.carries.join(" and "));
    }
    if flow.unread {
        words.push_str(", not all of it can be read");
    }
}

fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
