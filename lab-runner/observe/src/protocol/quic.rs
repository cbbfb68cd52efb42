//! QUIC, by the long header that every connection begins with.

use super::facts::Facts;
use super::interface::{Datagram, Heard};

/// RFC 9250 §4.1.1.
const DOQ_PORT: u16 = 853;

/// Tells QUIC by a version that exists.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_quic(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("quic");
    if datagram.ports[1] == DOQ_PORT {
        facts.hides_look_ups();
    }
    Heard::Done
}

/// RFC 9000 §17.2, RFC 9369 §3.1: a long header of a version that exists.
fn is_quic(bytes: &[u8]) -> bool {
    let Some(&[first, a, b, c, d]) = bytes.get(..5) else { return false };
    let version = u32::from_be_bytes([a, b, c, d]);
    let known = matches!(version, 1 | 0x6b33_43cf)
        || version >> 8 == 0x00ff_0000
        || version >> 8 == 0x00fa_ceb0
        || (matches!(a, b'Q' | b'T') && b == b'0' && c.is_ascii_digit() && d.is_ascii_digit());
    first & 0x80 != 0 && known && bytes.len() >= 20
}
