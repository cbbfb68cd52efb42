//! TP-Link's protocol for its smart devices on the link: JSON, each byte mixed with the one before.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// Kasa.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::with(&[KEY ^ b'{']), listen };

const PORT: u16 = 9999;
/// What the first byte is mixed with.
const KEY: u8 = 171;
const STARTS: [&[u8]; 2] = [b"{\"", b"{}"];

/// Tells it by its port and JSON's first and last bytes.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    let plain = |at: usize| Some(bytes.get(at)? ^ at.checked_sub(1).map_or(KEY, |before| bytes[before]));
    let starts = |start: &[u8]| start.iter().enumerate().all(|(at, byte)| plain(at) == Some(*byte));
    let ends = bytes.len().checked_sub(1).and_then(plain) == Some(b'}');
    if !datagram.on(PORT) || !ends || !STARTS.iter().any(|start| starts(start)) {
        return Heard::No;
    }
    facts.recognised("kasa");
    Heard::Done
}
