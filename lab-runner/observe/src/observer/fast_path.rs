//! The fast path, which most packets take: one of the plainest form, of a flow that goes on, costs one look at its
//! headers, one look-up and counters.
//!
//! It takes only what the slow path would take for the same, and leaves everything else untouched; tests and fuzz targets
//! hold the two together. What is plain: Ethernet without a tag, IPv4 without options that is no fragment, UDP, and TCP
//! without SYN.

use super::Observer;
use crate::capture::Frame;
use crate::hash::fibonacci;
use crate::link::{ETHERTYPE_IPV4, be16, mac};
use crate::packet::Packet;
use crate::tcp::{SYN, Segment};
use crate::tunnel;

const ETHERNET: u16 = 1;
const IP_AT: usize = 14;
const TRANSPORT_AT: usize = IP_AT + 20;
const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
/// The shortest frame that is looked at.
const SHORTEST: usize = TRANSPORT_AT + UDP_HEADER;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Places for flows that packets go on with; a power of two.
const PLACES: usize = 1024;

/// The addresses, ports and protocol of a packet, as its headers have them: so each direction of a flow has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    addresses: u64,
    ports_and_protocol: u64,
}

impl Header {
    /// No packet's: ports and protocol take 40 bits.
    const NONE: Self = Self { addresses: 0, ports_and_protocol: u64::MAX };

    /// The two addresses as a number, which tells the halves of a capture: what `half::pair` makes of them.
    #[inline]
    fn pair(self) -> u64 {
        self.addresses >> 32 ^ self.addresses & u64::from(u32::MAX)
    }

    /// Which place it has. An attacker who knows it can make two flows share one, and each then takes the slow path.
    #[inline]
    fn place(self) -> usize {
        (fibonacci(self.addresses ^ self.ports_and_protocol.rotate_left(20)) >> 40) as usize % PLACES
    }
}

/// Where plain packets of late led.
#[derive(Debug)]
pub(super) struct FastPath {
    places: Box<[Place; PLACES]>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    header: Header,
    flow: u32,
    side: u32,
}

impl Default for FastPath {
    fn default() -> Self {
        Self { places: Box::new([Place { header: Header::NONE, flow: 0, side: 0 }; PLACES]) }
    }
}

impl FastPath {
    /// Notes which flow a packet belongs to, where others like it may be plain.
    #[inline]
    pub(super) fn remember(&mut self, packet: &Packet<'_>, flow: usize, side: usize) {
        let Packet { wire, ip, ends, .. } = packet;
        let is_one = !ends.src.0.v6
            && ends.tunnel == 0
            && wire.link.vlan.is_none()
            && matches!(ends.protocol, TCP | UDP)
            && !tunnel::is_possible(ip, packet.udp_ports());
        if is_one {
            let ports = u64::from(ends.src.1) << 16 | u64::from(ends.dst.1);
            let header = Header {
                addresses: (ends.src.0.bits as u64) << 32 | ends.dst.0.bits as u64,
                ports_and_protocol: ports << 8 | u64::from(ends.protocol),
            };
            self.places[header.place()] = Place { header, flow: flow as u32, side: side as u32 };
        }
    }
}

impl Observer {
    /// Takes a plain packet of a flow that goes on; returns where the bytes end that were looked at, or `None` where the
    /// packet has to take the slow path.
    #[inline]
    pub(super) fn fast_path(&mut self, frame: &Frame<'_>, number: u64) -> Option<usize> {
        let head: &[u8; SHORTEST] = frame.data.first_chunk()?;
        let total = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let end = IP_AT + total;
        // Version 4 and no options; neither an offset nor more fragments; a length that has room for the header.
        let is_plain = frame.link_type == ETHERNET
            && be16(head, 12) == Some(ETHERTYPE_IPV4)
            && head[IP_AT] == 0x45
            && be16(head, 20).is_some_and(|flags| flags & 0x3fff == 0)
            && (TRANSPORT_AT..=frame.orig_len as usize).contains(&end);
        if !is_plain {
            return None;
        }
        let protocol = head[23];
        let ports = u64::from(u32::from_be_bytes([head[34], head[35], head[36], head[37]]));
        let header = Header {
            addresses: u64::from_be_bytes(head[26..34].try_into().ok()?),
            ports_and_protocol: ports << 8 | u64::from(protocol),
        };
        if matches!(protocol, TCP | UDP) && !self.part.has(header.pair()) {
            return Some(SHORTEST);
        }
        let place = &self.fast_path.places[header.place()];
        if place.header != header || self.watched.is_some() {
            return None;
        }
        let (index, side) = (place.flow as usize, place.side as usize & 1);
        let hot = self.flows.hot.get_mut(index).filter(|hot| !hot.superseded)?;
        let data = &frame.data[..frame.data.len().min(end)];
        if protocol == UDP {
            if total < TRANSPORT_AT + UDP_HEADER - IP_AT || hot.has_rested(frame.ts_ns) {
                return None;
            }
            hot.packet(frame, number, side, total, mac(head, 6));
            return Some(self.udp(number, index, side, data, TRANSPORT_AT, end));
        }
        let tcp: &[u8; TCP_HEADER] = data.get(TRANSPORT_AT..)?.first_chunk()?;
        let (header_len, flags) = (usize::from(tcp[12] >> 4) * 4, tcp[13]);
        let payload_at = TRANSPORT_AT + header_len;
        if header_len < TCP_HEADER || payload_at > end || flags & SYN != 0 {
            return None;
        }
        hot.packet(frame, number, side, total, mac(head, 6));
        let segment = Segment {
            seq: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
            payload: data.get(payload_at..).unwrap_or(&[]),
            wire_len: end - payload_at,
        };
        Some(self.tcp(number, index, side, flags, segment, payload_at, data.len()))
    }
}
