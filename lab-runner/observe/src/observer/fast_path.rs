//! The fast path, which most packets take: one of the plainest form, of a flow that goes on, costs one look at its
//! headers, one look-up and counters.
//!
//! It takes only what the slow path would take for the same, and leaves everything else untouched; tests and fuzz targets
//! hold the two together. What is plain: Ethernet without a tag, IPv4 without options that is no fragment, IPv6 without
//! extensions, UDP, and TCP without SYN.

use super::{Observer, half};
use crate::capture::Frame;
use crate::hash::fibonacci;
use crate::ip::Addr;
use crate::link::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, be16, mac};
use crate::packet::Packet;
use crate::tcp::{SYN, Segment};
use crate::tunnel;

const ETHERNET: u16 = 1;
const IP_AT: usize = 14;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
/// The shortest frames that are looked at.
const SHORTEST_V4: usize = IP_AT + V4_HEADER + UDP_HEADER;
const SHORTEST_V6: usize = IP_AT + V6_HEADER + UDP_HEADER;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Places for flows that packets go on with; a power of two. Larger ones for IPv6, which is rarer.
const PLACES_V4: usize = 1024;
const PLACES_V6: usize = 512;

/// The source and destination, ports and protocol of a packet, as its headers have them: so each direction of a flow has
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header<A> {
    addresses: A,
    ports_and_protocol: u64,
}

/// Two addresses as a header has them.
trait Addresses: Copy + Eq {
    const NONE: Self;

    /// The two addresses as a number, the same both ways, which tells the halves of a capture.
    fn pair(self) -> u64;

    /// A number that tells most of them apart, and the directions, too.
    fn spread(self) -> u64;
}

impl Addresses for u64 {
    const NONE: Self = 0;

    #[inline]
    fn pair(self) -> u64 {
        half::folded(u128::from((self >> 32) as u32 ^ self as u32))
    }

    #[inline]
    fn spread(self) -> u64 {
        self
    }
}

impl Addresses for [u128; 2] {
    const NONE: Self = [0; 2];

    #[inline]
    fn pair(self) -> u64 {
        half::folded(self[0] ^ self[1])
    }

    #[inline]
    fn spread(self) -> u64 {
        let [src, dst] = self.map(half::folded);
        src ^ dst.rotate_left(32)
    }
}

impl<A: Addresses> Header<A> {
    /// No packet's: ports and protocol take 40 bits.
    const NONE: Self = Self { addresses: A::NONE, ports_and_protocol: u64::MAX };

    #[inline]
    fn new(addresses: A, ports: u32, protocol: u8) -> Self {
        Self { addresses, ports_and_protocol: u64::from(ports) << 8 | u64::from(protocol) }
    }
}

/// Where plain packets of late led.
#[derive(Debug, Default)]
pub(super) struct FastPath {
    v4: Places<u64, PLACES_V4>,
    v6: Places<[u128; 2], PLACES_V6>,
}

#[derive(Debug)]
struct Places<A, const COUNT: usize>(Box<[Place<A>; COUNT]>);

#[derive(Debug, Clone, Copy)]
struct Place<A> {
    header: Header<A>,
    flow: u32,
    side: u32,
}

impl<A: Addresses, const COUNT: usize> Default for Places<A, COUNT> {
    fn default() -> Self {
        Self(Box::new([Place { header: Header::NONE, flow: 0, side: 0 }; COUNT]))
    }
}

impl<A: Addresses, const COUNT: usize> Places<A, COUNT> {
    /// Which place a header has. An attacker who knows it can make two flows share one, and each then takes the slow path.
    #[inline]
    fn at(header: &Header<A>) -> usize {
        (fibonacci(header.addresses.spread() ^ header.ports_and_protocol.rotate_left(20)) >> 40) as usize
            % COUNT
    }

    /// The flow's index, and the sender's side.
    #[inline]
    fn find(&self, header: &Header<A>) -> Option<(usize, usize)> {
        let place = &self.0[Self::at(header)];
        (place.header == *header).then_some((place.flow as usize, place.side as usize & 1))
    }

    #[inline]
    fn keep(&mut self, header: Header<A>, flow: usize, side: usize) {
        self.0[Self::at(&header)] = Place { header, flow: flow as u32, side: side as u32 };
    }
}

impl FastPath {
    /// Notes which flow a packet belongs to, where others like it may be plain.
    #[inline]
    pub(super) fn remember(&mut self, packet: &Packet<'_>, flow: usize, side: usize) {
        let ends = packet.ends;
        if is_like_plain(packet) {
            self.keep(ends.src, ends.dst, ends.protocol, flow, side);
        }
    }

    /// The same of a packet that begins a flow: a datagram's answer comes the other way.
    #[inline]
    pub(super) fn remember_first(&mut self, packet: &Packet<'_>, flow: usize, side: usize) {
        let ends = packet.ends;
        if is_like_plain(packet) {
            self.keep(ends.src, ends.dst, ends.protocol, flow, side);
            // Where both ends are the same, so are both directions.
            if ends.protocol == UDP && ends.src != ends.dst {
                self.keep(ends.dst, ends.src, UDP, flow, 1 - side);
            }
        }
    }

    #[inline]
    fn keep(&mut self, src: (Addr, u16), dst: (Addr, u16), protocol: u8, flow: usize, side: usize) {
        let ports = u32::from(src.1) << 16 | u32::from(dst.1);
        if src.0.v6 {
            self.v6.keep(Header::new([src.0.bits, dst.0.bits], ports, protocol), flow, side);
        } else {
            let addresses = (src.0.bits as u64) << 32 | dst.0.bits as u64;
            self.v4.keep(Header::new(addresses, ports, protocol), flow, side);
        }
    }
}

/// Whether a packet of the same flow may be plain.
#[inline]
fn is_like_plain(packet: &Packet<'_>) -> bool {
    let Packet { wire, ip, ends, .. } = packet;
    ends.tunnel == 0
        && wire.link.vlan.is_none()
        && matches!(ends.protocol, TCP | UDP)
        && !tunnel::is_possible(ip, packet.udp_ports())
}

/// A plain packet of a flow that goes on.
struct Plain {
    flow: usize,
    side: usize,
    protocol: u8,
    transport_at: usize,
    /// Where it ends, by its IP header.
    end: usize,
}

impl Observer {
    /// Takes a plain packet of a flow that goes on; returns where the bytes end that were looked at, or `None` where the
    /// packet has to take the slow path.
    #[inline]
    pub(super) fn fast_path(&mut self, frame: &Frame<'_>, number: u64) -> Option<usize> {
        if frame.link_type != ETHERNET {
            return None;
        }
        match be16(frame.data, 12)? {
            ETHERTYPE_IPV4 => self.fast_path_v4(frame, number),
            ETHERTYPE_IPV6 => self.fast_path_v6(frame, number),
            _ => None,
        }
    }

    #[inline]
    fn fast_path_v4(&mut self, frame: &Frame<'_>, number: u64) -> Option<usize> {
        let head: &[u8; SHORTEST_V4] = frame.data.first_chunk()?;
        let total = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let (transport_at, end) = (IP_AT + V4_HEADER, IP_AT + total);
        // Version 4 and no options; neither an offset nor more fragments; a length that has room for the header.
        let is_plain = head[IP_AT] == 0x45
            && be16(head, 20).is_some_and(|flags| flags & 0x3fff == 0)
            && (transport_at..=frame.orig_len as usize).contains(&end);
        if !is_plain {
            return None;
        }
        let protocol = head[23];
        let ports = u32::from_be_bytes([head[34], head[35], head[36], head[37]]);
        let header = Header::new(u64::from_be_bytes(head[26..34].try_into().ok()?), ports, protocol);
        if matches!(protocol, TCP | UDP) && !self.part.has(header.addresses.pair()) {
            return Some(SHORTEST_V4);
        }
        let (flow, side) = self.fast_path.v4.find(&header)?;
        self.goes_on(frame, number, Plain { flow, side, protocol, transport_at, end })
    }

    #[inline]
    fn fast_path_v6(&mut self, frame: &Frame<'_>, number: u64) -> Option<usize> {
        let head: &[u8; SHORTEST_V6] = frame.data.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([head[18], head[19]]));
        let (transport_at, end) = (IP_AT + V6_HEADER, IP_AT + V6_HEADER + length);
        let protocol = head[20];
        // A length of 0 is a jumbogram's, or left to the network card.
        let is_plain = head[IP_AT] >> 4 == 6
            && matches!(protocol, TCP | UDP)
            && (transport_at + UDP_HEADER..=frame.orig_len as usize).contains(&end);
        if !is_plain {
            return None;
        }
        let address = |at: usize| Some(u128::from_be_bytes(head[at..at + 16].try_into().ok()?));
        let ports = u32::from_be_bytes([head[54], head[55], head[56], head[57]]);
        let header = Header::new([address(22)?, address(38)?], ports, protocol);
        if !self.part.has(header.addresses.pair()) {
            return Some(SHORTEST_V6);
        }
        let (flow, side) = self.fast_path.v6.find(&header)?;
        self.goes_on(frame, number, Plain { flow, side, protocol, transport_at, end })
    }

    // Always inlined: the packet's places stay in registers.
    #[inline(always)]
    fn goes_on(&mut self, frame: &Frame<'_>, number: u64, plain: Plain) -> Option<usize> {
        let Plain { flow: index, side, protocol, transport_at, end } = plain;
        if self.watched.is_some() {
            return None;
        }
        let hot = self.flows.hot.get_mut(index).filter(|hot| !hot.superseded)?;
        let data = &frame.data[..frame.data.len().min(end)];
        let length = end - IP_AT;
        if protocol == UDP {
            if end < transport_at + UDP_HEADER || hot.has_rested(frame.ts_ns) {
                return None;
            }
            hot.packet(frame, number, side, length, mac(data, 6));
            return Some(self.udp(number, index, side, data, transport_at, end));
        }
        let tcp: &[u8; TCP_HEADER] = data.get(transport_at..)?.first_chunk()?;
        let (header_len, flags) = (usize::from(tcp[12] >> 4) * 4, tcp[13]);
        let payload_at = transport_at + header_len;
        if header_len < TCP_HEADER || payload_at > end || flags & SYN != 0 {
            return None;
        }
        hot.packet(frame, number, side, length, mac(data, 6));
        let segment = Segment {
            seq: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
            ack: u32::from_be_bytes([tcp[8], tcp[9], tcp[10], tcp[11]]),
            payload: data.get(payload_at..).unwrap_or(&[]),
            wire_len: end - payload_at,
        };
        Some(self.tcp(number, index, side, flags, segment, payload_at, data.len()))
    }
}
