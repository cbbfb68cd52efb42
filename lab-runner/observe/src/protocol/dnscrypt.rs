//! DNSCrypt (draft-denis-dprive-dnscrypt §4), told by what every answer begins with: look-ups that nobody on the path reads.

use super::facts::Facts;
use super::interface::{Datagram, Heard};

const ANSWER: &[u8; 8] = b"r6fnvWj8";

/// Tells DNSCrypt.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.bytes.starts_with(ANSWER) {
        return Heard::No;
    }
    facts.recognised("dnscrypt");
    facts.hides_look_ups();
    Heard::Done
}
