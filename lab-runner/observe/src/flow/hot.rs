//! What every packet of a flow touches, and nothing else: a packet of an answered flow costs a look-up and these counters.

use super::key::Key;
use crate::capture::Frame;
use crate::ip::Addr;
use crate::protocol::interface::Wake;
use crate::record::{L4, MacAddr};
use crate::tcp::{FIN, RST};

/// UDP and the like; NATs keep a binding so long (RFC 4787 §4.3 asks for two minutes, many keep less).
const REST_NS: u64 = 60 * 1_000_000_000;
const ICMP_REST_NS: u64 = 30 * 1_000_000_000;

/// The side that opened the flow.
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// A link address in a word; 0 where the link has none, or only zeros, as on a loopback.
#[inline]
pub(crate) fn packed(mac: Option<MacAddr>) -> u64 {
    let [a, b, c, d, e, f] = mac.map_or([0; 6], |mac| mac.0);
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) key: Key,
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) last_ns: u64,
    pub(crate) last_frame: u64,
    client_mac: u64,
    /// The longest IP packet of either side, in bytes.
    pub(crate) longest: [u32; 2],
    /// The client is the key's smaller end.
    pub(crate) client_is_low: bool,
    /// Bytes of which sides would be looked at.
    pub(crate) wants: [bool; 2],
    /// Which datagrams would be, where none of these is set.
    pub(crate) wake: Wake,
    /// What was read of the client may still be contradicted, until the server acknowledges it.
    pub(crate) unacknowledged: bool,
    pub(crate) answered: bool,
    /// So far every packet was control traffic of the link.
    pub(crate) link_control: bool,
    pub(crate) fin: [bool; 2],
    pub(crate) reset: bool,
    pub(crate) payload_seen: bool,
    /// A side has begun with another number before there was any data, see [`super::Renumbered`].
    pub(crate) renumbered: [bool; 2],
    /// A packet of the server's side came from the client's link address.
    pub(crate) forged: bool,
    /// And one from another.
    pub(crate) genuine: bool,
    /// Another flow between the same ends came after it.
    pub(crate) superseded: bool,
}

impl Hot {
    pub(crate) fn new(key: Key, client_is_low: bool, client_mac: Option<MacAddr>) -> Self {
        Self {
            key,
            packets: [0; 2],
            bytes: [0; 2],
            last_ns: 0,
            last_frame: 0,
            client_mac: packed(client_mac),
            longest: [0; 2],
            client_is_low,
            wants: [false; 2],
            wake: Wake::Never,
            unacknowledged: false,
            answered: false,
            link_control: true,
            fin: [false; 2],
            reset: false,
            payload_seen: false,
            renumbered: [false; 2],
            forged: false,
            genuine: false,
            superseded: false,
        }
    }

    /// The client's end, and the server's.
    pub(crate) fn ends(&self) -> [(Addr, u16); 2] {
        let [low, high] = self.key.ends();
        if self.client_is_low { [low, high] } else { [high, low] }
    }

    /// The client's port, and the server's.
    #[inline]
    pub(crate) fn ports(&self) -> [u16; 2] {
        let [low, high] = self.key.ports();
        if self.client_is_low { [low, high] } else { [high, low] }
    }

    /// Counts a frame of one side.
    #[inline]
    pub(crate) fn count(&mut self, frame: &Frame<'_>, number: u64, side: usize) {
        self.last_ns = frame.ts_ns;
        self.last_frame = number;
        self.packets[side] += 1;
        self.bytes[side] += u64::from(frame.orig_len);
    }

    /// Counts a frame of one side that brings an IP packet of so many bytes from a link address.
    #[inline]
    pub(crate) fn packet(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        side: usize,
        length: usize,
        src: Option<MacAddr>,
    ) {
        self.count(frame, number, side);
        self.longest[side] = self.longest[side].max(length as u32);
        if side == SERVER {
            let is_from_client = self.is_from_client(src);
            self.forged |= is_from_client;
            self.genuine |= !is_from_client;
        }
    }

    /// Notes what a TCP header says.
    #[inline]
    pub(crate) fn tcp(&mut self, side: usize, flags: u8, has_payload: bool) {
        self.link_control = false;
        self.fin[side] |= flags & FIN != 0;
        self.reset |= flags & RST != 0;
        self.answered |= side == SERVER && flags & RST == 0;
        self.payload_seen |= has_payload;
    }

    /// Notes a UDP header.
    #[inline]
    pub(crate) fn udp(&mut self, side: usize) {
        self.link_control = false;
        self.answered |= side == SERVER;
    }

    /// Whether a frame of the server's side has the client's link address; on a loopback all have the same, zeros.
    #[inline]
    pub(crate) fn is_from_client(&self, src: Option<MacAddr>) -> bool {
        self.client_mac != 0 && packed(src) == self.client_mac
    }

    /// Whether some packets in the server's name came from the client's link address. Where all did, as in captures whose
    /// link is made up, the address tells nothing.
    #[inline]
    pub(crate) fn is_forged_in_part(&self) -> bool {
        self.forged && self.genuine
    }

    /// So long after its last packet a flow without connections is over, and what comes is another.
    #[inline]
    pub(crate) fn has_rested(&self, now_ns: u64) -> bool {
        let limit_ns = match self.key.l4() {
            L4::Tcp => return false,
            L4::Icmp | L4::Icmpv6 => ICMP_REST_NS,
            _ => REST_NS,
        };
        now_ns.saturating_sub(self.last_ns) > limit_ns
    }

    /// Whether the connection was closed by either side.
    pub(crate) fn is_closed(&self) -> bool {
        self.reset || self.fin[CLIENT] || self.fin[SERVER]
    }
}
