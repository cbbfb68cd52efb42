//! The record layer in clear text (RFC 8446 §5.1): handshake messages out of records that may be split anyhow.
//!
//! Copies only where messages are spread over several records, and no more than the stream holds anyway.

use crate::protocol::Fields;
use crate::protocol::interface::Probe;

/// Handshake messages (RFC 8446 §4), over whatever they come.
pub(in crate::protocol) const CLIENT_HELLO: u8 = 1;
pub(in crate::protocol) const SERVER_HELLO: u8 = 2;
pub(in crate::protocol) const CERTIFICATE: u8 = 11;
/// The kind of record that they stand in (RFC 8446 §5.1, RFC 9147 §4).
pub(in crate::protocol) const HANDSHAKE: u8 = 22;
/// Bytes of a record's header.
pub(super) const HEADER: usize = 5;
/// RFC 8446 §5.2: what a record holds at most.
pub(super) const MAX_LENGTH: usize = (1 << 14) + 256;
/// Records that are put together; a flight of certificates in records of some 1 KiB takes a few dozen.
const MAX_RECORDS: usize = 128;

/// Could a side's first bytes be a record with this handshake message?
pub(super) fn probe(bytes: &[u8], message: u8) -> Probe {
    let fits = |at: usize, ok: &dyn Fn(u8) -> bool| bytes.get(at).is_none_or(|byte| ok(*byte));
    let plausible = fits(0, &|byte| byte == HANDSHAKE)
        && fits(1, &|byte| byte == 3)
        && fits(2, &|byte| byte <= 4)
        && fits(5, &|byte| byte == message);
    match (plausible, bytes.len() > HEADER) {
        (false, _) => Probe::No,
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
    }
}

/// Could these bytes begin any record of TLS?
pub(super) fn is_record(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|kind| matches!(kind, 20..=24)) && bytes.get(1).is_none_or(|major| *major == 3)
}

/// Bytes of whole records at the start of a stream that are no handshake's.
pub(super) fn others(bytes: &[u8]) -> usize {
    let mut rest = Fields(bytes);
    loop {
        let at = bytes.len() - rest.0.len();
        let (Some(20 | 21 | 23 | 24), Some(_version), Some(length)) = (rest.u8(), rest.u16(), rest.u16())
        else {
            return at;
        };
        if rest.take(usize::from(length)).is_none() {
            return at;
        }
    }
}

/// What the records at the start of a stream hold.
#[derive(Debug)]
pub(super) struct Handshake<'a> {
    /// Handshake messages, one after the other; the last may be incomplete.
    pub(super) bytes: &'a [u8],
    /// Where more of them would come: how many bytes of the stream there have to be before there is anything new.
    pub(super) more_at: Option<usize>,
}

/// Puts handshake messages together until `enough` says so of what there is, where need be in `scratch`.
pub(super) fn handshake<'a>(
    bytes: &'a [u8],
    scratch: &'a mut Vec<u8>,
    enough: impl Fn(&[u8]) -> bool,
) -> Handshake<'a> {
    scratch.clear();
    let (mut first, mut more_at) = (&[][..], None);
    let mut rest = Fields(bytes);
    for _ in 0..MAX_RECORDS {
        let at = bytes.len() - rest.0.len();
        let (Some(kind), Some(_version), Some(length)) = (rest.u8(), rest.u16(), rest.u16()) else {
            more_at = is_record(&bytes[at..]).then_some(at + HEADER + 1);
            break;
        };
        if kind != HANDSHAKE {
            break;
        }
        let length = usize::from(length);
        let body = rest.take_lax(length);
        if first.is_empty() {
            first = body;
        } else {
            if scratch.is_empty() {
                scratch.extend_from_slice(first);
            }
            scratch.extend_from_slice(body);
        }
        if enough(if scratch.is_empty() { first } else { scratch }) {
            break;
        }
        if body.len() < length {
            more_at = Some(at + HEADER + length);
            break;
        }
    }
    Handshake { bytes: if scratch.is_empty() { first } else { scratch }, more_at }
}

/// A handshake message (RFC 8446 §4).
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
    /// Bytes of the body that are not there.
    pub(super) missing: usize,
}

/// The messages in handshake bytes; the last one may miss bytes.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut fields = Fields(bytes);
    std::iter::from_fn(move || {
        let (kind, length) = (fields.u8()?, fields.u24()? as usize);
        let body = fields.take_lax(length);
        Some(Message { kind, body, missing: length - body.len() })
    })
}
