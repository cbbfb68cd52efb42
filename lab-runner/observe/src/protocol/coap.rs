//! CoAP over UDP (RFC 7252): the host that a request is for.
//!
//! Told by its port and its whole form; on another port only where an option names a host or a path.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use crate::record::NameKind;

/// CoAP.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(0x40, 0x7f), listen };

const PORT: u16 = 5683;
const URI_HOST: u16 = 3;
const URI_PATH: u16 = 11;
const PROXY_URI: u16 = 35;
/// RFC 7252 §3: what a payload stands behind.
const PAYLOAD: u8 = 0xff;
const MAX_OPTIONS: usize = 32;

/// Tells CoAP; later requests may name other hosts.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let Some(message) = Message::read(datagram.bytes) else { return Heard::No };
    let is_told = datagram.on(PORT) || (message.is_request && message.has_path);
    if !is_told {
        return Heard::No;
    }
    facts.recognised("coap");
    if let Some(host) = message.host {
        facts.name(NameKind::CoapHost, host);
    }
    Heard::Open
}

#[derive(Debug, Default)]
struct Message<'a> {
    is_request: bool,
    /// An option names a path or a host, in plain text.
    has_path: bool,
    host: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (first, code) = (fields.u8()?, fields.u8()?);
        let _id = fields.u16()?;
        fields.take(usize::from(first & 15))?;
        // Version 1, a token of eight bytes at most, and a code that exists (RFC 7252 §12.1).
        let is_sane = first >> 6 == 1 && first & 15 <= 8;
        let is_known = matches!(code, 0..=7 | 0x41..=0x5f | 0x80..=0x9d | 0xa0..=0xa8);
        // An empty message is a header and nothing else (RFC 7252 §4.1).
        if !is_sane || !is_known || (code == 0 && (first & 15 != 0 || !fields.0.is_empty())) {
            return None;
        }
        let mut message = Self { is_request: (1..=7).contains(&code), ..Self::default() };
        let mut number = 0;
        for _ in 0..MAX_OPTIONS {
            let head = match fields.u8() {
                None => return Some(message),
                Some(PAYLOAD) => return (!fields.0.is_empty()).then_some(message),
                Some(head) => head,
            };
            number = extended(head >> 4, &mut fields)?.checked_add(number)?;
            let length = extended(head & 15, &mut fields)?;
            let value = fields.take(usize::from(length))?;
            message.option(number, value);
        }
        None
    }

    fn option(&mut self, number: u16, value: &'a [u8]) {
        let is_text = !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
        match number {
            URI_HOST if is_text => self.host = Some(value),
            PROXY_URI if is_text => self.host = host_of(value),
            URI_PATH if is_text => {}
            _ => return,
        }
        self.has_path = true;
    }
}

/// RFC 7252 §3.1.
fn extended(nibble: u8, fields: &mut Fields<'_>) -> Option<u16> {
    match nibble {
        13 => Some(u16::from(fields.u8()?) + 13),
        14 => fields.u16()?.checked_add(269),
        15 => None,
        small => Some(small.into()),
    }
}

/// The host in `coap://host:port/path`.
fn host_of(uri: &[u8]) -> Option<&[u8]> {
    let at = uri.windows(3).position(|window| window == b"://")? + 3;
    let rest = &uri[at..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b':')).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|host| !host.is_empty())
}
