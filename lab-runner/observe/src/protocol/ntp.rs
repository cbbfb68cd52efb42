//! NTP (RFC 5905): told by its form and its port together, for 48 bytes with few fixed bits could be anything.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// NTP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

const PORT: u16 = 123;

/// Tells NTP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.on(PORT) || !is_ntp(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("ntp");
    Heard::Done
}

/// RFC 5905 §7.3: 48 bytes and perhaps extensions and a digest; version 1–4, a mode, and a poll and precision that exist.
fn is_ntp(bytes: &[u8]) -> bool {
    let Some(&first) = bytes.first() else { return false };
    let (version, mode) = (first >> 3 & 7, first & 7);
    match mode {
        1..=5 => {
            (1..=4).contains(&version) && bytes.len() >= 48 && bytes.len().is_multiple_of(4) && bytes[1] <= 16
        }
        // Control (RFC 9327 §2) and private messages.
        6 | 7 => (1..=4).contains(&version) && bytes.len() >= 8,
        _ => false,
    }
}
