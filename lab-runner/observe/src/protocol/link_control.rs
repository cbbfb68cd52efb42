//! Control traffic that no router forwards: neighbour discovery, multicast listener discovery, IGMP.
//!
//! A message only counts as such when nothing beyond the link could have got it: otherwise a channel could hide in one.

use crate::ip::{Addr, Ip};

/// The protocol's word, where a packet is control traffic of the link.
pub(crate) fn recognise(ip: &Ip, payload: &[u8]) -> Option<&'static str> {
    match ip.protocol {
        // IGMP goes to multicast groups with a TTL of 1 (RFC 3376 §4).
        2 if ip.hop_limit == 1 && is_multicast(ip.dst) => Some("igmp"),
        58 => icmpv6(ip, payload),
        _ => None,
    }
}

fn icmpv6(ip: &Ip, payload: &[u8]) -> Option<&'static str> {
    let [kind, code, ..] = *payload else { return None };
    match (kind, code) {
        // RFC 4861 §6.1, §7.1: anything but 255 may have come through a router; and the target must be on the link.
        (133..=137, 0) if ip.hop_limit == 255 && on_link(ip.src, ip.dst) => Some("nd"),
        // RFC 2710 §3, RFC 3810 §5: link-local source, hop limit 1.
        (130..=132 | 143, 0) if ip.hop_limit == 1 && ip.src.is_local() => Some("mld"),
        _ => None,
    }
}

fn on_link(src: Addr, dst: Addr) -> bool {
    src.is_local() || link_scope(dst) || src.prefix64() == dst.prefix64()
}

/// Link-local, or multicast of interface or link scope (RFC 4291 §2.7).
fn link_scope(addr: Addr) -> bool {
    let bytes = addr.bits.to_be_bytes();
    (bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80) || (bytes[0] == 0xff && bytes[1] & 0x0f <= 2)
}

fn is_multicast(addr: Addr) -> bool {
    addr.ip().is_multicast()
}
