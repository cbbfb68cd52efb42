//! DHCP (RFC 2131, RFC 2132): the host name of a client, bare or with its domain (RFC 4702), from either side.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::record::NameKind;

/// DHCP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

const PORTS: [u16; 2] = [67, 68];
const HOST_NAME: u8 = 12;
const CLIENT_FQDN: u8 = 81;
/// RFC 4702 §2.1: the name is written as in DNS, not as text.
const FQDN_ENCODED: u8 = 4;

/// Tells DHCP by its magic cookie.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if datagram.on_any(&PORTS) && read(datagram.bytes, facts).is_some() { Heard::Open } else { Heard::No }
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
        // What a server writes there is its client's, which it gives back or gives away.
        match (option, value) {
            (HOST_NAME, name) => facts.name(NameKind::Dhcp, name.strip_suffix(&[0]).unwrap_or(name)),
            // Flags and two results come first.
            (CLIENT_FQDN, [flags, _, _, name @ ..]) if flags & FQDN_ENCODED == 0 => {
                facts.name(NameKind::Dhcp, name);
            }
            (CLIENT_FQDN, [_, _, _, name @ ..]) => {
                if let Some(name) = super::dns::plain_name(name) {
                    facts.escaped(NameKind::Dhcp, name);
                }
            }
            _ => {}
        }
    }
    Some(())
}
