//! DHCP (RFC 2131, RFC 2132): the host name that a client gives itself.

use super::Fields;
use super::facts::Facts;
use super::interface::{Datagram, Heard};
use crate::record::NameKind;

const PORTS: [u16; 2] = [67, 68];
const HOST_NAME: u8 = 12;

/// Tells DHCP by its magic cookie.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if PORTS.iter().any(|port| datagram.on(*port)) && read(datagram.bytes, facts).is_some() {
        Heard::Open
    } else {
        Heard::No
    }
}

/// RFC 2131 §2.
fn read(bytes: &[u8], facts: &mut Facts<'_, '_>) -> Option<()> {
    let mut fields = Fields(bytes);
    let op = fields.u8()?;
    fields.take(235)?;
    if !matches!(op, 1 | 2) || fields.take(4)? != [0x63, 0x82, 0x53, 0x63] {
        return None;
    }
    facts.recognised("dhcp");
    while let Some(option) = fields.u8() {
        match option {
            0 => continue,
            255 => break,
            _ => {}
        }
        let Some(value) = fields.u8().and_then(|length| fields.take(usize::from(length))) else { break };
        if option == HOST_NAME && op == 1 {
            facts.name(NameKind::Dhcp, value);
        }
    }
    Some(())
}
