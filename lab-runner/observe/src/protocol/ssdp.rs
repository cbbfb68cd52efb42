//! SSDP (UPnP Device Architecture 2.0 §1): searches and announcements on the link.

use super::facts::Facts;
use super::interface::{Datagram, Heard};

const PORT: u16 = 1900;
const STARTS: [&[u8]; 3] = [b"M-SEARCH * HTTP/", b"NOTIFY * HTTP/", b"HTTP/1."];

/// Tells SSDP by its request lines.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.on(PORT) || !STARTS.iter().any(|start| datagram.bytes.starts_with(start)) {
        return Heard::No;
    }
    facts.recognised("ssdp");
    Heard::Done
}
