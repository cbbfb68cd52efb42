//! DTLS (RFC 6347, RFC 9147), by the handshake that it begins with.

use super::facts::Facts;
use super::interface::{Datagram, Heard};

/// Tells DTLS.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_dtls(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("dtls");
    Heard::Done
}

/// RFC 6347 §4.1: a handshake record of epoch 0 that holds a ClientHello, a ServerHello or a HelloVerifyRequest.
fn is_dtls(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 0xfe, 0xff | 0xfd, 0, 0, ..]) && matches!(bytes.get(13), Some(1..=3))
}
