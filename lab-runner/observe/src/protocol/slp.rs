//! The Service Location Protocol (RFC 2608 §8, RFC 2165 §4), told by its port, version and length.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// SLP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[1, 2]), listen };

const PORT: u16 = 427;

/// Tells SLP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let mut fields = Fields(datagram.bytes);
    let length = match (fields.u8(), fields.u8()) {
        (Some(1), Some(1..=10)) => fields.u16().map(u32::from),
        (Some(2), Some(1..=11)) => fields.u24(),
        _ => None,
    };
    let fits = length.is_some_and(|length| length as usize == datagram.bytes.len());
    if !datagram.on(PORT) || !fits {
        return Heard::No;
    }
    facts.recognised("slp");
    Heard::Done
}
