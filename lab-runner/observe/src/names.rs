//! What each client was told by DNS, in the order of the capture.
//!
//! A flow is given what its client knew when it began; what comes later names nothing. A client is an address, and, where
//! one link address plainly belongs to one host, that link address too: so the AAAA that a host got over IPv4 counts for
//! the IPv6 flow that it then opens. Bounded; what did not fit is counted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::hash::Hasher;
use crate::ip::Addr;
use crate::protocol::dns::Message;
use crate::record::MacAddr;

/// Names kept for one client and one address.
const MAX_NAMES: usize = 16;
/// A host with privacy addresses (RFC 8981) has several IPv6 prefixes at most; a router has many.
const MAX_PREFIXES: usize = 4;
const MAX_CLIENTS: usize = 1 << 16;

/// A name that DNS gave for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) name: Arc<str>,
    pub(crate) chain: Arc<[String]>,
    pub(crate) frame: u64,
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
    prefixes: Vec<u64>,
    several: bool,
}

#[derive(Debug)]
pub(crate) struct Names {
    answers: HashMap<(Client, Addr), Vec<Answer>, Hasher>,
    clients: HashMap<Client, Habits, Hasher>,
    behind: HashMap<MacAddr, Behind, Hasher>,
    max_answers: usize,
    pub(crate) evicted: u64,
}

impl Names {
    pub(crate) fn new(max_answers: usize) -> Self {
        Self {
            answers: HashMap::default(),
            clients: HashMap::default(),
            behind: HashMap::default(),
            max_answers,
            evicted: 0,
        }
    }

    /// Notes which link address a flow's first sender has.
    pub(crate) fn sent_from(&mut self, mac: Option<MacAddr>, addr: Addr) {
        let Some(mac) = mac else { return };
        if addr.is_local() || (self.behind.len() >= MAX_CLIENTS && !self.behind.contains_key(&mac)) {
            return;
        }
        let behind = self.behind.entry(mac).or_default();
        if !addr.v6 {
            behind.several |= *behind.v4.get_or_insert(addr) != addr;
        } else if !behind.prefixes.contains(&addr.prefix64()) {
            if behind.prefixes.len() < MAX_PREFIXES {
                behind.prefixes.push(addr.prefix64());
            } else {
                behind.several = true;
            }
        }
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
        for address in &message.addresses {
            let name: Arc<str> = address.name.as_str().into();
            let chain: Arc<[String]> = address.chain.as_slice().into();
            for client in [Some(Client::Ip(addr)), mac.map(Client::Mac)].into_iter().flatten() {
                let key = (client, Addr::from(address.ip));
                if self.answers.len() >= self.max_answers && !self.answers.contains_key(&key) {
                    self.evicted += 1;
                    continue;
                }
                let answers = self.answers.entry(key).or_default();
                if answers.iter().any(|answer| *answer.name == *name && answer.chain == chain) {
                    continue;
                }
                if answers.len() >= MAX_NAMES {
                    self.evicted += 1;
                    continue;
                }
                answers.push(Answer { name: name.clone(), chain: chain.clone(), frame });
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
