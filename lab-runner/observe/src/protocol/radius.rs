//! RADIUS (RFC 2865 §3), told by its ports and attributes that fill its length.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// RADIUS.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(1, 5).or_between(11, 13).or_between(40, 45), listen };

/// Authentication, accounting, their old numbers, and changes (RFC 5176).
const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];
const HEADER: usize = 20;
const USER_NAME: u8 = 1;

/// Tells RADIUS.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.on_any(&PORTS) || !is_radius(datagram.bytes, facts) {
        return Heard::No;
    }
    facts.recognised("radius");
    Heard::Done
}

fn is_radius(bytes: &[u8], facts: &mut Facts<'_, '_>) -> bool {
    let mut fields = Fields(bytes);
    let (Some(code), Some(_), Some(length)) = (fields.u8(), fields.u8(), fields.u16()) else { return false };
    let known = matches!(code, 1..=5 | 11..=13 | 40..=45);
    if !known || usize::from(length) != bytes.len() || bytes.len() < HEADER {
        return false;
    }
    let mut attributes = Fields(&bytes[HEADER..]);
    let mut has_name = false;
    while let Some(kind) = attributes.u8() {
        let value = attributes.u8().and_then(|length| attributes.take(usize::from(length).checked_sub(2)?));
        if value.is_none() {
            return false;
        }
        has_name |= kind == USER_NAME;
    }
    if has_name {
        facts.carries("user_name");
    }
    true
}
