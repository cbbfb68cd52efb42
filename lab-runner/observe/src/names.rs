//! What each client was told by DNS, in the order of the capture.
//!
//! A flow is given what its client knew when it began; what comes later names nothing. A client is an address, and, where
//! one link address plainly belongs to one host, that link address too: so the AAAA that a host got over IPv4 counts for
//! the IPv6 flow that it then opens. Bounded in entries and bytes; what did not fit is counted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::hash::Hasher;
use crate::ip::Addr;
use crate::protocol::dns::message::{Chain, Message};
use crate::record::MacAddr;

/// Names kept for one client and one address.
const MAX_NAMES: usize = 16;
/// A host with privacy addresses (RFC 8981) has several IPv6 addresses of one prefix; a router has many of many.
const MAX_ADDRESSES: usize = 4;
const MAX_CLIENTS: usize = 1 << 16;
/// Bytes of names over all clients, and what an entry takes beside them.
const MAX_BYTES: usize = 32 << 20;
const ENTRY_BYTES: usize = 128;

/// A name that DNS gave for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) name: Arc<str>,
    pub(crate) chain: Chain,
    pub(crate) frame: u64,
    /// How many seconds it holds.
    pub(crate) ttl: u32,
}

/// What a client had looked up when a flow began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) answers: Vec<Answer>,
    /// It had asked a resolver at least once.
    pub(crate) used_dns: bool,
    /// It had opened a channel that hides look-ups.
    pub(crate) hidden_dns: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Client {
    Ip(Addr),
    Mac(MacAddr),
}

#[derive(Debug, Default)]
struct Habits {
    used_dns: bool,
    hidden_dns: bool,
}

/// The addresses seen behind a link address.
#[derive(Debug, Default)]
struct Behind {
    v4: Option<Addr>,
    v6: Vec<Addr>,
    several: bool,
}

impl Behind {
    /// More than one host's: a second IPv4 address, a second /64, or many addresses in it.
    fn sees(&mut self, addr: Addr) {
        if !addr.v6 {
            self.several |= *self.v4.get_or_insert(addr) != addr;
        } else if !self.v6.contains(&addr) {
            self.several |= self.v6.len() >= MAX_ADDRESSES
                || self.v6.first().is_some_and(|first| first.prefix64() != addr.prefix64());
            if !self.several {
                self.v6.push(addr);
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Names {
    answers: HashMap<(Client, Addr), Vec<Answer>, Hasher>,
    clients: HashMap<Client, Habits, Hasher>,
    behind: HashMap<MacAddr, Behind, Hasher>,
    max_answers: usize,
    bytes: usize,
    pub(crate) evicted: u64,
}

impl Names {
    pub(crate) fn new(max_answers: usize) -> Self {
        Self {
            answers: HashMap::default(),
            clients: HashMap::default(),
            behind: HashMap::default(),
            max_answers,
            bytes: 0,
            evicted: 0,
        }
    }

    /// Notes which link address a flow's first sender has.
    pub(crate) fn sent_from(&mut self, mac: Option<MacAddr>, addr: Addr) {
        let Some(mac) = mac else { return };
        if addr.is_local() || (self.behind.len() >= MAX_CLIENTS && !self.behind.contains_key(&mac)) {
            return;
        }
        self.behind.entry(mac).or_default().sees(addr);
    }

    /// The client asked a resolver.
    pub(crate) fn asked(&mut self, addr: Addr, mac: Option<MacAddr>) {
        self.habits(addr, mac, |habits| habits.used_dns = true);
    }

    /// The client opened a channel that hides look-ups.
    pub(crate) fn hides(&mut self, addr: Addr, mac: Option<MacAddr>) {
        self.habits(addr, mac, |habits| habits.hidden_dns = true);
    }

    fn habits(&mut self, addr: Addr, mac: Option<MacAddr>, set: impl Fn(&mut Habits)) {
        for client in [Some(Client::Ip(addr)), mac.map(Client::Mac)].into_iter().flatten() {
            if self.clients.len() < MAX_CLIENTS || self.clients.contains_key(&client) {
                set(self.clients.entry(client).or_default());
            }
        }
    }

    /// The client got an answer.
    pub(crate) fn answered(&mut self, addr: Addr, mac: Option<MacAddr>, message: &Message, frame: u64) {
        // Addresses of one message share their names, which are counted once.
        let mut counted: Vec<&Chain> = Vec::new();
        for address in &message.addresses {
            for client in [Some(Client::Ip(addr)), mac.map(Client::Mac)].into_iter().flatten() {
                let key = (client, Addr::from(address.ip));
                let known = self.answers.get(&key);
                let is_same = |answer: &Answer| answer.name == address.name && answer.chain == address.chain;
                if known.is_some_and(|answers| answers.iter().any(is_same)) {
                    continue;
                }
                let is_counted = counted.iter().any(|chain| Arc::ptr_eq(chain, &address.chain));
                let names = if is_counted { 0 } else { bytes_of(&address.name, &address.chain) };
                let fits = match known {
                    Some(answers) => answers.len() < MAX_NAMES,
                    None => self.answers.len() < self.max_answers,
                };
                if !fits || self.bytes + ENTRY_BYTES + names > MAX_BYTES {
                    self.evicted += 1;
                    continue;
                }
                if !is_counted {
                    counted.push(&address.chain);
                }
                self.bytes += ENTRY_BYTES + names;
                let (name, chain) = (address.name.clone(), address.chain.clone());
                // Most addresses have one name.
                let answers = self.answers.entry(key).or_insert_with(|| Vec::with_capacity(1));
                answers.push(Answer { name, chain, frame, ttl: address.ttl });
            }
        }
    }

    /// What the client knows of an address by now.
    pub(crate) fn known(&self, addr: Addr, mac: Option<MacAddr>, server: Addr) -> Known {
        let mut known = Known::default();
        let one_host = |mac: &MacAddr| self.behind.get(mac).is_some_and(|behind| !behind.several);
        for client in [Some(Client::Ip(addr)), mac.filter(one_host).map(Client::Mac)].into_iter().flatten() {
            if let Some(habits) = self.clients.get(&client) {
                known.used_dns |= habits.used_dns;
                known.hidden_dns |= habits.hidden_dns;
            }
            for answer in self.answers.get(&(client, server)).into_iter().flatten() {
                if !known.answers.contains(answer) {
                    known.answers.push(answer.clone());
                }
            }
        }
        known
    }
}

fn bytes_of(name: &str, chain: &[Arc<str>]) -> usize {
    name.len() + chain.iter().map(|alias| alias.len() + size_of::<Arc<str>>()).sum::<usize>()
}
