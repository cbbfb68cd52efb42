//! Puts the fragments of datagrams together (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Bounded in datagrams, in pieces of each, and in bytes, which come out of the pool of all streams. Pieces that overlap
//! with other bytes spoil their datagram: two hosts may read it differently (RFC 5722).

use std::collections::{BTreeMap, HashMap};

use crate::capture::Frame;
use crate::hash::Hasher;
use crate::ip::{Addr, Fragment, Ip};
use crate::link::Link;
use crate::moment::Moment;
use crate::stream::Budget;

/// Datagrams whose fragments are awaited.
const MAX_DATAGRAMS: usize = 4096;
/// Bytes of all of them, with what it costs to keep them.
const MAX_HELD: usize = 4 << 20;
/// What a piece costs beside its bytes.
const PIECE_COST: usize = 64;
/// What a piece costs that came before the first one.
const WAITING_COST: usize = 256;
/// The longest datagram, cut for a link of 576 bytes, has so many.
pub(crate) const MAX_PIECES: usize = 128;
/// RFC 791 §3.2: no longer than what a length field can say.
const MAX_DATAGRAM: usize = 0xffff;
/// RFC 8200 §4.5.
const PATIENCE_NS: u64 = 60 * 1_000_000_000;

/// What tells datagrams apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    src: Addr,
    dst: Addr,
    id: u32,
    next: u8,
    vlan: Option<u16>,
    tunnel: u64,
}

impl Key {
    pub(crate) fn new(ip: &Ip, fragment: &Fragment, vlan: Option<u16>, tunnel: u64) -> Self {
        Self { src: ip.src, dst: ip.dst, id: fragment.id, next: fragment.next, vlan, tunnel }
    }
}

/// What the first piece told: it alone has the transport's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct First {
    pub(crate) flow: usize,
    pub(crate) side: usize,
    pub(crate) frame: u64,
    /// The IP header of the datagram: its offsets are in the datagram's bytes.
    pub(crate) ip: Ip,
}

/// A piece that came before the first one, and is not counted into any flow yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) frame: Frame<'static>,
    pub(crate) number: u64,
    pub(crate) link: Link,
    pub(crate) carrier: Option<usize>,
    pub(crate) ip: Ip,
}

/// A datagram of which pieces came.
#[derive(Debug, Default)]
pub(crate) struct Datagram {
    pub(crate) first: Option<First>,
    pub(crate) waiting: Vec<Waiting>,
    /// By offset, without overlaps; of each what was captured, and how long it was on the wire.
    pieces: BTreeMap<usize, (Vec<u8>, usize)>,
    /// Its length, once the last piece came.
    pub(crate) total: Option<usize>,
    /// The number of the flow that carries it, 0 for none.
    pub(crate) tunnel: u64,
    /// Why it can't be put together.
    pub(crate) spoilt: Option<&'static str>,
    begun_ns: u64,
    /// When its first piece came.
    pub(crate) begun: Moment,
    place: u64,
    cost: usize,
}

impl Datagram {
    /// Adds a piece; answers with a word where it spoils the datagram.
    fn add(&mut self, fragment: &Fragment, body: &[u8]) -> Result<(), &'static str> {
        let length = fragment.length;
        let (from, to) = (fragment.offset, fragment.offset + length);
        let end = self.pieces.last_key_value().map_or(0, |(offset, (_, length))| offset + length);
        let total = if fragment.last { Some(to) } else { self.total };
        // Only the last piece may end between the units of offsets.
        let is_odd = length == 0 || (!fragment.last && !length.is_multiple_of(8));
        if is_odd || to > MAX_DATAGRAM || total.is_some_and(|total| end.max(to) > total) {
            return Err("fragment_malformed");
        }
        if let Some((known, known_length)) = self.pieces.get(&from)
            && (*known_length, known.as_slice()) == (length, body)
        {
            // It was captured, or sent, twice.
            return Ok(());
        }
        let before = self.pieces.range(..=from).next_back();
        let after = self.pieces.range(from..).next();
        let moved = self.total.is_some() && self.total != total;
        if moved
            || before.is_some_and(|(offset, (_, length))| offset + length > from)
            || after.is_some_and(|(offset, _)| *offset < to)
        {
            return Err("fragments_overlap");
        }
        if self.pieces.len() >= MAX_PIECES {
            return Err("fragment_malformed");
        }
        self.total = total;
        self.pieces.insert(from, (body.to_vec(), length));
        Ok(())
    }

    /// It is not waited for any longer.
    fn is_outdated(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.begun_ns) > PATIENCE_NS
    }

    fn is_whole(&self) -> bool {
        let captured: usize = self.pieces.values().map(|(bytes, _)| bytes.len()).sum();
        self.spoilt.is_none() && self.first.is_some() && self.total == Some(captured)
    }

    /// The bytes from the beginning on that are there without a gap.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (offset, (bytes, length)) in &self.pieces {
            if *offset != all.len() {
                break;
            }
            all.extend_from_slice(bytes);
            if bytes.len() < *length {
                break;
            }
        }
        all
    }
}

/// What came of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// More pieces are awaited.
    Held,
    /// Its datagram is whole.
    Whole,
    /// Its datagram can't be put together any longer, for a reason with a word.
    Spoilt(&'static str),
}

/// All datagrams of which pieces are awaited.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    open: HashMap<Key, Datagram, Hasher>,
    /// The oldest first.
    order: BTreeMap<u64, Key>,
    next: u64,
    held: usize,
    /// How many datagrams there were at the most.
    most_open: usize,
    most_held: usize,
}

impl Fragments {
    /// The datagram of a key, begun now if need be.
    pub(crate) fn of(&mut self, key: Key, now_ns: u64, now: Moment) -> &mut Datagram {
        let open = self.open.len() + 1;
        self.open.entry(key).or_insert_with(|| {
            self.most_open = self.most_open.max(open);
            self.next += 1;
            self.order.insert(self.next, key);
            let (place, tunnel) = (self.next, key.tunnel);
            Datagram { begun_ns: now_ns, begun: now, place, tunnel, ..Datagram::default() }
        })
    }

    /// Adds a piece to its datagram.
    pub(crate) fn add(&mut self, key: Key, fragment: &Fragment, body: &[u8], budget: &mut Budget) -> Added {
        let Some(datagram) = self.open.get_mut(&key) else { return Added::Held };
        let mut added = Added::Held;
        if datagram.spoilt.is_none()
            && let Err(word) = datagram.add(fragment, body)
        {
            datagram.spoilt = Some(word);
            datagram.pieces = BTreeMap::new();
            added = Added::Spoilt(word);
        }
        let pieces: usize = datagram.pieces.values().map(|(bytes, _)| bytes.len() + PIECE_COST).sum();
        budget.give(datagram.cost);
        let wanted = pieces + datagram.waiting.len() * WAITING_COST;
        let cost = if budget.take(wanted) { wanted } else { budget.take_all() };
        self.held = self.held + cost - datagram.cost;
        self.most_held = self.most_held.max(self.held);
        datagram.cost = cost;
        if datagram.is_whole() { Added::Whole } else { added }
    }

    /// Takes a datagram out.
    pub(crate) fn take(&mut self, key: &Key, budget: &mut Budget) -> Option<Datagram> {
        let datagram = self.open.remove(key)?;
        self.order.remove(&datagram.place);
        self.held -= datagram.cost;
        budget.give(datagram.cost);
        Some(datagram)
    }

    /// Takes out the datagram of this key if it is not waited for any longer: what comes now is another.
    ///
    /// Only then: when a datagram is given up depends on nothing that others do.
    pub(crate) fn outdated(&mut self, key: &Key, now_ns: u64, budget: &mut Budget) -> Option<Datagram> {
        self.open.get(key).filter(|datagram| datagram.is_outdated(now_ns))?;
        self.take(key, budget)
    }

    /// Takes out the oldest datagram where a bound is reached.
    pub(crate) fn too_many(&mut self, now_ns: u64, budget: &mut Budget) -> Option<Datagram> {
        if self.open.len() <= MAX_DATAGRAMS && self.held <= MAX_HELD && budget.left() > 0 {
            return None;
        }
        let oldest = self.oldest(budget)?;
        budget.evicted += u64::from(!oldest.is_outdated(now_ns));
        Some(oldest)
    }

    /// Takes out the oldest datagram.
    pub(crate) fn oldest(&mut self, budget: &mut Budget) -> Option<Datagram> {
        let (_, key) = self.order.first_key_value()?;
        let key = *key;
        self.take(&key, budget)
    }

    /// Whether one who keeps what both kept might have reached a bound.
    pub(crate) fn would_be_bound(&self, other: &Self) -> bool {
        self.most_open + other.most_open > MAX_DATAGRAMS || self.most_held + other.most_held > MAX_HELD
    }
}
