//! NAT-PMP (RFC 6886 §3) and PCP (RFC 6887 §7): a host asks its router to let others in.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// NAT-PMP and PCP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[0, 2]), listen };

const PORTS: [u16; 2] = [5350, 5351];

/// Tells NAT-PMP and PCP by their ports, versions and lengths.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let length = datagram.bytes.len();
    let fits = match datagram.bytes {
        // The outer address, or a mapping; and the answers.
        [0, 0, ..] => length == 2,
        [0, 1 | 2, 0, 0, ..] => length == 12,
        [0, 128, ..] => length == 12,
        [0, 129 | 130, ..] => length == 16,
        [2, kind, ..] => kind & 0x7f <= 3 && (24..=1100).contains(&length) && length.is_multiple_of(4),
        _ => false,
    };
    if !datagram.on_any(&PORTS) || !fits {
        return Heard::No;
    }
    facts.recognised("nat-pmp");
    Heard::Done
}
