//! Tags and lengths in BER and DER (X.690 §8.1), which LDAP, SNMP and certificates are written in: tags of one byte, and
//! definite lengths. Reads no values: how much of one may be missing is for its protocol to say.

use super::Fields;

/// The length behind this tag; `None` behind another one.
pub(super) fn header(fields: &mut Fields<'_>, tag: u8, most: u8) -> Option<usize> {
    if fields.u8()? == tag { length(fields, most) } else { None }
}

/// A length: one byte, or a count of bytes and these, `most` (up to 4) of them.
pub(super) fn length(fields: &mut Fields<'_>, most: u8) -> Option<usize> {
    let first = fields.u8()?;
    match first & 0x7f {
        short if first == short => Some(usize::from(short)),
        count if (1..=most).contains(&count) => {
            let bytes = fields.take(usize::from(count))?;
            Some(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
        _ => None,
    }
}
