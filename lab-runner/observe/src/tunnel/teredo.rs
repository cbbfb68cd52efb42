//! Teredo (RFC 4380): IPv6 in UDP, through NATs.

use super::Inner;
use crate::link::be16;

const IPV6_HEADER: usize = 40;

/// §5.1.1: an authentication header and an origin may come before the packet.
pub(super) fn teredo(data: &[u8], mut at: usize) -> Option<Inner> {
    if be16(data, at)? == 0x0001 {
        let (client, value) = (*data.get(at + 2)?, *data.get(at + 3)?);
        // A nonce of eight bytes and a confirmation come behind the two values.
        at += 4 + usize::from(client) + usize::from(value) + 9;
    }
    if be16(data, at)? == 0x0000 {
        at += 8;
    }
    let packet = data.get(at..at + IPV6_HEADER)?;
    // One end at least is a Teredo address (§2.6), or a link-local one (§5.2.1).
    let is_end =
        |address: &[u8]| address.starts_with(&[0x20, 0x01, 0, 0]) || address.starts_with(&[0xfe, 0x80]);
    (is_end(&packet[8..24]) || is_end(&packet[24..40])).then(|| Inner::ip("teredo", data, at))
}
