//! ICMP errors, and the packet that each quotes (RFC 792; RFC 4443 §3).
//!
//! An error belongs to the flow of the packet that it quotes. Only one that has no room for anything else is read.

use crate::ip::{self, Addr, Ip};
use crate::link::be16;

/// An error quotes no more than fits into this (RFC 1812 §4.3.2.3; RFC 4443 §2.4 (c)).
const MAX_V4: usize = 576;
const MAX_V6: usize = 1280;
const ICMP_HEADER: usize = 8;
/// The longest packet there is.
const MAX_PACKET: usize = 40 + 0xffff;

/// The packet that an error is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted {
    pub(crate) src: (Addr, u16),
    pub(crate) dst: (Addr, u16),
    pub(crate) protocol: u8,
    /// Its length in bytes, from its IP header on, as its header says.
    pub(crate) length: usize,
}

/// What a look for an error found, and where the bytes end that were looked at.
pub(crate) struct Looked {
    pub(crate) quoted: Option<Quoted>,
    pub(crate) end: usize,
}

/// The bytes of an error that are not a quotation: its IP header without options, and its own.
pub(crate) fn headers(v6: bool) -> usize {
    ICMP_HEADER + if v6 { 40 } else { 20 }
}

/// Looks for an error in a packet that begins at `at`; `None` where there can't be one.
pub(crate) fn look(data: &[u8], at: usize, ip: &Ip) -> Option<Looked> {
    let most = if ip.src.v6 { MAX_V6 } else { MAX_V4 };
    if ip.fragment.is_some() || ip.end - at > most || !is_error(ip.protocol, *data.get(ip.offset)?) {
        return None;
    }
    let begin = ip.offset + ICMP_HEADER;
    Some(match quoted(data, begin, ip.src.v6) {
        Some((quoted, end)) => Looked { quoted: Some(quoted), end },
        None => Looked { quoted: None, end: data.len() },
    })
}

/// The protocol numbers of ICMP and ICMPv6.
pub(crate) fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}

/// Destination unreachable, packet too big, time exceeded, parameter problem.
fn is_error(protocol: u8, kind: u8) -> bool {
    matches!((protocol, kind), (1, 3 | 11 | 12) | (58, 1..=4))
}

fn quoted(data: &[u8], begin: usize, v6: bool) -> Option<(Quoted, usize)> {
    let inner = ip::decode(data, begin, begin + MAX_PACKET + 1)?;
    let length = inner.end - begin;
    if inner.src.v6 != v6 || length > MAX_PACKET || inner.fragment.is_some_and(|fragment| !fragment.first) {
        return None;
    }
    let (src, dst) = match inner.protocol {
        6 | 17 | 132 => (be16(data, inner.offset)?, be16(data, inner.offset + 2)?),
        // Nobody answers an error with an error (RFC 1122 §3.2.2, RFC 4443 §2.4 (e.1)).
        protocol if is_icmp(protocol) && is_error(protocol, *data.get(inner.offset)?) => return None,
        _ => (0, 0),
    };
    let quoted = Quoted { src: (inner.src, src), dst: (inner.dst, dst), protocol: inner.protocol, length };
    Some((quoted, inner.offset + 4))
}
