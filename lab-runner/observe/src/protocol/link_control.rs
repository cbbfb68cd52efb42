//! Control traffic that no router forwards: neighbour discovery, multicast listener discovery, IGMP.
//!
//! A message only counts as such when nothing beyond the link could have got it, or when it has no room for anything
//! else: otherwise a channel could hide in one. Who sends chooses the source address, so that alone proves nothing.

use super::Fields;
use crate::ip::{Addr, Ip};

/// Neighbour discovery that is not sent to the link as such is no longer than this, in bytes.
const MAX_UNICAST: usize = 128;
/// RFC 4861 §4.3, §4.4.
const NEIGHBOUR_HEADER: usize = 24;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// What a look at a packet found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked {
    /// The protocol's word, where the packet is control traffic of the link.
    pub(crate) app: Option<&'static str>,
    /// How many bytes of the payload were looked at.
    pub(crate) consulted: usize,
}

/// Looks at the transport's bytes, of which `wire_len` were sent.
pub(crate) fn recognise(ip: &Ip, payload: &[u8], wire_len: usize) -> Looked {
    let found = |app| Looked { app, consulted: 8 };
    if ip.fragment.is_some() {
        return found(None);
    }
    match ip.protocol {
        // IGMP goes to multicast groups with a TTL of 1 (RFC 3376 §4).
        2 if ip.hop_limit == 1 && is_multicast(ip.dst) => found(Some("igmp")),
        58 => icmpv6(ip, payload, wire_len),
        _ => found(None),
    }
}

fn icmpv6(ip: &Ip, payload: &[u8], wire_len: usize) -> Looked {
    let found = |app| Looked { app, consulted: 8 };
    let [kind, code, ..] = *payload else { return found(None) };
    match (kind, code) {
        // RFC 4861 §6.1, §7.1: anything but 255 may have come through a router.
        (133..=137, 0) if ip.hop_limit == 255 => {
            if is_link_scope(ip.dst) {
                return found(Some("nd"));
            }
            let looked_at = &payload[..payload.len().min(MAX_UNICAST)];
            let fits = wire_len <= MAX_UNICAST && wire_len <= payload.len();
            let nd = fits
                && (is_unicast_link_local(ip.src) && has_sane_options(kind, looked_at)
                    || is_plain(ip, looked_at));
            Looked { app: nd.then_some("nd"), consulted: MAX_UNICAST }
        }
        // RFC 2710 §3, RFC 3810 §5: link-local source, hop limit 1; and to a group.
        (130..=132 | 143, 0) if ip.hop_limit == 1 && ip.src.is_local() && is_multicast(ip.dst) => {
            found(Some("mld"))
        }
        _ => found(None),
    }
}

/// A question for, or an answer about, one of the two ends, with a link address at most: there is no room in it.
fn is_plain(ip: &Ip, message: &[u8]) -> bool {
    let (about, option) = match message.first() {
        Some(&SOLICITATION) => (ip.dst, 1),
        Some(&ADVERTISEMENT) => (ip.src, 2),
        _ => return false,
    };
    let (Some(head), Some(options)) = (message.get(..NEIGHBOUR_HEADER), message.get(NEIGHBOUR_HEADER..))
    else {
        return false;
    };
    ip.src.prefix64() == ip.dst.prefix64()
        && head[5..8] == [0; 3]
        && head[8..] == about.bits.to_be_bytes()
        && (options.is_empty() || options.len() == 8 && options[..2] == [option, 1])
}

/// Options that fill the message to its end (RFC 4861 §4.6).
fn has_sane_options(kind: u8, message: &[u8]) -> bool {
    let header = match kind {
        133 => 8,
        134 => 16,
        137 => 40,
        _ => NEIGHBOUR_HEADER,
    };
    let Some(rest) = message.get(header..) else { return false };
    let mut options = Fields(rest);
    while !options.0.is_empty() {
        let (Some(_), Some(length)) = (options.u8(), options.u8()) else { return false };
        if length == 0 || options.take(usize::from(length) * 8 - 2).is_none() {
            return false;
        }
    }
    true
}

fn is_unicast_link_local(addr: Addr) -> bool {
    let bytes = addr.bits.to_be_bytes();
    addr.v6 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
}

/// Link-local, or multicast of interface or link scope (RFC 4291 §2.7), which solicited-node addresses are, too.
fn is_link_scope(addr: Addr) -> bool {
    is_unicast_link_local(addr) || matches!(addr.bits.to_be_bytes(), [0xff, 0x01 | 0x02, ..])
}

fn is_multicast(addr: Addr) -> bool {
    addr.ip().is_multicast()
}
