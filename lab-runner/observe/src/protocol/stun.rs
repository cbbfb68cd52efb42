//! STUN and TURN (RFC 8489, RFC 8656): the addresses that a client is told it has.

use std::net::SocketAddr;

use super::Fields;
use super::facts::Facts;
use super::interface::{Datagram, Heard};
use crate::record::NameKind;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const MAX_NAMES: usize = 8;

/// Tells STUN by its cookie; other messages of the same flow may tell more.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if read(datagram.bytes, facts).is_some() { Heard::Open } else { Heard::No }
}

/// RFC 8489 §5: two zero bits, a length in fours, and the magic cookie.
fn read(bytes: &[u8], facts: &mut Facts<'_, '_>) -> Option<()> {
    let mut fields = Fields(bytes);
    let kind = fields.u16()?;
    let length = usize::from(fields.u16()?);
    if kind & 0xc000 != 0 || !length.is_multiple_of(4) || fields.take(4)? != COOKIE {
        return None;
    }
    let transaction: [u8; 12] = fields.take(12)?.try_into().ok()?;
    facts.recognised("stun");
    let mut attributes = Fields(fields.take_lax(length));
    let mut told = 0;
    while told < MAX_NAMES {
        let (Some(attribute), Some(size)) = (attributes.u16(), attributes.u16()) else { break };
        let value = attributes.take_lax(usize::from(size).next_multiple_of(4));
        let kind = match attribute {
            0x0020 | 0x8020 => NameKind::StunMapped,
            0x0016 => NameKind::StunRelayed,
            _ => continue,
        };
        if let Some(address) = xor_address(value, transaction) {
            facts.escaped(kind, address.to_string());
            told += 1;
        }
    }
    Some(())
}

/// RFC 8489 §14.2.
fn xor_address(value: &[u8], transaction: [u8; 12]) -> Option<SocketAddr> {
    let mut fields = Fields(value);
    fields.u8()?;
    let family = fields.u8()?;
    let port = fields.u16()? ^ 0x2112;
    let mut key = [0; 16];
    key[..4].copy_from_slice(&COOKIE);
    key[4..].copy_from_slice(&transaction);
    match family {
        1 => {
            let mut ip: [u8; 4] = fields.take(4)?.try_into().ok()?;
            ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Some((ip, port).into())
        }
        2 => {
            let mut ip: [u8; 16] = fields.take(16)?.try_into().ok()?;
            ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Some((ip, port).into())
        }
        _ => None,
    }
}
