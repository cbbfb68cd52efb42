//! Link headers: where the network header begins, VLAN, link addresses.
//!
//! Looks at nothing behind the link header but the version nibble of IP.

use crate::record::MacAddr;

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
const ETHERTYPE_MPLS: u16 = 0x8847;
/// EtherTypes below this are lengths (IEEE 802.3).
const MIN_ETHERTYPE: u16 = 0x0600;
/// More VLAN tags or MPLS labels than this make no sense.
const MAX_TAGS: usize = 8;

/// What a frame's link header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) network: Network,
    /// Where the network header begins.
    pub(crate) offset: usize,
    /// The outermost VLAN id.
    pub(crate) vlan: Option<u16>,
    pub(crate) src: Option<MacAddr>,
    pub(crate) dst: Option<MacAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// IPv4 or IPv6, by the version nibble.
    Ip,
    /// Anything else with an EtherType (0 for LLC without one).
    Other(u16),
    /// The header is shorter than it must be, or contradicts itself.
    Malformed,
    /// A link type that is not understood.
    UnknownLink,
}

/// Decodes a link header.
#[inline]
pub(crate) fn decode(link_type: u16, data: &[u8]) -> Link {
    let mut link = Link { network: Network::Malformed, offset: 0, vlan: None, src: None, dst: None };
    match link_type {
        1 => ethernet(data, 0, &mut link),
        // BSD loopback: a family in the capturing host's byte order; OpenBSD's in network order.
        0 | 108 => {
            if data.len() >= 4 {
                ip(data, 4, &mut link);
            }
        }
        // Raw IP, under the numbers it has had.
        12 | 14 | 101 | 228 | 229 => ip(data, 0, &mut link),
        // PPP, with or without its address and control bytes (RFC 1662).
        9 | 50 => ppp(data, if data.starts_with(&[0xff, 0x03]) { 2 } else { 0 }, &mut link),
        // Cisco HDLC.
        104 => by_type(data, be16(data, 2), 4, &mut link),
        // Linux cooked, v1: type, address type, address length, address (8), protocol.
        113 => {
            if be16(data, 4) == Some(6) {
                link.src = mac(data, 6);
            }
            by_type(data, be16(data, 14), 16, &mut link);
        }
        // Linux cooked, v2: protocol, reserved (2), interface (4), address type (2), type, address length, address (8).
        276 => {
            if data.get(11) == Some(&6) {
                link.src = mac(data, 12);
            }
            by_type(data, be16(data, 0), 20, &mut link);
        }
        _ => link.network = Network::UnknownLink,
    }
    link
}

/// Decodes an Ethernet header that begins at `at`; also used for Ethernet in tunnels.
#[inline]
pub(crate) fn ethernet(data: &[u8], at: usize, link: &mut Link) {
    link.dst = mac(data, at);
    link.src = mac(data, at + 6);
    by_type(data, be16(data, at + 12), at + 14, link);
}

fn by_type(data: &[u8], ether_type: Option<u16>, mut offset: usize, link: &mut Link) {
    let Some(mut ether_type) = ether_type else { return };
    let mut tags = 0;
    while matches!(ether_type, 0x8100 | 0x88a8 | 0x9100) {
        let (Some(tag), Some(inner)) = (be16(data, offset), be16(data, offset + 2)) else { return };
        link.vlan.get_or_insert(tag & 0x0fff);
        ether_type = inner;
        offset += 4;
        tags += 1;
        if tags > MAX_TAGS {
            return;
        }
    }
    if ether_type < MIN_ETHERTYPE {
        // LLC; with SNAP an EtherType follows.
        if data.get(offset..offset + 6) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]) {
            let Some(inner) = be16(data, offset + 6) else { return };
            ether_type = inner;
            offset += 8;
        } else {
            link.network = Network::Other(0);
            link.offset = offset.min(data.len());
            return;
        }
    }
    match ether_type {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => ip(data, offset, link),
        ETHERTYPE_PPPOE_SESSION => ppp(data, offset + 6, link),
        ETHERTYPE_MPLS => {
            // Labels of four bytes (RFC 3032 §2.1); the last has its S bit set.
            for label in 0..MAX_TAGS {
                let Some(third) = data.get(offset + 4 * label + 2) else { return };
                if third & 1 == 1 {
                    return ip(data, offset + 4 * label + 4, link);
                }
            }
        }
        other => {
            link.network = Network::Other(other);
            link.offset = offset.min(data.len());
        }
    }
}

fn ppp(data: &[u8], at: usize, link: &mut Link) {
    match (data.get(at), be16(data, at)) {
        // The protocol field may be compressed to one byte.
        (Some(0x21 | 0x57), _) => ip(data, at + 1, link),
        (_, Some(0x0021 | 0x0057)) => ip(data, at + 2, link),
        (_, Some(_)) => {
            link.network = Network::Other(0);
            link.offset = at + 2;
        }
        _ => {}
    }
}

#[inline]
fn ip(data: &[u8], offset: usize, link: &mut Link) {
    if matches!(data.get(offset).map(|byte| byte >> 4), Some(4 | 6)) {
        link.network = Network::Ip;
        link.offset = offset;
    }
}

#[inline]
fn mac(data: &[u8], at: usize) -> Option<MacAddr> {
    data.get(at..at + 6)?.try_into().ok().map(MacAddr)
}

#[inline]
pub(crate) fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

#[inline]
pub(crate) fn be32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
