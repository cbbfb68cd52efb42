//! L2TP's control messages (RFC 2661 §3.1, RFC 3931 §3.2.1). Data on its tunnels is opened as a tunnel.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::link::be16;

/// L2TP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[0xc8]), listen };

const PORT: u16 = 1701;

/// Tells L2TP by its port, the bits that a control message must have, and its length.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let (Some(flags), Some(length)) = (be16(datagram.bytes, 0), be16(datagram.bytes, 2)) else {
        return Heard::No;
    };
    // Type, length and sequence are there; all else is zero but the version.
    let is_control = matches!(flags, 0xc802 | 0xc803) && usize::from(length) == datagram.bytes.len();
    if !datagram.on(PORT) || !is_control {
        return Heard::No;
    }
    facts.recognised("l2tp");
    Heard::Done
}
