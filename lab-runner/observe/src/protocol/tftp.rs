//! TFTP (RFC 1350 §5), told by a request: a file's name and one of three modes, both in text.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// TFTP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[0]), listen };

const READ: u16 = 1;
const WRITE: u16 = 2;
const MODES: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];

/// Tells TFTP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_request(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("tftp");
    Heard::Done
}

fn is_request(bytes: &[u8]) -> bool {
    let mut fields = Fields(bytes);
    if !matches!(fields.u16(), Some(READ | WRITE)) {
        return false;
    }
    let mut words = fields.0.split(|byte| *byte == 0);
    let (Some(file), Some(mode), Some(_)) = (words.next(), words.next(), words.next()) else { return false };
    let is_text = !file.is_empty() && file.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    is_text && MODES.iter().any(|known| mode.eq_ignore_ascii_case(known))
}
