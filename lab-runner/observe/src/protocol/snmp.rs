//! SNMP (RFC 1157 §4, RFC 3416, RFC 3412 §6), told by its ASN.1; its password for everybody is never kept.

use super::Fields;
use super::begins::Begins;
use super::ber;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// SNMP.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[SEQUENCE]), listen };

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
/// Requests, answers, traps and reports.
const MESSAGES: std::ops::RangeInclusive<u8> = 0xa0..=0xa8;

/// Tells SNMP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if is_snmp(datagram.bytes, datagram.cut, facts).is_none() {
        return Heard::No;
    }
    facts.recognised("snmp");
    Heard::Done
}

fn is_snmp(bytes: &[u8], cut: bool, facts: &mut Facts<'_, '_>) -> Option<()> {
    let mut fields = Fields(bytes);
    let length = header(&mut fields, SEQUENCE)?;
    if length != fields.0.len() && !(cut && length > fields.0.len()) {
        return None;
    }
    if header(&mut fields, INTEGER)? != 1 {
        return None;
    }
    match fields.u8()? {
        // Versions 1 and 2c: the community, then the message.
        0 | 1 => {
            let length = header(&mut fields, OCTETS)?;
            fields.take(length)?;
            MESSAGES.contains(&fields.u8()?).then_some(())?;
            facts.carries("community");
        }
        // Version 3: a header of its own.
        3 => {
            header(&mut fields, SEQUENCE)?;
            header(&mut fields, INTEGER)?;
        }
        _ => return None,
    }
    Some(())
}

/// A tag, and the length behind it: a datagram holds none of more than two bytes.
fn header(fields: &mut Fields<'_>, tag: u8) -> Option<usize> {
    ber::header(fields, tag, 2)
}
