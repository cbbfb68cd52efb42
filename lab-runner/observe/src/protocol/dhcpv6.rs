//! DHCPv6 (RFC 8415 §8): the name that a client gives itself (RFC 4704).

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::record::NameKind;

/// DHCPv6.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

/// The client's, and the servers' and relays'.
const PORTS: [u16; 2] = [546, 547];
/// A device's identifier (RFC 8415 §11).
const CLIENT_ID: u16 = 1;
const CLIENT_FQDN: u16 = 39;
const MAX_OPTIONS: usize = 64;

/// Tells DHCPv6 by its ports, its types and options that fill it.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if datagram.on_any(&PORTS) && read(datagram, facts).is_some() { Heard::Open } else { Heard::No }
}

fn read(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Option<()> {
    let mut fields = Fields(datagram.bytes);
    match fields.u8()? {
        // A message with its transaction.
        1..=11 => fields.take(3)?,
        // A relay's: hops, and two addresses.
        12 | 13 => fields.take(33)?,
        _ => return None,
    };
    let mut name = None;
    let mut has_id = false;
    for _ in 0..MAX_OPTIONS {
        if fields.0.is_empty() {
            break;
        }
        let (kind, length) = (fields.u16()?, fields.u16()?);
        let value = fields.take(usize::from(length));
        let value = if datagram.cut { value.unwrap_or(&[]) } else { value? };
        match kind {
            CLIENT_ID => has_id = true,
            // Flags, then a name as DNS writes it.
            CLIENT_FQDN => name = value.get(1..).and_then(super::dns::plain_name),
            _ => {}
        }
    }
    facts.recognised("dhcpv6");
    if has_id {
        facts.carries("client_id");
    }
    if let Some(name) = name {
        facts.escaped(NameKind::Dhcp, name);
    }
    Some(())
}
