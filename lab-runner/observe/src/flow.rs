//! One flow while it lasts: counters that every packet touches, and evidence that few do.

use crate::capture::Frame;
use crate::ip::Addr;
use crate::names::Known;
use crate::record::{L4, MacAddr, Name, NameKind};
use crate::tcp::Tcp;
use crate::udp::Udp;

/// Names kept for a flow; a resolver's may have many.
const MAX_NAMES: usize = 512;
/// UDP and the like; NATs keep a binding so long (RFC 4787 §4.3 asks for two minutes, many keep less).
const REST_NS: u64 = 60 * 1_000_000_000;
const ICMP_REST_NS: u64 = 30 * 1_000_000_000;

/// What makes packets one flow, with the smaller end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) low: (Addr, u16),
    pub(crate) high: (Addr, u16),
    pub(crate) protocol: u8,
    pub(crate) vlan: Option<u16>,
    /// The number of the flow that carries this one, 0 for none.
    pub(crate) tunnel: u64,
}

impl Key {
    pub(crate) fn new(
        src: (Addr, u16),
        dst: (Addr, u16),
        protocol: u8,
        vlan: Option<u16>,
        tunnel: u64,
    ) -> (Self, bool) {
        let forward = src <= dst;
        let (low, high) = if forward { (src, dst) } else { (dst, src) };
        (Self { low, high, protocol, vlan, tunnel }, forward)
    }
}

/// The side that opened the flow.
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) client: (Addr, u16),
    pub(crate) server: (Addr, u16),
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) frames: [u64; 2],
    /// The client is the key's smaller end.
    pub(crate) client_is_low: bool,
    pub(crate) opening_seen: bool,
    pub(crate) answered: bool,
    pub(crate) link_control: bool,
    pub(crate) fin: [bool; 2],
    pub(crate) reset: bool,
    /// A parser would have wanted bytes that are missing.
    pub(crate) lossy: bool,
    pub(crate) ech: bool,
    pub(crate) guessed: bool,
    pub(crate) payload_seen: bool,
    /// Payload that claimed to be of a protocol could not be read.
    pub(crate) unread: bool,
    /// A packet of the server's side came from the client's link address.
    pub(crate) forged: bool,
    /// The longest IP packet of either side, in bytes.
    pub(crate) longest: [usize; 2],
    /// The sequence number of the client's SYN.
    pub(crate) isn: Option<u32>,
    pub(crate) l4: L4,
    pub(crate) vlan: Option<u16>,
    pub(crate) tunnel: u64,
    pub(crate) interface: u32,
    pub(crate) app: &'static str,
    pub(crate) client_mac: Option<MacAddr>,
    pub(crate) server_mac: Option<MacAddr>,
    pub(crate) stage: Stage,
    pub(crate) evidence: Evidence,
}

/// How far a flow's parsing has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Nothing more to learn: only counters.
    Done,
    Tcp(Box<Tcp>),
    Udp(Udp),
}

/// What was learnt. Empty, and without memory of its own, on most flows of most captures.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) names: Vec<Name>,
    pub(crate) alpn: Vec<String>,
    pub(crate) known: Known,
    /// Names that did not fit.
    pub(crate) dropped: u64,
}

impl Evidence {
    /// Adds a name once.
    pub(crate) fn name(&mut self, kind: NameKind, name: String, frame: u64) {
        if name.is_empty() || self.names.iter().any(|known| known.kind == kind && known.name == name) {
            return;
        }
        if self.names.len() >= MAX_NAMES {
            self.dropped += 1;
            return;
        }
        self.names.push(Name { kind, name, frame, chain: Vec::new() });
    }
}

impl Flow {
    /// A SYN (from the key's smaller end, if `from_low`) begins another connection between the same ends: this one was
    /// closed, or had data under another sequence number.
    pub(crate) fn begins_anew(&self, seq: u32, from_low: bool) -> bool {
        let closed = self.reset || self.fin[CLIENT] || self.fin[SERVER];
        closed || (self.payload_seen && from_low == self.client_is_low && self.isn != Some(seq))
    }

    /// So long after its last packet a flow without connections is over, and what comes is another.
    pub(crate) fn has_rested(&self, now_ns: u64) -> bool {
        let limit_ns = match self.l4 {
            L4::Tcp => return false,
            L4::Icmp | L4::Icmpv6 => ICMP_REST_NS,
            _ => REST_NS,
        };
        now_ns.saturating_sub(self.last_ns) > limit_ns
    }

    /// Goes on where a flow between the same ends had rested: what was spoken is not begun anew.
    pub(crate) fn continues(&mut self, before: &mut Self) {
        if before.app != UNKNOWN {
            self.app = before.app;
            self.guessed = before.guessed;
            self.stage = std::mem::replace(&mut before.stage, Stage::Done);
        }
    }

    /// Counts a frame of one side.
    #[inline]
    pub(crate) fn count(&mut self, frame: &Frame<'_>, number: u64, side: usize) {
        self.last_ns = frame.ts_ns;
        self.frames[1] = number;
        self.packets[side] += 1;
        self.bytes[side] += u64::from(frame.orig_len);
    }

    /// Whether a frame of the server's side has the client's link address; on a loopback all have the same, zeros.
    #[inline]
    pub(crate) fn is_from_client(&self, src: Option<MacAddr>) -> bool {
        self.client_mac.is_some() && src == self.client_mac && src != Some(MacAddr([0; 6]))
    }

    /// Its bytes tell what is spoken; a guess gives way.
    pub(crate) fn recognised(&mut self, app: &'static str) {
        if self.app == UNKNOWN || self.guessed {
            self.app = app;
            self.guessed = false;
        }
    }

    /// One side's bytes alone suggest what is spoken.
    pub(crate) fn suggested(&mut self, app: &'static str) {
        if self.app == UNKNOWN {
            self.app = app;
            self.guessed = true;
        }
    }
}

/// The word for what no parser knows.
pub(crate) const UNKNOWN: &str = "unknown";
