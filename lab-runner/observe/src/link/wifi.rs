//! 802.11 (IEEE 802.11-2020, §9.2): data frames to their IP packet; what is no data, or encrypted, by its kind.
//!
//! Decrypts nothing, and puts no 802.11 fragments together.

use super::ethernet::llc;
use super::{Aside, Link, be16, le16, mac};

const DATA: u8 = 2;
const TO_AP: u8 = 0x01;
const FROM_AP: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// In the subtype of data frames: no data; QoS.
const NO_DATA: u8 = 4;
const QOS: u8 = 8;
/// In the QoS field: several packets in one frame (§9.3.2.2).
const AGGREGATE: u8 = 0x80;
const SUBFRAME_HEADER: usize = 14;

/// Decodes a frame at `at`; the receiver may have padded its header to 4 bytes.
pub(super) fn frame(data: &[u8], at: usize, padded: bool, link: &mut Link) {
    if let Some(&[control, flags]) = data.get(at..at + 2) {
        body([control, flags], data, at, padded, link);
    }
}

/// As [`frame`], from a controller's tunnel: some access points turn round the two bytes of the frame's control field.
pub(super) fn turned(data: &[u8], at: usize, link: &mut Link) {
    match data.get(at..at + 2) {
        // The low bits of the first byte are the version, which is 0.
        Some(&[flags, control]) if flags & 3 != 0 && control & 3 == 0 => {
            body([control, flags], data, at, false, link);
        }
        _ => frame(data, at, false, link),
    }
}

fn body([control, flags]: [u8; 2], data: &[u8], at: usize, padded: bool, link: &mut Link) {
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    if kind != DATA || subtype & NO_DATA != 0 {
        return link.aside(Aside::Wifi, at + 2, data);
    }
    let Some(sequence) = le16(data, at + 22) else { return };
    let (dst, src, mut header) = match (flags & TO_AP != 0, flags & FROM_AP != 0) {
        (false, false) => (at + 4, at + 10, 24),
        (true, false) => (at + 16, at + 10, 24),
        (false, true) => (at + 4, at + 16, 24),
        (true, true) => (at + 16, at + 24, 30),
    };
    (link.dst, link.src) = (mac(data, dst), mac(data, src));
    let mut aggregate = false;
    if subtype & QOS != 0 {
        let Some(qos) = data.get(at + header) else { return };
        aggregate = qos & AGGREGATE != 0;
        header += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if padded {
        header = header.next_multiple_of(4);
    }
    let body = at + header;
    if flags & PROTECTED != 0 {
        return link.aside(Aside::WifiProtected, body, data);
    }
    if flags & MORE_FRAGMENTS != 0 || sequence & 15 != 0 {
        return link.aside(Aside::WifiFragment, body, data);
    }
    match aggregate {
        true => subframe(data, body, link),
        false => llc(data, body, link),
    }
}

/// A packet of several in one frame: addresses, length, LLC; the next begins on 4 bytes from this one's beginning.
pub(super) fn subframe(data: &[u8], at: usize, link: &mut Link) {
    let Some(length) = be16(data, at + 12).map(usize::from) else { return };
    (link.dst, link.src) = (mac(data, at), mac(data, at + 6));
    llc(data, at + SUBFRAME_HEADER, link);
    let next = at + (SUBFRAME_HEADER + length).next_multiple_of(4);
    // A check sequence of 4 bytes may stand at the end.
    link.rest = (length > 0 && next + SUBFRAME_HEADER <= data.len()).then_some(next);
}
