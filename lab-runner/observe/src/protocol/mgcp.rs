//! MGCP (RFC 3435): the gateway whose lines are commanded.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::record::NameKind;

/// MGCP.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::like(&VERBS).in_any_case(), listen };

/// RFC 3435 §2.3.
const VERBS: [&[u8]; 9] = [b"EPCF", b"CRCX", b"MDCX", b"DLCX", b"RQNT", b"NTFY", b"AUEP", b"AUCX", b"RSIP"];
/// A longer line is no command's.
const MAX_LINE: usize = 512;

/// Tells MGCP by a command line, in full.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let Some(host) = host(datagram.bytes) else { return Heard::No };
    facts.recognised("mgcp");
    facts.name(NameKind::MgcpHost, host);
    Heard::Open
}

/// The host in `RQNT 1201 line/1@host MGCP 1.0`.
fn host(bytes: &[u8]) -> Option<&[u8]> {
    // Of most other datagrams one byte tells enough.
    bytes.first().filter(|byte| byte.is_ascii_alphabetic())?;
    let line = bytes.get(..MAX_LINE.min(bytes.len()))?.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let mut words = line.split(|byte| *byte == b' ');
    let (verb, id, endpoint, protocol) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_command = VERBS.iter().any(|known| verb.eq_ignore_ascii_case(known));
    let told = is_command && id.iter().all(u8::is_ascii_digit) && protocol.eq_ignore_ascii_case(b"MGCP");
    endpoint.rsplit(|byte| *byte == b'@').next().filter(|_| told)
}
