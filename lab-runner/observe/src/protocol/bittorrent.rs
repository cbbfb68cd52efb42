//! BitTorrent over UDP: its distributed table (BEP 5), trackers (BEP 15), uTP (BEP 29) and peers on the link (BEP 14).

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// BitTorrent.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol {
    begins: Begins::like(&STARTS).or(Begins::like(&[&TRACKER, &[UTP_SYN], ON_THE_LINK])),
    listen,
};

/// How messages of the table begin: dictionaries whose keys stand in order.
const STARTS: [&[u8]; 5] = [b"d1:ad2:id20:", b"d1:rd2:id20:", b"d1:eli", b"d2:ip6:", b"d2:ip18:"];
/// BEP 15: the number that a first request to a tracker has for a connection.
const TRACKER: [u8; 12] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0];
const TRACKER_LENGTH: usize = 16;
const ON_THE_LINK: &[u8] = b"BT-SEARCH * HTTP/1.1\r\n";
/// BEP 29: type 4 (SYN) and version 1.
const UTP_SYN: u8 = 0x41;
const UTP_HEADER: usize = 20;

/// Tells BitTorrent.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    let is_table = STARTS.iter().any(|start| bytes.starts_with(start))
        && (bytes.ends_with(b"e") || datagram.cut)
        && bytes.windows(5).any(|window| matches!(window, b"1:y1:"));
    let is_tracker = bytes.len() == TRACKER_LENGTH && bytes.starts_with(&TRACKER);
    if is_table || is_tracker || is_utp(bytes) || bytes.starts_with(ON_THE_LINK) {
        facts.recognised("bittorrent");
        return Heard::Done;
    }
    Heard::No
}

/// The first packet of a connection: no time has been measured, number 1, and nothing to acknowledge.
fn is_utp(bytes: &[u8]) -> bool {
    bytes.len() >= UTP_HEADER
        && bytes[0] == UTP_SYN
        && bytes[1] <= 2
        && (bytes[1] != 0 || bytes.len() == UTP_HEADER)
        && bytes[8..12] == [0; 4]
        && bytes[16..20] == [0, 1, 0, 0]
}
