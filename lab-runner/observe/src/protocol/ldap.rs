//! LDAP (RFC 4511): recognised by its first message; TLS may follow (RFC 4511 §4.14).

use super::Fields;
use super::begins::Begins;
use super::ber;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::text::tls_begins;
use crate::flow::CLIENT;

/// LDAP.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[SEQUENCE]), probe, open: |_| Box::<Messages>::default() };

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;
/// The name of an extended request.
const REQUEST_NAME: u8 = 0x80;
/// Segments of a client among which TLS is awaited.
const MAX_SEGMENTS: u8 = 8;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == CLIENT && first_request(opening.bytes).is_some() { Probe::Yes } else { Probe::No }
}

/// RFC 4511 §4.2, §4.5.1, §4.12: what the first request of a connection is, and whether it carries a name to bind to.
fn first_request(bytes: &[u8]) -> Option<bool> {
    let mut fields = Fields(bytes);
    header(&mut fields, SEQUENCE)?;
    let id = header(&mut fields, INTEGER)?;
    if !(1..=4).contains(&id) {
        return None;
    }
    fields.take(id)?;
    let operation = *fields.0.first()?;
    header(&mut fields, operation)?;
    match operation {
        // Version 2 or 3, and a name.
        BIND => {
            let is_known = header(&mut fields, INTEGER)? == 1 && matches!(fields.u8()?, 2 | 3);
            let name = header(&mut fields, OCTET_STRING)?;
            is_known.then_some(name > 0)
        }
        // The object where the search begins, and how deep it goes.
        SEARCH => {
            let object = header(&mut fields, OCTET_STRING)?;
            fields.take(object)?;
            (fields.take(2)? == [10, 1]).then_some(false)
        }
        // An object identifier in digits and dots.
        EXTENDED => {
            let name = header(&mut fields, REQUEST_NAME)?;
            let is_oid = fields.take(name)?.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
            is_oid.then_some(false)
        }
        _ => None,
    }
}

/// The length of an element with this tag (RFC 4511 §5.1: definite lengths only).
fn header(fields: &mut Fields<'_>, tag: u8) -> Option<usize> {
    ber::header(fields, tag, 4)
}

#[derive(Debug, Default)]
struct Messages {
    segments: u8,
}

impl Dialogue for Messages {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("ldap");
        if side != CLIENT {
            return Step::Took(bytes.len());
        }
        if let Some(step) = tls_begins(bytes, shown) {
            return step;
        }
        if first_request(bytes) == Some(true) {
            facts.carries("credentials");
        }
        self.segments += 1;
        if self.segments >= MAX_SEGMENTS { Step::Done } else { Step::Took(bytes.len()) }
    }
}
