//! The pipeline: a frame in, and at the end the flows out.
//!
//! Each frame is decoded, looked up and counted; only while its flow may still tell something is its payload looked at.
//! No clock, no I/O, and no memory that grows with anything but flows and names.

mod ending;
mod fast_path;
mod flows;
mod half;
mod payload;
mod pieces;

use std::collections::{BTreeMap, HashMap};

use crate::capture::{Frame, Skipped};
use crate::context::Shared;
use crate::explain::Watched;
use crate::flow::Flows;
use crate::fragments::Fragments;
use crate::hash::Hasher;
use crate::icmp_error;
use crate::ip::{self, Addr};
use crate::link::{self, Link, Network};
use crate::packet::{Packet, Wire};
use crate::record::{FORMAT, LinkFrame, Observation, Summary};
use crate::tcp::Segment;
use crate::transport::{self, Ends, Transport};
use crate::tunnel;

pub use ending::Ended;
use fast_path::FastPath;
use half::{Other, Part};
use pieces::Within;

/// The EtherType of the lab's own canary frames: local experimental use (IEEE 802, clause 9.2.4).
pub const CANARY_ETHERTYPE: u16 = 0x88b5;
const CANARY_BYTES: usize = 32;

/// Bounds of an observer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Flows; packets of any further flow are counted in [`Summary::flows_refused`].
    pub max_flows: usize,
    /// Pairs of client and address for which names are kept.
    pub max_answers: usize,
    /// Bytes of TCP streams held at one time, over all flows.
    pub stream_bytes: usize,
    /// Bytes that flows keep until the end, names above all, beside 512 for each flow; names that don't fit are counted in
    /// [`Summary::names_evicted`].
    pub kept_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_flows: 1 << 20, max_answers: 1 << 18, stream_bytes: 32 << 20, kept_bytes: 32 << 20 }
    }
}

/// How many bytes of a frame, from its start, were looked at.
///
/// A frame cut to so many bytes (with its length on the wire kept) gives the same observation again: a recording needs no
/// more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consulted(pub usize);

/// Takes the frames of one capture, in order.
#[derive(Debug)]
pub struct Observer {
    options: Options,
    part: Part,
    /// Where two observers share the capture.
    other: Option<Other>,
    flows: Flows,
    fast_path: FastPath,
    /// When the first frame came.
    begun_ns: Option<u64>,
    fragments: Fragments,
    tunnels: HashMap<(Addr, Addr, &'static str, u64), u64, Hasher>,
    shared: Shared,
    watched: Option<Watched>,
    ether_types: BTreeMap<u16, u64>,
    canaries: Vec<LinkFrame>,
    summary: Summary,
}

impl Observer {
    /// An observer that has seen nothing.
    pub fn new(options: Options) -> Self {
        Self {
            shared: Shared::new(&options),
            options,
            part: Part::Whole,
            other: None,
            flows: Flows::default(),
            fast_path: FastPath::default(),
            fragments: Fragments::default(),
            begun_ns: None,
            tunnels: HashMap::default(),
            watched: None,
            ether_types: BTreeMap::new(),
            canaries: Vec::new(),
            summary: Summary { format: FORMAT, ..Summary::default() },
        }
    }

    /// Has [`Ended::explanation`] tell of the flow with this number, from 1; to be called before the first frame.
    ///
    /// From then on every packet takes the slow path, whether there is such a flow or not.
    pub fn explain(&mut self, flow: u64) {
        let index = flow.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        self.watched = index.map(Watched::new);
    }

    /// Takes a frame.
    pub fn push(&mut self, frame: Frame<'_>) -> Consulted {
        self.summary.packets += 1;
        self.summary.bytes += u64::from(frame.orig_len);
        let number = self.summary.packets;
        self.begun_ns.get_or_insert(frame.ts_ns);
        if let Some(consulted) = self.fast_path(&frame, number) {
            return Consulted(consulted.min(frame.data.len()));
        }
        self.shared.names.reached(number, 0);
        // Decoded where it stays: a copy would wait for its pieces.
        let mut wire = Wire { frame: &frame, number, link: Link::NONE, carrier: None };
        link::decode(frame.link_type, frame.data, &mut wire.link);
        let mut consulted = self.link(&wire);
        let mut packet = 0;
        while let Some(at) = wire.link.rest {
            wire.link = link::next(frame.data, at);
            packet += 1;
            self.shared.names.reached(number, packet);
            consulted = consulted.max(self.link(&wire));
        }
        Consulted(consulted.min(frame.data.len()))
    }

    /// Takes what a link header leads to; returns where the bytes end that were looked at.
    #[inline]
    fn link(&mut self, wire: &Wire<'_>) -> usize {
        let Link { network, offset, .. } = wire.link;
        let word = match network {
            Network::Ip => return self.ip(wire, offset, 0, 0),
            _ if !self.takes_the_rest() => return offset,
            Network::Other(ether_type) => return self.not_ip(wire, ether_type),
            Network::Aside(aside) => {
                self.summary.aside(aside.word(), wire.frame.ts_ns);
                return offset;
            }
            Network::Malformed => "link_malformed",
            Network::UnknownLink => "link_unknown",
        };
        self.unparsed(wire);
        self.weird(word, wire.number);
        wire.frame.data.len()
    }

    /// The capture ends before it should, for this reason.
    pub fn cut(&mut self, reason: impl Into<String>, unread_bytes: u64) {
        self.summary.cut = true;
        self.summary.cut_reason.get_or_insert(reason.into());
        self.summary.unparsed_bytes += unread_bytes;
    }

    /// The capturing system dropped so many packets.
    pub fn dropped(&mut self, packets: u64) {
        *self.summary.drops.get_or_insert(0) += packets;
    }

    /// The capture has blocks that were stepped over.
    pub fn skipped(&mut self, blocks: Skipped) {
        self.shared.oddities.add("block_custom", blocks.custom);
        self.shared.oddities.add("block_unknown", blocks.unknown);
    }

    fn unparsed(&mut self, wire: &Wire<'_>) {
        self.summary.unparsed_packets += 1;
        self.summary.unparsed_bytes += u64::from(wire.frame.orig_len);
    }

    fn not_ip(&mut self, wire: &Wire<'_>, ether_type: u16) -> usize {
        *self.ether_types.entry(ether_type).or_default() += 1;
        let at = wire.link.offset;
        let (Some(src_mac), Some(dst_mac)) = (wire.link.src, wire.link.dst) else { return at };
        if ether_type != CANARY_ETHERTYPE || self.canaries.len() >= Observation::MAX_CANARIES {
            return at;
        }
        let payload = wire.frame.data.get(at..).unwrap_or(&[]);
        let payload = payload[..payload.len().min(CANARY_BYTES)].to_vec();
        let consulted = at + payload.len();
        self.canaries.push(LinkFrame {
            frame: wire.number,
            ts_ns: wire.frame.ts_ns,
            interface: wire.frame.interface,
            src_mac,
            dst_mac,
            payload,
        });
        consulted
    }

    /// Takes an IP packet that begins at `at`; returns where the bytes end that were looked at.
    fn ip(&mut self, wire: &Wire<'_>, at: usize, tunnel: u64, depth: u8) -> usize {
        let data = wire.frame.data;
        // Borrowed, as everything here that every packet goes through: a copy would wait for the stores before it.
        let Some(ip) = &ip::decode(data, at, wire.frame.orig_len as usize) else {
            if depth > 0 || self.takes_the_rest() {
                self.malformed(wire, "ip_malformed");
            }
            return data.len();
        };
        // A tail behind the IP packet is padding of the link, and no one's payload.
        let data = &data[..data.len().min(ip.end)];
        if depth == 0 && !self.takes(ip) {
            self.not_taken(wire, data, at, ip);
            return data.len();
        }
        if let Some(fragment) = &ip.fragment {
            return self.piece(wire, at, ip, fragment, Within { tunnel, depth });
        }
        let Some((ends, transport)) = &transport::read(data, ip, tunnel) else {
            self.malformed(wire, "transport_malformed");
            return data.len();
        };
        let packet = Packet { wire, data, at, ip, ends, transport: *transport };
        let looked = icmp_error::look(data, at, ip);
        let looked_to = looked.as_ref().map_or(0, |looked| looked.end);
        if let Some(quoted) = looked.and_then(|looked| looked.quoted)
            && self.is_reported(&packet, &quoted)
        {
            return looked_to;
        }
        let Some((index, side)) = self.flow(&packet) else {
            return looked_to.max(ip.offset + 20);
        };
        if ip.source_routed {
            self.odd(index, "source_routed", wire.number);
        }
        let consulted = match *transport {
            Transport::Tcp { seq, ack, flags, payload_at } => {
                let segment = Segment {
                    seq,
                    ack,
                    payload: data.get(payload_at..).unwrap_or(&[]),
                    wire_len: ip.end.saturating_sub(payload_at),
                };
                self.tcp(wire.number, index, side, flags, segment, payload_at, data.len())
            }
            Transport::Udp => self.udp(wire.number, index, side, data, ip.offset, ip.end),
            Transport::Fragment | Transport::Other => self.other(index, data, ip),
        };
        self.look(index);
        consulted.max(looked_to).max(self.inside(&packet, index, depth))
    }

    /// Opens the tunnel that a flow's packet may be; returns where the bytes end that were looked at for it.
    fn inside(&mut self, packet: &Packet<'_>, index: usize, depth: u8) -> usize {
        let Packet { data, ip, ends, .. } = packet;
        let ports = packet.udp_ports();
        if !tunnel::is_possible(ip, ports) {
            return 0;
        }
        let Some(inner) = tunnel::inner(data, ip, ports) else { return data.len() };
        self.flows.cold[index].recognised(inner.app);
        let Some(inner_at) = inner.ip_at else { return data.len() };
        if depth >= tunnel::MAX_DEPTH {
            self.odd(index, "tunnel_too_deep", packet.wire.number);
            return data.len();
        }
        let tunnel = self.tunnel(ends, inner.app, index);
        let mut inside = *packet.wire;
        inside.link.vlan = inner.vlan;
        inside.carrier = Some(index);
        self.ip(&inside, inner_at, tunnel, depth + 1)
    }

    /// The tunnel between two ends, named by the first flow that carried it: the two directions may differ in ports.
    fn tunnel(&mut self, ends: &Ends, app: &'static str, index: usize) -> u64 {
        let (low, high) = (ends.src.0.min(ends.dst.0), ends.src.0.max(ends.dst.0));
        *self.tunnels.entry((low, high, app, ends.tunnel)).or_insert(index as u64 + 1)
    }

    fn weird(&mut self, word: &'static str, number: u64) {
        self.shared.oddities.note(word, number);
    }

    /// An oddity of a flow, behind which something may hide.
    fn odd(&mut self, index: usize, word: &'static str, number: u64) {
        self.weird(word, number);
        let flow = &mut self.flows.cold[index];
        flow.evidence().weird(word, number);
        flow.unread = true;
    }

    /// A header makes no sense; in a tunnel the flow that carries it stays, and has something that was not read.
    fn malformed(&mut self, wire: &Wire<'_>, word: &'static str) {
        match wire.carrier {
            Some(index) => self.odd(index, word, wire.number),
            None => {
                self.weird(word, wire.number);
                self.unparsed(wire);
            }
        }
    }
}
