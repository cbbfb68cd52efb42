//! Syncthing's announcements on the link (its Local Discovery Protocol v4), told by their number.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// Syncthing.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::like(&[&MAGIC]), listen };

const MAGIC: [u8; 4] = [0x2e, 0xa7, 0xd9, 0x0b];

/// Tells Syncthing; what it announces identifies the device.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.bytes.starts_with(&MAGIC) {
        return Heard::No;
    }
    facts.recognised("syncthing");
    facts.carries("device_id");
    Heard::Done
}
