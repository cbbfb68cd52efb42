//! Overlays of data centres and of mobile networks: VXLAN, Geneve, GTP-U.

use super::Inner;
use crate::link::{self, be16};

/// Extension headers of GTP-U that are stepped over.
const MAX_EXTENSIONS: usize = 8;

/// RFC 7348 §5; also with the policy of draft-smith-vxlan-group-policy, which uses reserved bits.
pub(super) fn vxlan(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    let has_policy = header[0] & 0x80 != 0;
    let is_vxlan = header[0] & 0x7f == 0x08 && header[7] == 0 && (has_policy || header[1..4] == [0; 3]);
    is_vxlan.then(|| Inner::ethernet("vxlan", data, at + 8))
}

/// draft-ietf-nvo3-vxlan-gpe §3: as VXLAN, with the protocol of what follows.
pub(super) fn vxlan_gpe(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    let has_protocol = header[0] & 0x04 != 0;
    if header[0] & 0xc8 != 0x08 || header[1..3] != [0; 2] {
        return None;
    }
    match header[3] {
        1 | 2 if has_protocol => Some(Inner::ip("vxlan", data, at + 8)),
        3 if has_protocol => Some(Inner::ethernet("vxlan", data, at + 8)),
        0 if !has_protocol => Some(Inner::ethernet("vxlan", data, at + 8)),
        _ => None,
    }
}

/// RFC 8926 §3.4: version 0, the length of its options in words, then an EtherType.
pub(super) fn geneve(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    if header[0] & 0xc0 != 0 || header[1] & 0x3f != 0 || header[7] != 0 {
        return None;
    }
    let body = at + 8 + 4 * usize::from(header[0] & 0x3f);
    match be16(header, 2)? {
        0x6558 => Some(Inner::ethernet("geneve", data, body)),
        link::ETHERTYPE_IPV4 | link::ETHERTYPE_IPV6 => Some(Inner::ip("geneve", data, body)),
        _ => None,
    }
}

/// 3GPP TS 29.281 §5.1: version 1, GTP, and a T-PDU (255).
pub(super) fn gtp_u(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    if header[0] & 0xf0 != 0x30 || header[1] != 255 {
        return None;
    }
    let mut body = at + 8;
    if header[0] & 7 != 0 {
        let mut next = *data.get(at + 11)?;
        body += 4;
        for _ in 0..MAX_EXTENSIONS {
            if next == 0 {
                break;
            }
            let length = usize::from(*data.get(body)?) * 4;
            if length == 0 {
                return None;
            }
            next = *data.get(body + length - 1)?;
            body += length;
        }
    }
    Some(Inner::ip("gtp-u", data, body))
}
