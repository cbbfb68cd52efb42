//! IP headers: addresses, the transport and where it begins, fragments.
//!
//! Checksums are not verified: captures on the sending host have them wrong as a rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::link::{be16, be32};

/// More extension headers than this make no sense.
const MAX_EXTENSIONS: usize = 8;

/// What an IP header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ip {
    pub(crate) src: Addr,
    pub(crate) dst: Addr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    /// Where the transport begins, from the start of the frame.
    pub(crate) offset: usize,
    /// Where the packet ends on the wire; may lie behind the captured bytes.
    pub(crate) end: usize,
    /// `None` for a whole packet.
    pub(crate) fragment: Option<Fragment>,
    /// The destination is only the next one of several: the header has a route with stops ahead.
    pub(crate) source_routed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    /// Only the first one has the transport's header.
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Where in the datagram its bytes belong.
    pub(crate) offset: usize,
    /// Where its bytes begin, from the start of the frame.
    pub(crate) body_at: usize,
    /// How many they are, as the header says; the frame may have fewer.
    pub(crate) length: usize,
    /// What the datagram begins with: a transport, or with IPv6 further headers.
    pub(crate) next: u8,
}

/// An address in a form that is cheap to hash and compare. IPv4 addresses never equal IPv6 ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Addr {
    pub(crate) bits: u128,
    pub(crate) v6: bool,
}

impl Addr {
    pub(crate) fn v4(bytes: [u8; 4]) -> Self {
        Self { bits: u128::from(u32::from_be_bytes(bytes)), v6: false }
    }

    pub(crate) fn v6(bytes: [u8; 16]) -> Self {
        Self { bits: u128::from_be_bytes(bytes), v6: true }
    }

    pub(crate) fn ip(self) -> IpAddr {
        if self.v6 {
            Ipv6Addr::from_bits(self.bits).into()
        } else {
            Ipv4Addr::from_bits(self.bits as u32).into()
        }
    }

    /// Nobody looks such an address up: multicast, broadcast, unspecified, or valid on one link only.
    pub(crate) fn is_local(self) -> bool {
        match self.ip() {
            IpAddr::V4(ip) => {
                ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() || ip.is_link_local()
            }
            IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified() || ip.is_unicast_link_local(),
        }
    }

    /// The /64 of an IPv6 address.
    pub(crate) fn prefix64(self) -> u64 {
        (self.bits >> 64) as u64
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::v4(ip.octets()),
            IpAddr::V6(ip) => Self::v6(ip.octets()),
        }
    }
}

/// Whether a header may begin at `at`, by its version.
#[inline]
pub(crate) fn begins(data: &[u8], at: usize) -> bool {
    matches!(data.get(at).map(|byte| byte >> 4), Some(4 | 6))
}

/// Decodes the header at `at` of a frame of `wire_len` bytes; `None` where it makes no sense.
#[inline]
pub(crate) fn decode(data: &[u8], at: usize, wire_len: usize) -> Option<Ip> {
    match data.get(at)? >> 4 {
        4 => v4(data, at, wire_len),
        6 => v6(data, at, wire_len),
        _ => None,
    }
}

#[inline]
fn v4(data: &[u8], at: usize, wire_len: usize) -> Option<Ip> {
    let header = data.get(at..at + 20)?;
    let header_len = usize::from(header[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header_len < 20 {
        return None;
    }
    // 0 means that the sending host left the cutting up to its network card.
    let end = if total == 0 { wire_len } else { (at + total).min(wire_len) };
    if at + header_len > end {
        return None;
    }
    let flags = u16::from_be_bytes([header[6], header[7]]);
    // 0x2000: more fragments; the low 13 bits are the offset.
    let fragment = (flags & 0x3fff != 0).then(|| Fragment {
        id: u32::from(u16::from_be_bytes([header[4], header[5]])),
        first: flags & 0x1fff == 0,
        last: flags & 0x2000 == 0,
        offset: usize::from(flags & 0x1fff) * 8,
        body_at: at + header_len,
        length: if total == 0 { end - at } else { total }.saturating_sub(header_len),
        next: header[9],
    });
    Some(Ip {
        src: Addr::v4(header[12..16].try_into().ok()?),
        dst: Addr::v4(header[16..20].try_into().ok()?),
        protocol: header[9],
        hop_limit: header[8],
        offset: at + header_len,
        end,
        fragment,
        source_routed: header_len > 20 && is_source_routed(data.get(at + 20..at + header_len)?),
    })
}

/// Loose or strict source route among the options (RFC 791 §3.1).
fn is_source_routed(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        match (kind, rest.first()) {
            (0, _) => return false,
            (1, _) => options = rest,
            (131 | 137, _) => return true,
            (_, Some(length)) if *length >= 2 => {
                let Some(next) = options.get(usize::from(*length)..) else { return false };
                options = next;
            }
            _ => return false,
        }
    }
    false
}

#[inline]
fn v6(data: &[u8], at: usize, wire_len: usize) -> Option<Ip> {
    let header = data.get(at..at + 40)?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let end = if length == 0 { wire_len } else { (at + 40 + length).min(wire_len) };
    let mut ip = Ip {
        src: Addr::v6(header[8..24].try_into().ok()?),
        dst: Addr::v6(header[24..40].try_into().ok()?),
        protocol: header[6],
        hop_limit: header[7],
        offset: at + 40,
        end,
        fragment: None,
        source_routed: false,
    };
    for _ in 0..MAX_EXTENSIONS {
        // A routing header with segments left (RFC 8200 §4.4).
        ip.source_routed |= ip.protocol == 43 && *data.get(ip.offset + 3)? > 0;
        let length = match ip.protocol {
            // Hop-by-hop, routing, destination options, mobility (RFC 8200 §4).
            0 | 43 | 60 | 135 => 8 + usize::from(*data.get(ip.offset + 1)?) * 8,
            // Authentication header (RFC 4302 §2.2).
            51 => 8 + usize::from(*data.get(ip.offset + 1)?) * 4,
            44 => {
                // Nobody takes a fragment apart again (RFC 8200 §4.5).
                if ip.fragment.is_some() {
                    return None;
                }
                let offset = be16(data, ip.offset + 2)?;
                // An atomic fragment (RFC 6946) is a whole packet.
                if offset & 0xfff9 != 0 {
                    ip.fragment = Some(Fragment {
                        id: be32(data, ip.offset + 4)?,
                        first: offset & 0xfff8 == 0,
                        last: offset & 1 == 0,
                        offset: usize::from(offset & 0xfff8),
                        body_at: ip.offset + 8,
                        length: (at + 40 + usize::from(be16(data, at + 4)?)).checked_sub(ip.offset + 8)?,
                        next: *data.get(ip.offset)?,
                    });
                }
                8
            }
            _ => return Some(ip),
        };
        ip.protocol = *data.get(ip.offset)?;
        ip.offset += length;
        if ip.offset > ip.end {
            return None;
        }
        if ip.fragment.is_some_and(|fragment| !fragment.first) {
            return Some(ip);
        }
    }
    None
}
