//! NetBIOS over UDP (RFC 1002): names that are asked for, and those of senders of datagrams.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::escape;
use crate::link::be16;
use crate::record::NameKind;

/// NetBIOS.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

const NAMES_PORT: u16 = 137;
const DATAGRAMS_PORT: u16 = 138;

/// Tells NetBIOS by its port and its spread-out names.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    if facts.has_heard(bytes) {
        return Heard::Open;
    }
    let name = if datagram.on(NAMES_PORT) && is_name_service(bytes) {
        // RFC 1002 §4.2: a DNS header, and the name that is asked for or given.
        bytes.get(12..).and_then(decoded)
    } else if datagram.on(DATAGRAMS_PORT) {
        // RFC 1002 §4.4.2 and §4.4.4: the sender's name behind a header of 14 bytes, and that in a query behind one of 10.
        let header = match bytes.first() {
            Some(0x10..=0x12) => 14,
            Some(0x14..=0x16) => 10,
            _ => return Heard::No,
        };
        bytes.get(header..).and_then(decoded)
    } else {
        None
    };
    let Some(name) = name else { return Heard::No };
    facts.recognised("netbios");
    facts.escaped(NameKind::Netbios, name);
    facts.heard(bytes);
    Heard::Open
}

/// RFC 1002 §4.2.1.1: an operation that exists, and one name that it is about.
fn is_name_service(bytes: &[u8]) -> bool {
    let count = |at| be16(bytes, at).unwrap_or(u16::MAX);
    let flags = bytes.get(2).copied().unwrap_or_default();
    let is_answer = flags & 0x80 != 0;
    // An answer that there is no such name may count nothing (RFC 1002 §4.2.14 has a record that some leave uncounted).
    matches!(flags >> 3 & 15, 0 | 5..=9 | 15)
        && count(4) <= 1
        && (is_answer || count(4) + count(6).min(2) + count(8).min(2) > 0)
}

/// RFC 1001 §14.1: each byte of a name is spread over two letters.
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    if bytes.first() != Some(&32) {
        return None;
    }
    let mut name = Vec::with_capacity(16);
    for pair in bytes.get(1..33)?.as_chunks::<2>().0 {
        let [high, low] = pair.map(|byte| byte.wrapping_sub(b'A'));
        if high > 15 || low > 15 {
            return None;
        }
        name.push(high << 4 | low);
    }
    // The sixteenth byte is the kind of service; names are padded with blanks.
    name.truncate(15);
    let trimmed = name.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    Some(escape::name(&name[..trimmed], 15))
}
