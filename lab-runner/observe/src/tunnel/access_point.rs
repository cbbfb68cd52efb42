//! What access points and concentrators wrap: CAPWAP and TZSP (802.11 or Ethernet), L2TP (PPP).

use super::Inner;
use crate::link::{self, be16};

/// Bits of an L2TP header that are zero.
const RESERVED: u16 = 0x34f0;
/// Fields of a TZSP header that are stepped over.
const MAX_FIELDS: usize = 64;

/// RFC 5415 §4.3, its data channel in clear text.
pub(super) fn capwap(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    let length = 4 * usize::from(header[1] >> 3);
    // Version 0, and no DTLS.
    if header[0] != 0 || length < 8 {
        return None;
    }
    let none = Inner { app: "capwap", ip_at: None, vlan: None };
    let (is_native, is_fragment, is_keep_alive) =
        (header[2] & 1 != 0, header[3] & 0x80 != 0, header[3] & 8 != 0);
    let binding = header[2] >> 1 & 0x1f;
    let body = at + length;
    Some(match (is_native, binding) {
        _ if is_fragment || is_keep_alive => none,
        (false, _) => Inner::ethernet("capwap", data, body),
        (true, 1) => Inner::link("capwap", |link| link::wifi_of_controller(data, body, link)),
        _ => none,
    })
}

/// TaZmen's sniffer protocol: version, type, what is wrapped; fields; then the frame.
pub(super) fn tzsp(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 4)?;
    // Received frames (0) and frames to be sent (1).
    if header[0] != 1 || header[1] > 1 {
        return None;
    }
    let mut body = at + 4;
    for _ in 0..MAX_FIELDS {
        match *data.get(body)? {
            // Padding, and the end of fields.
            0 => body += 1,
            1 => {
                body += 1;
                return match be16(header, 2)? {
                    1 => Some(Inner::ethernet("tzsp", data, body)),
                    18 => Some(Inner::link("tzsp", |link| link::wifi(data, body, link))),
                    _ => None,
                };
            }
            _ => body += 2 + usize::from(*data.get(body + 1)?),
        }
    }
    None
}

/// RFC 2661 §3.1, data messages: length, sequence numbers and offset are there where flags say so; then PPP.
pub(super) fn l2tp(data: &[u8], at: usize) -> Option<Inner> {
    let flags = be16(data, at)?;
    // Control messages have the first bit; version 2 is the one with PPP.
    if flags & (0x8000 | RESERVED) != 0 || flags & 0x000f != 2 {
        return None;
    }
    let mut body = at + 2;
    if flags & 0x4000 != 0 {
        body += 2;
    }
    // The tunnel and the session.
    body += 4;
    if flags & 0x0800 != 0 {
        body += 4;
    }
    if flags & 0x0200 != 0 {
        body += 2 + usize::from(be16(data, body)?);
    }
    Some(Inner::link("l2tp", |link| link::ppp(data, body, link)))
}
