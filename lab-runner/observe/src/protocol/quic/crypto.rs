//! The frames of Initial packets (RFC 9000 §19), of which only CRYPTO tells anything.

use super::header::varint;
use crate::protocol::Fields;
use crate::protocol::pieces::{Pieces, Taken};
use crate::protocol::tls::record::CLIENT_HELLO;
use crate::stream::Budget;

/// Bytes of a handshake message before its body (RFC 8446 §4).
pub(super) const HEADER: usize = 4;

/// What became of a packet's frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    /// What became of its CRYPTO frames.
    pub(super) taken: Taken,
    /// None is left that was not understood.
    pub(super) whole: bool,
}

/// Takes the CRYPTO frames of a packet's payload; stops at a frame that no client sends in an Initial.
pub(super) fn take(frames: &[u8], google: bool, into: &mut Pieces, budget: &mut Budget) -> Read {
    let mut fields = Fields(frames);
    let mut read = Read { taken: Taken::Fine, whole: true };
    loop {
        // PADDING, which is most of a packet.
        let padding = fields.0.iter().position(|byte| *byte != 0);
        fields.take(padding.unwrap_or(fields.0.len()));
        if fields.0.is_empty() {
            return read;
        }
        // Some servers read a type however long it is written.
        let taken = match varint(&mut fields) {
            // PADDING that is written long, and PING.
            Some(0 | 1) => Some(Taken::Fine),
            Some(kind @ (2 | 3)) => skip_ack(&mut fields, kind == 3).map(|()| Taken::Fine),
            Some(6) => crypto(&mut fields, into, budget),
            Some(8) if google => crypto(&mut fields, into, budget),
            // CONNECTION_CLOSE: behind it is nothing.
            Some(0x1c) => return read,
            _ => None,
        };
        match taken {
            Some(Taken::Fine) => {}
            Some(taken) => read.taken = taken,
            None => return Read { whole: google, ..read },
        }
    }
}

/// RFC 9000 §19.6.
fn crypto(fields: &mut Fields<'_>, into: &mut Pieces, budget: &mut Budget) -> Option<Taken> {
    let offset = varint(fields)?;
    let length = varint(fields)?;
    let data = fields.take(usize::try_from(length).ok()?)?;
    Some(into.add(offset, data, budget))
}

/// The body of the ClientHello, once it is whole; `Err` where these are no ClientHello.
pub(super) fn hello(so_far: &[u8]) -> Result<Option<&[u8]>, ()> {
    match *so_far {
        [CLIENT_HELLO, a, b, c, ref body @ ..] => {
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            Ok(body.get(..length))
        }
        [] | [CLIENT_HELLO, ..] => Ok(None),
        _ => Err(()),
    }
}

/// RFC 9000 §19.3.
fn skip_ack(fields: &mut Fields<'_>, ecn: bool) -> Option<()> {
    varint(fields)?;
    varint(fields)?;
    let ranges = varint(fields)?;
    varint(fields)?;
    // Each takes a byte at least, so the datagram bounds this.
    for _ in 0..ranges {
        varint(fields)?;
        varint(fields)?;
    }
    for _ in 0..if ecn { 3 } else { 0 } {
        varint(fields)?;
    }
    Some(())
}
