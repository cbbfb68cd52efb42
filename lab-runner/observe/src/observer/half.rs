//! Which packets an observer takes where two share a capture, and what one has to tell the other meanwhile.
//!
//! What two addresses send each other is one observer's, so that all of a flow, its fragments and what it carries come
//! together; but ICMP is the second's, whoever sends it. One thing crosses: an ICMP error belongs to the flow that it is
//! about, and only if there is none, or it is not sound, to one of its own. Where that may be a flow of the first, it tells
//! the second, which waits for it; nothing goes the other way, so that the two need not keep in step.

use std::hint::spin_loop;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use super::{Ended, Observer, Options};
use crate::hash::fibonacci;
use crate::icmp_error::{self, Quoted, is_icmp};
use crate::ip::{Addr, Ip};
use crate::moment::Moment;
use crate::names::Names;
use crate::packet::{Packet, Wire};
use crate::record::Summary;
use crate::transport::{self, Ends};

/// Errors of which the first has told and the second not yet heard, at most.
const ERRORS: usize = 1 << 14;
/// How often one looks whether it was told of an error before it sleeps.
const SPINS: u32 = 10_000;

/// The packets that an observer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// All that is no IP, too.
    First,
    /// All ICMP, too.
    Second,
}

impl Part {
    /// Whether it has what goes between two addresses, in either direction, given by [`pair`].
    #[inline]
    pub(super) fn has(self, pair: u64) -> bool {
        let is_second = || fibonacci(pair) >> 63 == 1;
        match self {
            Self::Whole => true,
            Self::First => !is_second(),
            Self::Second => is_second(),
        }
    }

    /// Whether it has what goes between two addresses with a protocol.
    #[inline]
    fn has_between(self, one: Addr, other: Addr, protocol: u8) -> bool {
        if is_icmp(protocol) { self != Self::First } else { self.has(pair(one, other)) }
    }
}

/// Two addresses as a number, the same both ways.
#[inline]
fn pair(one: Addr, other: Addr) -> u64 {
    folded(one.bits ^ other.bits)
}

/// A number of half the length.
#[inline]
pub(super) fn folded(bits: u128) -> u64 {
    bits as u64 ^ (bits >> 64) as u64
}

/// The observer that takes the other half.
#[derive(Debug)]
pub(super) struct Other {
    /// Of each ICMP error that is about a packet of the first's half, by its frame, whether it is counted there.
    errors: Errors,
    /// It has seen, or takes, something else than this one thinks: of a file that is being written to, say.
    disagrees: bool,
}

#[derive(Debug)]
enum Errors {
    Tell(SyncSender<(u64, bool)>),
    Hear(Receiver<(u64, bool)>),
}

impl Other {
    /// Whether the error in this frame was counted by the other one.
    fn has_counted(&mut self, frame: u64) -> bool {
        let counted = match &self.errors {
            Errors::Hear(errors) => next(errors).filter(|(number, _)| *number == frame),
            Errors::Tell(_) => None,
        };
        self.disagrees |= counted.is_none();
        counted.is_some_and(|(_, counted)| counted)
    }
}

/// Waits for the next error. The other one is rarely far behind, and going to sleep takes longer than it does.
fn next(errors: &Receiver<(u64, bool)>) -> Option<(u64, bool)> {
    for _ in 0..SPINS {
        match errors.try_recv() {
            Err(TryRecvError::Empty) => spin_loop(),
            told => return told.ok(),
        }
    }
    errors.recv().ok()
}

impl Observer {
    /// Two observers that share a capture; both have to be given all of its frames, each on a thread of its own.
    pub(crate) fn halves(options: &Options) -> [Self; 2] {
        let (tell, hear) = sync_channel(ERRORS);
        let half = |part, errors| {
            let mut half = Self::new(options.clone());
            half.part = part;
            half.other = Some(Other { errors, disagrees: false });
            half.shared.paths.shared();
            half.shared.room.halve();
            half
        };
        [half(Part::First, Errors::Tell(tell)), half(Part::Second, Errors::Hear(hear))]
    }

    /// Says that no more frames come, so that the other half waits for nothing; returns whether the two agreed.
    pub(crate) fn part_ways(&mut self) -> bool {
        self.other.take().is_none_or(|other| !other.disagrees)
    }

    /// Whether both were given as many frames.
    pub(crate) fn has_seen_as_many(&self, other: &Self) -> bool {
        (self.summary.packets, self.summary.bytes) == (other.summary.packets, other.summary.bytes)
    }

    /// Whether a bound might have kept something from one observer that neither half missed.
    pub(crate) fn would_be_bound(&self, other: &Self, options: &Options) -> bool {
        self.summary.flows_refused + other.summary.flows_refused > 0
            || self.flows.len() + other.flows.len() > options.max_flows
            || self.shared.budget.would_be_bound(&other.shared.budget, options.stream_bytes)
            || self.shared.room.was_full
            || other.shared.room.was_full
            || self.shared.paths.would_find(&other.shared.paths)
            || self.fragments.would_be_bound(&other.fragments)
    }

    /// When each flow began.
    pub(crate) fn begun(&self) -> &[Moment] {
        &self.flows.begun
    }

    /// What is told beside the flows of both halves.
    pub(crate) fn ended_with(mut self, second: Self, names: &Names) -> Ended {
        let Summary { flows, unparsed_packets, unparsed_bytes, names_evicted, .. } = second.summary;
        self.summary.flows += flows;
        self.summary.unparsed_packets += unparsed_packets;
        self.summary.unparsed_bytes += unparsed_bytes;
        self.summary.names_evicted += names_evicted;
        self.shared.budget.evicted += second.shared.budget.evicted;
        self.shared.oddities.merge(second.shared.oddities);
        self.ended(names)
    }

    /// Whether this observer takes a packet that is in no tunnel.
    #[inline]
    pub(super) fn takes(&self, ip: &Ip) -> bool {
        let protocol = ip.fragment.as_ref().map_or(ip.protocol, |fragment| fragment.next);
        self.part.has_between(ip.src, ip.dst, protocol)
    }

    /// Whether this observer takes what has no addresses.
    #[inline]
    pub(super) fn takes_the_rest(&self) -> bool {
        self.part != Part::Second
    }

    /// Notes what the first fragment shows to be in its datagram: from the others, an IPv6 header before it may hide ICMP.
    pub(super) fn note_first_fragment(&mut self, ends: &Ends) {
        if ends.tunnel == 0
            && !self.part.has_between(ends.src.0, ends.dst.0, ends.protocol)
            && let Some(other) = &mut self.other
        {
            other.disagrees = true;
        }
    }

    /// Looks at a packet that the other observer takes: an ICMP error may be about a flow of this one.
    #[inline(never)]
    pub(super) fn not_taken(&mut self, wire: &Wire<'_>, data: &[u8], at: usize, ip: &Ip) {
        let looked = icmp_error::look(data, at, ip);
        let Some(quoted) = looked.and_then(|looked| looked.quoted) else { return };
        if !self.takes_flow(&quoted) {
            return;
        }
        let Some((ends, transport)) = &transport::read(data, ip, 0) else { return };
        let packet = Packet { wire, data, at, ip, ends, transport: *transport };
        let reported = self.reported(&packet, &quoted);
        if let Some(Other { errors: Errors::Tell(errors), .. }) = &self.other {
            // Who has parted needs not to know.
            let _ = errors.send((wire.number, reported));
        }
    }

    /// Whether an ICMP error was counted into the flow that it is about, here or by the other observer.
    pub(super) fn is_reported(&mut self, error: &Packet<'_>, quoted: &Quoted) -> bool {
        if error.ends.tunnel != 0 || self.takes_flow(quoted) {
            return self.reported(error, quoted);
        }
        self.other.as_mut().is_some_and(|other| other.has_counted(error.wire.number))
    }

    fn takes_flow(&self, quoted: &Quoted) -> bool {
        self.part.has_between(quoted.src.0, quoted.dst.0, quoted.protocol)
    }
}
