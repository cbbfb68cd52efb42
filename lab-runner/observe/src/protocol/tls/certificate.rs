//! The names in a server's certificate, which TLS shows up to version 1.2: its subject's common name and its alternative
//! names (RFC 5280 §4.1.2.6, §4.2.1.6).
//!
//! A walk over DER (X.690) that takes what there is of a certificate, whole or cut. Verifies nothing: what it tells is
//! what the server says of itself.

use crate::flow::MAX_NAMES;
use crate::protocol::Fields;
use crate::protocol::ber;

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;
/// `[0]`, the certificate's version; `[3]`, its extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `dNSName` and `iPAddress` of a GeneralName.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// id-ce-subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];
/// Parts of a distinguished name, and extensions.
const MAX_PARTS: usize = 64;

/// What a certificate says of its owner and issuer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    pub(super) subject: Option<&'a [u8]>,
    pub(super) issuer: Option<&'a [u8]>,
    pub(super) names: Vec<&'a [u8]>,
    pub(super) addresses: Vec<&'a [u8]>,
    /// Alternative names beyond as many as a flow has room for.
    pub(super) left: u64,
}

impl Certificate<'_> {
    /// Whether it is one that Tor's relays make anew every few hours: subject and issuer are random names of 8 to 20
    /// characters of base32 in `www.….net` and `www.….com`, and there are no alternative names (Tor's source,
    /// `tor_tls_context_init_certificates`).
    pub(super) fn is_tors(&self) -> bool {
        let random = |name: Option<&[u8]>, end: &[u8]| {
            let label = name.and_then(|name| name.strip_prefix(b"www.")?.strip_suffix(end));
            label.is_some_and(|label| {
                (8..=20).contains(&label.len())
                    && label.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
            })
        };
        self.names.is_empty() && random(self.subject, b".net") && random(self.issuer, b".com")
    }
}

/// The first certificate, the server's own, in the body of a Certificate message (RFC 5246 §7.4.2).
pub(super) fn first(body: &[u8]) -> Option<Certificate<'_>> {
    let mut fields = Fields(body);
    fields.u24()?;
    let length = fields.u24()?;
    Some(read(fields.take_lax(length as usize)))
}

fn read(der: &[u8]) -> Certificate<'_> {
    let mut certificate = Certificate::default();
    // What is missing behind a cut is not told; what came before is.
    let _ = walk(der, &mut certificate);
    certificate
}

fn walk<'a>(der: &'a [u8], certificate: &mut Certificate<'a>) -> Option<()> {
    let mut outer = Fields(expect(&mut Fields(der), SEQUENCE)?);
    let mut body = Fields(expect(&mut outer, SEQUENCE)?);
    if body.0.first() == Some(&VERSION) {
        element(&mut body)?;
    }
    expect(&mut body, INTEGER)?;
    let _algorithm = expect(&mut body, SEQUENCE)?;
    certificate.issuer = common_name(expect(&mut body, SEQUENCE)?);
    let _validity = expect(&mut body, SEQUENCE)?;
    certificate.subject = common_name(expect(&mut body, SEQUENCE)?);
    let _key = expect(&mut body, SEQUENCE)?;
    while let Some((tag, value)) = element(&mut body) {
        if tag == EXTENSIONS {
            let mut list = Fields(expect(&mut Fields(value), SEQUENCE)?);
            for _ in 0..MAX_PARTS {
                let mut extension = Fields(expect(&mut list, SEQUENCE)?);
                if expect(&mut extension, OID)? == SUBJECT_ALT_NAME {
                    alternative_names(extension, certificate);
                }
            }
        }
    }
    Some(())
}

fn alternative_names<'a>(mut extension: Fields<'a>, certificate: &mut Certificate<'a>) -> Option<()> {
    // A flag may stand before the value: whether the extension is critical.
    let value = loop {
        match element(&mut extension)? {
            (OCTET_STRING, value) => break value,
            _ => continue,
        }
    };
    let mut names = Fields(expect(&mut Fields(value), SEQUENCE)?);
    loop {
        let has_room = certificate.names.len() + certificate.addresses.len() < MAX_NAMES;
        match element(&mut names)? {
            (DNS_NAME, name) if has_room => certificate.names.push(name),
            (IP_ADDRESS, address) if has_room => certificate.addresses.push(address),
            (DNS_NAME | IP_ADDRESS, _) => certificate.left += 1,
            _ => {}
        }
    }
}

/// The last common name of a distinguished name: the most specific (RFC 6125 §2.3.1).
fn common_name(value: &[u8]) -> Option<&[u8]> {
    let mut parts = Fields(value);
    let mut found = None;
    for _ in 0..MAX_PARTS {
        let Some(part) = expect(&mut parts, SET) else { break };
        let mut pair = Fields(expect(&mut Fields(part), SEQUENCE)?);
        if expect(&mut pair, OID)? == COMMON_NAME {
            found = element(&mut pair).map(|(_, value)| value);
        }
    }
    found
}

/// The next element's value, if it is one of this kind.
fn expect<'a>(fields: &mut Fields<'a>, tag: u8) -> Option<&'a [u8]> {
    element(fields).filter(|(found, _)| *found == tag).map(|(_, value)| value)
}

/// A tag of one byte and a value; of a value that is cut, what there is (X.690 §8.1).
fn element<'a>(fields: &mut Fields<'a>) -> Option<(u8, &'a [u8])> {
    let tag = fields.u8()?;
    // The handshake's own lengths have three bytes.
    let length = ber::length(fields, 3)?;
    let whole = fields.0.len() >= length;
    let value = fields.take_lax(length);
    // A name that is cut in its middle is another name.
    (whole || matches!(tag, SEQUENCE | SET | OCTET_STRING | EXTENSIONS)).then_some((tag, value))
}
