//! Xiaomi's miIO between its devices and their app on the link: told by its magic number and its length.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::link::be16;

/// miIO.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::like(&[&MAGIC.to_be_bytes()]), listen };

const MAGIC: u16 = 0x2131;
const HEADER: usize = 32;

/// Tells miIO; its header identifies the device.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    let fits = be16(bytes, 2).is_some_and(|length| usize::from(length) == bytes.len());
    if be16(bytes, 0) != Some(MAGIC) || !fits || bytes.len() < HEADER {
        return Heard::No;
    }
    facts.recognised("miio");
    facts.carries("device_id");
    Heard::Done
}
