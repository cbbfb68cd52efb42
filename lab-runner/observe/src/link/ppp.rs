//! PPP: on a line of its own, on Ethernet, in tunnels.

use super::{Link, be16, by_type, ethernet::mpls};

/// PPP under the numbers of its link types.
pub(super) fn by_link_type(link_type: u16, data: &[u8], at: usize, link: &mut Link) {
    match (link_type, data.get(at)) {
        // PPPoE from its header on.
        (51, _) => pppoe(data, at, link),
        // A byte that tells the direction comes first.
        (166 | 204, Some(_)) => ppp(data, at + 1, link),
        // Addresses of Cisco's HDLC, of which a line's type is not told apart.
        (9 | 50, Some(0x0f | 0x8f)) => by_type(data, be16(data, at + 2), at + 4, link),
        _ => ppp(data, at, link),
    }
}

/// RFC 2516 §4: version, type, code, session, length; then PPP.
pub(super) fn pppoe(data: &[u8], at: usize, link: &mut Link) {
    ppp(data, at + 6, link);
}

/// A PPP frame, with or without its address and control bytes (RFC 1662 §3.1), its protocol in one byte or two (§2).
pub(crate) fn ppp(data: &[u8], mut at: usize, link: &mut Link) {
    if be16(data, at) == Some(0xff03) {
        at += 2;
    }
    match (data.get(at), be16(data, at)) {
        (Some(0x21 | 0x57), _) => link.ip(data, at + 1),
        (_, Some(0x0021 | 0x0057)) => link.ip(data, at + 2),
        // RFC 3032 §4.3.
        (_, Some(0x0281 | 0x0283)) => mpls(data, at + 2, link),
        (_, Some(_)) => link.other(0, at + 2, data),
        _ => {}
    }
}
