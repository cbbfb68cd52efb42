//! The pipeline: a frame in, and at the end the flows out.
//!
//! Each frame is decoded, looked up and counted; only while its flow may still tell something is its payload looked at.
//! No clock, no I/O, and no memory that grows with anything but flows and names.

use std::collections::{BTreeMap, HashMap};

use crate::capture::Frame;
use crate::context::Context;
use crate::flow::{CLIENT, Evidence, Flow, Key, SERVER, Stage, UNKNOWN};
use crate::hash::Hasher;
use crate::ip::{self, Addr, Fragment, Ip};
use crate::link::{self, Link, Network, be16, be32};
use crate::names::Names;
use crate::protocol::link_control;
use crate::record::{FORMAT, L4, LinkFrame, Observation, Summary};
use crate::stream::Budget;
use crate::tcp::{self, ACK, FIN, RST, SYN, Segment, Tcp};
use crate::udp::{self, Udp};
use crate::{state, tunnel};

/// The EtherType of the lab's own canary frames: local experimental use (IEEE 802, clause 9.2.4).
pub const CANARY_ETHERTYPE: u16 = 0x88b5;
const CANARY_BYTES: usize = 32;
const MAX_FRAGMENTED: usize = 4096;

/// Bounds of an observer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Flows; packets of any further flow are counted in [`Summary::flows_refused`].
    pub max_flows: usize,
    /// Pairs of client and address for which names are kept.
    pub max_answers: usize,
    /// Bytes of TCP streams held at one time, over all flows.
    pub stream_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_flows: 1 << 20, max_answers: 1 << 18, stream_bytes: 32 << 20 }
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
    flows: Vec<Flow>,
    open: HashMap<Key, u32, Hasher>,
    fragmented: HashMap<(Addr, Addr, u32, u8), (u16, u16), Hasher>,
    tunnels: HashMap<(Addr, Addr, &'static str, u64), u64, Hasher>,
    names: Names,
    budget: Budget,
    weird: BTreeMap<&'static str, u64>,
    ether_types: BTreeMap<u16, u64>,
    canaries: Vec<LinkFrame>,
    summary: Summary,
}

/// What all layers of one frame share.
#[derive(Clone, Copy)]
struct Wire<'a> {
    frame: Frame<'a>,
    number: u64,
    link: Link,
}

/// Who sends a transport's packet to whom.
#[derive(Clone, Copy)]
struct Ends {
    src: (Addr, u16),
    dst: (Addr, u16),
    protocol: u8,
    tunnel: u64,
}

impl Observer {
    /// An observer that has seen nothing.
    pub fn new(options: Options) -> Self {
        Self {
            names: Names::new(options.max_answers),
            budget: Budget { left: options.stream_bytes, evicted: 0 },
            options,
            flows: Vec::new(),
            open: HashMap::default(),
            fragmented: HashMap::default(),
            tunnels: HashMap::default(),
            weird: BTreeMap::new(),
            ether_types: BTreeMap::new(),
            canaries: Vec::new(),
            summary: Summary { format: FORMAT, ..Summary::default() },
        }
    }

    /// Takes a frame.
    pub fn push(&mut self, frame: Frame<'_>) -> Consulted {
        self.summary.packets += 1;
        self.summary.bytes += u64::from(frame.orig_len);
        let number = self.summary.packets;
        let link = link::decode(frame.link_type, frame.data);
        let all = frame.data.len();
        let wire = Wire { frame, number, link };
        let consulted = match link.network {
            Network::Ip => self.ip(wire, link.offset, 0, 0),
            Network::Other(ether_type) => self.not_ip(wire, ether_type),
            Network::Malformed | Network::UnknownLink => {
                self.unparsed(wire);
                let word = if link.network == Network::Malformed { "link_malformed" } else { "link_unknown" };
                *self.weird.entry(word).or_default() += 1;
                all
            }
        };
        Consulted(consulted.min(all))
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

    /// No more frames: says what was seen.
    pub fn finish(mut self) -> Observation {
        let mut records = Vec::with_capacity(self.flows.len());
        for (number, mut flow) in (1..).zip(std::mem::take(&mut self.flows)) {
            if let Stage::Tcp(tcp) = std::mem::replace(&mut flow.stage, Stage::Done) {
                let mut context = Context {
                    frame: flow.frames[1],
                    names: &mut self.names,
                    budget: &mut self.budget,
                    weird: &mut self.weird,
                };
                tcp::finish(tcp, &mut flow, &mut context);
            }
            self.summary.names_evicted += flow.evidence.dropped;
            records.push(state::record(number, flow));
        }
        self.summary.flows = records.len() as u64;
        self.summary.names_evicted += self.names.evicted;
        self.summary.streams_evicted = self.budget.evicted;
        self.summary.ether_types =
            self.ether_types.iter().map(|(kind, count)| (format!("0x{kind:04x}"), *count)).collect();
        self.summary.weird = self.weird.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
        Observation { flows: records, summary: self.summary, canaries: self.canaries }
    }

    fn unparsed(&mut self, wire: Wire<'_>) {
        self.summary.unparsed_packets += 1;
        self.summary.unparsed_bytes += u64::from(wire.frame.orig_len);
    }

    fn not_ip(&mut self, wire: Wire<'_>, ether_type: u16) -> usize {
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
    fn ip(&mut self, wire: Wire<'_>, at: usize, tunnel: u64, depth: u8) -> usize {
        let data = wire.frame.data;
        let Some(ip) = ip::decode(data, at, wire.frame.orig_len as usize) else {
            if depth == 0 {
                self.unparsed(wire);
            }
            *self.weird.entry("ip_malformed").or_default() += 1;
            return data.len();
        };
        // A tail behind the IP packet is padding of the link, and no one's payload.
        let data = &data[..data.len().min(ip.end)];
        let Some((ends, transport)) = self.ends(data, &ip, tunnel) else {
            if depth == 0 {
                self.unparsed(wire);
            }
            *self.weird.entry("transport_malformed").or_default() += 1;
            return data.len();
        };
        let syn = match transport {
            Transport::Tcp { seq, flags, .. } if flags & SYN != 0 => Some((seq, flags)),
            _ => None,
        };
        let Some((index, side)) = self.flow(wire, ends, syn, transport) else {
            return ip.offset + 20;
        };
        let consulted = match transport {
            Transport::Tcp { seq, flags, payload_at } => {
                let segment = Segment {
                    seq,
                    flags,
                    payload: data.get(payload_at..).unwrap_or(&[]),
                    wire_len: ip.end.saturating_sub(payload_at),
                };
                self.tcp(wire.number, index, side, segment, payload_at, data.len())
            }
            Transport::Udp => self.udp(wire.number, index, side, data, &ip),
            Transport::Other => self.other(index, data, &ip),
        };
        if depth >= tunnel::MAX_DEPTH {
            return consulted;
        }
        let ports = (ip.protocol == 17).then_some((ends.src.1, ends.dst.1));
        match tunnel::inner(data, &ip, ports) {
            Some(inner) => {
                self.flows[index].recognised(inner.app);
                match inner.ip_at {
                    Some(inner_at) => {
                        let tunnel = self.tunnel(ends, inner.app, index);
                        let mut inside = wire;
                        inside.link.vlan = inner.vlan;
                        consulted.max(self.ip(inside, inner_at, tunnel, depth + 1))
                    }
                    None => data.len(),
                }
            }
            // Whether there is a tunnel was asked of these bytes, too.
            None if tunnel_possible(&ip, ports) => data.len(),
            None => consulted,
        }
    }

    /// The tunnel between two ends, named by the first flow that carried it: the two directions may differ in ports.
    fn tunnel(&mut self, ends: Ends, app: &'static str, index: usize) -> u64 {
        let (low, high) = (ends.src.0.min(ends.dst.0), ends.src.0.max(ends.dst.0));
        *self.tunnels.entry((low, high, app, ends.tunnel)).or_insert(index as u64 + 1)
    }

    /// Reads ports; `None` where the transport's header makes no sense.
    fn ends(&mut self, data: &[u8], ip: &Ip, tunnel: u64) -> Option<(Ends, Transport)> {
        let ends = |src, dst| Ends { src: (ip.src, src), dst: (ip.dst, dst), protocol: ip.protocol, tunnel };
        if let Some(Fragment { id, first: false }) = ip.fragment {
            let key = (ip.src, ip.dst, id, ip.protocol);
            let (src, dst) = self.fragmented.get(&key).copied().unwrap_or((0, 0));
            return Some((ends(src, dst), Transport::Other));
        }
        let at = ip.offset;
        let (src, dst, transport) = match ip.protocol {
            6 => {
                let flags = *data.get(at + 13)?;
                let header = usize::from(data[at + 12] >> 4) * 4;
                if header < 20 || at + header > ip.end {
                    return None;
                }
                let transport = Transport::Tcp { seq: be32(data, at + 4)?, flags, payload_at: at + header };
                (be16(data, at)?, be16(data, at + 2)?, transport)
            }
            17 => {
                data.get(at + 7)?;
                (be16(data, at)?, be16(data, at + 2)?, Transport::Udp)
            }
            // SCTP has ports where UDP has them (RFC 9260 §3.1).
            132 => (be16(data, at)?, be16(data, at + 2)?, Transport::Other),
            _ => (0, 0, Transport::Other),
        };
        if let Some(Fragment { id, .. }) = ip.fragment {
            if self.fragmented.len() >= MAX_FRAGMENTED {
                self.fragmented.clear();
            }
            self.fragmented.insert((ip.src, ip.dst, id, ip.protocol), (src, dst));
        }
        Some((ends(src, dst), transport))
    }

    /// Finds or begins the packet's flow, and counts the packet; `None` where the bound on flows is reached.
    #[inline]
    fn flow(
        &mut self,
        wire: Wire<'_>,
        ends: Ends,
        syn: Option<(u32, u8)>,
        transport: Transport,
    ) -> Option<(usize, usize)> {
        let vlan = wire.link.vlan;
        let (key, forward) = Key::new(ends.src, ends.dst, ends.protocol, vlan, ends.tunnel);
        let known = self.open.get(&key).map(|index| *index as usize).filter(|index| {
            !matches!(syn, Some((seq, flags)) if flags & ACK == 0 && self.flows[*index].begins_anew(seq, forward))
        });
        let index = match known {
            Some(index) => index,
            None => {
                if self.flows.len() >= self.options.max_flows {
                    self.summary.flows_refused += 1;
                    return None;
                }
                let index = self.flows.len();
                let flow = self.begin(wire, ends, forward, syn, transport);
                self.flows.push(flow);
                self.open.insert(key, index as u32);
                index
            }
        };
        let flow = &mut self.flows[index];
        let side = if flow.client_is_low == forward { CLIENT } else { SERVER };
        flow.last_ns = wire.frame.ts_ns;
        flow.frames[1] = wire.number;
        flow.packets[side] += 1;
        flow.bytes[side] += u64::from(wire.frame.orig_len);
        Some((index, side))
    }

    fn begin(
        &mut self,
        wire: Wire<'_>,
        ends: Ends,
        forward: bool,
        syn: Option<(u32, u8)>,
        transport: Transport,
    ) -> Flow {
        let (src_port, dst_port) = (ends.src.1, ends.dst.1);
        let (by_client, opening_seen) = match (transport, syn) {
            (Transport::Tcp { .. }, Some((_, flags))) => (flags & ACK == 0, true),
            // The opening was not seen: a well-known port is the server's, as a rule.
            (Transport::Tcp { .. }, None) => (!(src_port < 1024 && dst_port > src_port), false),
            (Transport::Udp, _) if matches!(src_port, 53 | 443) && dst_port >= 1024 => (false, false),
            _ => (true, true),
        };
        let (client, server) = if by_client { (ends.src, ends.dst) } else { (ends.dst, ends.src) };
        // Link addresses belong to the tunnel's ends, not to those inside of it.
        let (src_mac, dst_mac) = if ends.tunnel == 0 { (wire.link.src, wire.link.dst) } else { (None, None) };
        let (client_mac, server_mac) = if by_client { (src_mac, dst_mac) } else { (dst_mac, src_mac) };
        self.names.sent_from(src_mac, ends.src.0);
        let known = self.names.known(client.0, client_mac, server.0);
        Flow {
            client,
            server,
            first_ns: wire.frame.ts_ns,
            last_ns: wire.frame.ts_ns,
            packets: [0; 2],
            bytes: [0; 2],
            frames: [wire.number; 2],
            client_is_low: forward == by_client,
            opening_seen,
            answered: false,
            link_control: true,
            fin: [false; 2],
            reset: false,
            lossy: false,
            ech: false,
            guessed: false,
            payload_seen: false,
            isn: syn.filter(|(_, flags)| flags & ACK == 0).map(|(seq, _)| seq),
            l4: L4::from_ip_protocol(ends.protocol),
            vlan: wire.link.vlan,
            tunnel: ends.tunnel,
            interface: wire.frame.interface,
            app: UNKNOWN,
            client_mac,
            server_mac,
            stage: match transport {
                Transport::Tcp { .. } => Stage::Tcp(Box::<Tcp>::default()),
                Transport::Udp => Stage::Udp(Udp::Probing(0)),
                Transport::Other => Stage::Done,
            },
            evidence: Evidence { known, ..Evidence::default() },
        }
    }

    #[inline]
    fn tcp(
        &mut self,
        number: u64,
        index: usize,
        side: usize,
        segment: Segment<'_>,
        payload_at: usize,
        all: usize,
    ) -> usize {
        let flow = &mut self.flows[index];
        flow.link_control = false;
        flow.fin[side] |= segment.flags & FIN != 0;
        flow.reset |= segment.flags & RST != 0;
        flow.answered |= side == SERVER && segment.flags & RST == 0;
        flow.payload_seen |= segment.wire_len > 0;
        if segment.flags & SYN != 0
            && let Stage::Tcp(tcp) = &mut flow.stage
        {
            tcp.syn(side, segment.seq);
        }
        if segment.wire_len == 0 || !matches!(&flow.stage, Stage::Tcp(tcp) if tcp.wants(side)) {
            return payload_at;
        }
        let Stage::Tcp(tcp) = std::mem::replace(&mut flow.stage, Stage::Done) else { return payload_at };
        let mut context = Context {
            frame: number,
            names: &mut self.names,
            budget: &mut self.budget,
            weird: &mut self.weird,
        };
        // With TCP Fast Open (RFC 7413) a SYN has data, which begins one number later.
        let seq = segment.seq.wrapping_add(u32::from(segment.flags & SYN != 0));
        flow.stage = tcp::advance(tcp, flow, side, Segment { seq, ..segment }, &mut context);
        all
    }

    #[inline]
    fn udp(&mut self, number: u64, index: usize, side: usize, data: &[u8], ip: &Ip) -> usize {
        let flow = &mut self.flows[index];
        flow.link_control = false;
        flow.answered |= side == SERVER;
        let payload_at = ip.offset + 8;
        let Stage::Udp(stage) = std::mem::replace(&mut flow.stage, Stage::Done) else { return payload_at };
        let length = be16(data, ip.offset + 4).map_or(0, usize::from);
        // A length of 0 is a jumbogram's, or left to the network card.
        let end = if length < 8 { ip.end } else { (ip.offset + length).min(ip.end) };
        let payload = data.get(payload_at..end.min(data.len())).unwrap_or(&[]);
        let cut = payload.len() < end.saturating_sub(payload_at) || ip.fragment.is_some();
        let mut context = Context {
            frame: number,
            names: &mut self.names,
            budget: &mut self.budget,
            weird: &mut self.weird,
        };
        flow.stage = udp::advance(stage, flow, side, payload, cut, &mut context);
        data.len()
    }

    fn other(&mut self, index: usize, data: &[u8], ip: &Ip) -> usize {
        let flow = &mut self.flows[index];
        flow.answered |= flow.packets[SERVER] > 0;
        let payload = data.get(ip.offset..).unwrap_or(&[]);
        match link_control::recognise(ip, payload) {
            Some(app) if flow.link_control => flow.recognised(app),
            _ => {
                flow.link_control = false;
                flow.app = match flow.l4 {
                    L4::Icmp => "icmp",
                    L4::Icmpv6 => "icmpv6",
                    L4::Other(2) => "igmp",
                    L4::Other(47) => "gre",
                    L4::Other(50) => "esp",
                    L4::Other(51) => "ah",
                    L4::Other(89) => "ospf",
                    L4::Other(132) => "sctp",
                    _ => flow.app,
                };
            }
        }
        ip.offset + 8
    }
}

/// What of a transport's header matters.
#[derive(Debug, Clone, Copy)]
enum Transport {
    Tcp { seq: u32, flags: u8, payload_at: usize },
    Udp,
    Other,
}

fn tunnel_possible(ip: &Ip, ports: Option<(u16, u16)>) -> bool {
    matches!(ip.protocol, 4 | 41 | 47)
        || ports.is_some_and(|(src, dst)| [src, dst].iter().any(|port| matches!(port, 4789 | 2152)))
}
