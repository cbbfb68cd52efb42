//! DNSCrypt (draft-denis-dprive-dnscrypt §4), told by what every answer begins with: look-ups that nobody on the path reads.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// DNSCrypt.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::like(&[ANSWER]), listen };

const ANSWER: &[u8; 8] = b"r6fnvWj8";

/// Tells DNSCrypt.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.bytes.starts_with(ANSWER) {
        return Heard::No;
    }
    facts.recognised("dnscrypt");
    facts.hides_look_ups();
    Heard::Done
}
