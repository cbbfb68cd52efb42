//! SSDP (UPnP Device Architecture 2.0 §1): searches and announcements on the link, and where they say a device is described.

use super::begins::Begins;
use super::facts::Facts;
use super::http::authority;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::record::NameKind;

/// SSDP.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::like(&STARTS).or(Begins::like(&[ANSWER])), listen };

const PORT: u16 = 1900;
const STARTS: [&[u8]; 2] = [b"M-SEARCH * HTTP/", b"NOTIFY * HTTP/"];
const ANSWER: &[u8] = b"HTTP/1.";
const LOCATION: &[u8] = b"location:";
/// In every answer (§1.3.3).
const SERVICE: &[u8] = b"usn:";
const MAX_LINES: usize = 64;

/// Tells SSDP by its request lines; each announcement may name another place.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let begins = |start: &[u8]| datagram.bytes.starts_with(start);
    let lines = || datagram.bytes.split(|byte| *byte == b'\n').take(MAX_LINES);
    // An answer comes from any port to the one that asked, and says what it is an answer of.
    let is_answer = || datagram.on(PORT) || lines().any(|line| header(line, SERVICE).is_some());
    if !(STARTS.into_iter().any(begins) || (begins(ANSWER) && is_answer())) {
        return Heard::No;
    }
    if facts.has_heard(datagram.bytes) {
        return Heard::Open;
    }
    facts.recognised("ssdp");
    let hosts = lines().filter_map(|line| authority(header(line, LOCATION)?, false));
    for host in hosts {
        facts.name(NameKind::Ssdp, host);
    }
    facts.heard(datagram.bytes);
    Heard::Open
}

/// What stands behind the name of a header, if a line begins with it.
fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
