//! GRE: RFC 2784 with RFC 2890, its predecessor with routes (RFC 1701), and the variant of PPTP (RFC 2637 §4.1).

use super::Inner;
use crate::link::{self, be16};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// Of version 1.
const ACKNOWLEDGED: u16 = 0x0080;
/// Entries of a route that are stepped over.
const MAX_ROUTES: usize = 16;

const ETHERNET: u16 = 0x6558;
const PPP: u16 = 0x880b;
const WCCP: u16 = 0x883e;
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

pub(super) fn gre(data: &[u8], at: usize) -> Option<Inner> {
    let flags = be16(data, at)?;
    let protocol = be16(data, at + 2)?;
    let version = flags & 7;
    let mut body = at + 4;
    // A checksum comes with the offset of a route, and the other way round.
    let fields = [CHECKSUM | ROUTING, KEY, SEQUENCE];
    body += 4 * fields.iter().filter(|field| flags & **field != 0).count();
    if version == 1 && flags & ACKNOWLEDGED != 0 {
        body += 4;
    }
    if version == 0 && flags & ROUTING != 0 {
        body = behind_route(data, body)?;
    }
    Some(match protocol {
        link::ETHERTYPE_IPV4 | link::ETHERTYPE_IPV6 => Inner::ip("gre", data, body),
        ETHERNET => Inner::ethernet("gre", data, body),
        PPP => Inner::link("gre", |link| link::ppp(data, body, link)),
        link::ETHERTYPE_MPLS => Inner::link("gre", |link| link::mpls(data, body, link)),
        // The second version has a header of four bytes before the packet.
        WCCP => Some(Inner::ip("gre", data, body))
            .filter(|inner| inner.ip_at.is_some())
            .unwrap_or_else(|| Inner::ip("gre", data, body + 4)),
        // Its first type has no header, and no sequence number.
        ERSPAN => Inner::ethernet("gre", data, body + if flags & SEQUENCE != 0 { 8 } else { 0 }),
        ERSPAN_3 => {
            let more = data.get(body + 11)? & 1 != 0;
            Inner::ethernet("gre", data, body + if more { 20 } else { 12 })
        }
        _ => Inner { app: "gre", ip_at: None, vlan: None },
    })
}

/// RFC 1701: entries of a family (2), an offset, a length, and an address; the last one is all zeros.
fn behind_route(data: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..MAX_ROUTES {
        let (family, length) = (be16(data, at)?, *data.get(at + 3)?);
        at += 4 + usize::from(length);
        if family == 0 && length == 0 {
            return Some(at);
        }
    }
    None
}
