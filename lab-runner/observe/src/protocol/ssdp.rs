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
const MAX_LINES: usize = 64;

/// Tells SSDP by its request lines; each announcement may name another place.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    // An answer comes from any port to the one that asked.
    let begins = |start: &[u8]| datagram.bytes.starts_with(start);
    let is_told = STARTS.into_iter().any(begins) || (datagram.on(PORT) && begins(ANSWER));
    if !is_told {
        return Heard::No;
    }
    if facts.has_heard(datagram.bytes) {
        return Heard::Open;
    }
    facts.recognised("ssdp");
    for line in datagram.bytes.split(|byte| *byte == b'\n').take(MAX_LINES) {
        let (name, value) = line.split_at(LOCATION.len().min(line.len()));
        if name.eq_ignore_ascii_case(LOCATION)
            && let Some(host) = authority(value.trim_ascii(), false)
        {
            facts.name(NameKind::Ssdp, host);
        }
    }
    facts.heard(datagram.bytes);
    Heard::Open
}
