//! What each client was told by DNS, in the order of the capture.
//!
//! A flow is given what its client knew when it began; what comes later names nothing. So that this can be asked once the
//! capture is over, everything is kept with its [`Moment`]. A client is an address, and, where one link address plainly
//! belongs to one host, that link address too: so the AAAA that a host got over IPv4 counts for the IPv6 flow that it then
//! opens. Bounded in entries and bytes; what did not fit is counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::hash::Hasher;
use crate::ip::Addr;
use crate::moment::Moment;
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
    at: Moment,
}

impl Answer {
    fn is(&self, name: &Arc<str>, chain: &Chain) -> bool {
        self.name == *name && self.chain == *chain
    }
}

/// What a client had looked up when a flow began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    pub(crate) answers: Vec<&'a Answer>,
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

/// When a client first did what.
#[derive(Debug)]
struct Habits {
    used_dns: Moment,
    hidden_dns: Moment,
    /// It got answers that are kept.
    is_told: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { used_dns: Moment::NEVER, hidden_dns: Moment::NEVER, is_told: false }
    }
}

/// The addresses seen behind a link address, each with when it was first.
#[derive(Debug, Default)]
struct Behind {
    v4: Option<(Moment, Addr)>,
    v6: Vec<(Moment, Addr)>,
    /// The first one that can't be the same host's.
    other: Option<(Moment, Addr)>,
}

impl Behind {
    /// More than one host's: a second IPv4 address, a second /64, or many addresses in it.
    fn sees(&mut self, addr: Addr, at: Moment) {
        if self.other.is_some() {
            return;
        }
        let is_other = if !addr.v6 {
            self.v4.get_or_insert((at, addr)).1 != addr
        } else if self.v6.iter().any(|(_, known)| *known == addr) {
            return;
        } else {
            self.v6.len() >= MAX_ADDRESSES
                || self.v6.first().is_some_and(|(_, first)| first.prefix64() != addr.prefix64())
        };
        if is_other {
            self.other = Some((at, addr));
        } else if addr.v6 {
            self.v6.push((at, addr));
        }
    }

    /// Whether it was one host's at a moment, as far as had been seen by then.
    fn is_one_host(&self, at: Moment) -> bool {
        self.other.is_none_or(|(since, _)| since >= at)
    }

    /// What one would have seen who saw what both saw.
    fn with(self, other: Self) -> Self {
        let seen = |behind: Self| behind.v4.into_iter().chain(behind.v6).chain(behind.other);
        let mut all: Vec<_> = seen(self).chain(seen(other)).collect();
        all.sort_unstable();
        let mut both = Self::default();
        for (at, addr) in all {
            both.sees(addr, at);
        }
        both
    }
}

#[derive(Debug)]
pub(crate) struct Names {
    answers: HashMap<(Client, Addr), Vec<Answer>, Hasher>,
    clients: HashMap<Client, Habits, Hasher>,
    behind: HashMap<MacAddr, Behind, Hasher>,
    /// Who began the last flow: begins the next one, too, as a rule.
    sender: Option<(MacAddr, Addr)>,
    max_answers: usize,
    bytes: usize,
    now: Moment,
    /// The capture is over: nothing that begins knows what is learnt from here on.
    over: bool,
    pub(crate) evicted: u64,
}

impl Names {
    pub(crate) fn new(max_answers: usize) -> Self {
        Self {
            answers: HashMap::default(),
            clients: HashMap::default(),
            behind: HashMap::default(),
            sender: None,
            max_answers,
            bytes: 0,
            now: Moment::default(),
            over: false,
            evicted: 0,
        }
    }

    /// A packet of a frame is looked at.
    #[inline]
    pub(crate) fn reached(&mut self, frame: u64, packet: u64) {
        self.now = self.now.max(Moment::of(frame, packet));
    }

    /// When the packet is looked at, or what came of it was last noted.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// A moment for what happens now, after that of what happened before (as far as [`Moment::next`] tells them apart).
    pub(crate) fn moment(&mut self) -> Moment {
        self.now = self.now.next();
        self.now
    }

    /// The capture is over.
    pub(crate) fn close(&mut self) {
        self.over = true;
    }

    /// What is left over of a moment is given up, once the capture is over.
    pub(crate) fn gives_up(&mut self, at: Moment) {
        self.now = at.at_the_end();
    }

    /// Notes which link address a flow's first sender has.
    pub(crate) fn sent_from(&mut self, mac: Option<MacAddr>, addr: Addr) {
        let Some(mac) = mac.filter(|_| !self.over) else { return };
        let is_last = self.sender == Some((mac, addr));
        if !is_last {
            if addr.is_local() {
                return;
            }
            if self.behind.len() >= MAX_CLIENTS && !self.behind.contains_key(&mac) {
                self.evicted += 1;
                return;
            }
        }
        let now = self.moment();
        if is_last {
            return;
        }
        self.sender = Some((mac, addr));
        self.behind.entry(mac).or_default().sees(addr, now);
    }

    /// The client asked a resolver.
    pub(crate) fn asked(&mut self, addr: Addr, mac: Option<MacAddr>) {
        self.habits(addr, mac, |habits, now| habits.used_dns = habits.used_dns.min(now));
    }

    /// The client opened a channel that hides look-ups.
    pub(crate) fn hides(&mut self, addr: Addr, mac: Option<MacAddr>) {
        self.habits(addr, mac, |habits, now| habits.hidden_dns = habits.hidden_dns.min(now));
    }

    fn habits(&mut self, addr: Addr, mac: Option<MacAddr>, set: impl Fn(&mut Habits, Moment)) {
        if self.over {
            return;
        }
        let now = self.moment();
        for client in [Some(Client::Ip(addr)), mac.map(Client::Mac)].into_iter().flatten() {
            match self.client(client) {
                Some(habits) => set(habits, now),
                None => self.evicted += 1,
            }
        }
    }

    /// A client's habits; `None` where no more clients are kept.
    fn client(&mut self, client: Client) -> Option<&mut Habits> {
        let has_room = self.clients.len() < MAX_CLIENTS || self.clients.contains_key(&client);
        has_room.then(|| self.clients.entry(client).or_default())
    }

    /// The client got an answer.
    pub(crate) fn answered(&mut self, addr: Addr, mac: Option<MacAddr>, message: &Message, frame: u64) {
        if self.over {
            return;
        }
        let at = self.moment();
        // Addresses of one message share their names, which are counted once.
        let mut counted: Vec<&Chain> = Vec::new();
        for address in &message.addresses {
            for client in [Some(Client::Ip(addr)), mac.map(Client::Mac)].into_iter().flatten() {
                let key = (client, Addr::from(address.ip));
                let known = self.answers.get(&key);
                if known
                    .is_some_and(|known| known.iter().any(|answer| answer.is(&address.name, &address.chain)))
                {
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
                answers.push(Answer { name, chain, frame, ttl: address.ttl, at });
                match self.client(client) {
                    Some(habits) => habits.is_told = true,
                    None => self.evicted += 1,
                }
            }
        }
    }

    /// Ready to say what clients knew.
    pub(crate) fn recall(&self) -> Recall<'_> {
        Recall { names: self, client: None, facets: [None; 2], behind: None }
    }

    /// What one would have noted who saw what both saw; `None` where a bound might have kept some of it away.
    pub(crate) fn with(mut self, other: Self) -> Option<Self> {
        let is_bound = self.evicted + other.evicted > 0
            || self.answers.len() + other.answers.len() >= self.max_answers
            || self.clients.len() + other.clients.len() >= MAX_CLIENTS
            || self.behind.len() + other.behind.len() >= MAX_CLIENTS
            || self.bytes + other.bytes > MAX_BYTES;
        if is_bound {
            return None;
        }
        for (mac, theirs) in other.behind {
            let ours = self.behind.remove(&mac).unwrap_or_default();
            self.behind.insert(mac, ours.with(theirs));
        }
        for (client, theirs) in other.clients {
            let ours = self.clients.entry(client).or_default();
            ours.used_dns = ours.used_dns.min(theirs.used_dns);
            ours.hidden_dns = ours.hidden_dns.min(theirs.hidden_dns);
            ours.is_told |= theirs.is_told;
        }
        self.answers.reserve(other.answers.len());
        for (key, theirs) in other.answers {
            let mut ours = match self.answers.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(theirs);
                    continue;
                }
                Entry::Occupied(ours) => ours,
            };
            let all = ours.get_mut();
            all.extend(theirs);
            // What both were told counts from when it was told first.
            all.sort_by_key(|answer| answer.at);
            let mut told: Vec<Answer> = Vec::with_capacity(all.len());
            for answer in all.drain(..) {
                if !told.iter().any(|known| known.is(&answer.name, &answer.chain)) {
                    told.push(answer);
                }
            }
            if told.len() > MAX_NAMES {
                return None;
            }
            *all = told;
        }
        self.bytes += other.bytes;
        Some(self)
    }
}

/// Says what clients knew, and has at hand what is known of the last one: flows behind each other often have the same.
#[derive(Debug)]
pub(crate) struct Recall<'a> {
    names: &'a Names,
    client: Option<(Addr, Option<MacAddr>)>,
    /// The client as its address, and as its link address.
    facets: [Option<Facet<'a>>; 2],
    /// What was seen behind its link address.
    behind: Option<&'a Behind>,
}

/// A client that had looked something up, or may have.
#[derive(Debug, Clone, Copy)]
struct Facet<'a> {
    client: Client,
    habits: Option<&'a Habits>,
}

impl<'a> Recall<'a> {
    /// What a client knew of an address at a moment.
    pub(crate) fn known(&mut self, addr: Addr, mac: Option<MacAddr>, server: Addr, at: Moment) -> Known<'a> {
        if self.client != Some((addr, mac)) {
            self.client = Some((addr, mac));
            self.facets = [Some(Client::Ip(addr)), mac.map(Client::Mac)].map(|client| self.facet(client?));
            self.behind = mac.and_then(|mac| self.names.behind.get(&mac));
        }
        let at = at.in_the_capture();
        let mut known = Known::default();
        let [as_address, as_link_address] = self.facets;
        let is_one_host = || self.behind.is_some_and(|behind| behind.is_one_host(at));
        for facet in [as_address, as_link_address.filter(|_| is_one_host())].into_iter().flatten() {
            if let Some(habits) = facet.habits {
                known.used_dns |= habits.used_dns < at;
                known.hidden_dns |= habits.hidden_dns < at;
                if !habits.is_told {
                    continue;
                }
            }
            let answers = self.names.answers.get(&(facet.client, server)).into_iter().flatten();
            for answer in answers.filter(|answer| answer.at < at) {
                if !known.answers.contains(&answer) {
                    known.answers.push(answer);
                }
            }
        }
        known
    }

    /// `None` where the client never looked anything up.
    fn facet(&self, client: Client) -> Option<Facet<'a>> {
        let habits = self.names.clients.get(&client);
        // Where no more clients were kept, it may have answers all the same.
        (habits.is_some() || self.names.clients.len() >= MAX_CLIENTS).then_some(Facet { client, habits })
    }
}

fn bytes_of(name: &str, chain: &[Arc<str>]) -> usize {
    name.len() + chain.iter().map(|alias| alias.len() + size_of::<Arc<str>>()).sum::<usize>()
}
