//! SIP (RFC 3261): the host in the URI that a request is for, which is rarely the server that it is sent to.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{
    Datagram, DatagramProtocol, Dialogue, Heard, Opening, Probe, Shown, Step, StreamProtocol,
};
use crate::record::NameKind;

/// SIP over UDP.
pub(crate) const OVER_UDP: DatagramProtocol = DatagramProtocol { begins: BEGINS, listen };

/// SIP over TCP.
pub(crate) const OVER_TCP: StreamProtocol =
    StreamProtocol { begins: BEGINS, probe, open: |_| Box::new(Lines) };

const VERSION: &[u8] = b"SIP/2.0";
/// RFC 3261 §7.1 and its extensions.
const METHODS: [&[u8]; 14] = [
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"REGISTER",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"INFO",
    b"REFER",
    b"MESSAGE",
    b"UPDATE",
    b"PRACK",
];
const BEGINS: Begins = Begins::like(&METHODS).or(Begins::like(&[VERSION]));
const MAX_LINE: usize = 512;
const MAX_METHOD: usize = 10;

/// Tells SIP; a proxy may be asked for other hosts later.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if first_line(datagram.bytes, facts) { Heard::Open } else { Heard::No }
}

/// Reads a message's first line, if it is one.
fn first_line(bytes: &[u8], facts: &mut Facts<'_, '_>) -> bool {
    // All methods are in capitals: of most other datagrams one byte tells enough.
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    let near = &bytes[..bytes.len().min(MAX_LINE)];
    let end = near.iter().position(|byte| *byte == b'\r' || *byte == b'\n');
    let line = end.map_or(near, |end| &near[..end]);
    let mut words = line.split(|byte| *byte == b' ');
    let uri = match (words.next(), words.next(), words.next()) {
        (Some(VERSION), Some([b'1'..=b'6', b'0'..=b'9', b'0'..=b'9']), Some(_)) => None,
        (Some(method), Some(uri), Some(VERSION)) if METHODS.contains(&method) => Some(uri),
        _ => return false,
    };
    facts.recognised("sip");
    if let Some((user, host)) = uri.and_then(parts) {
        if user {
            facts.carries("user_name");
        }
        facts.name(NameKind::SipHost, host);
    }
    true
}

/// Whether a `sip:` URI has a user, and its host (RFC 3261 §19.1.1).
fn parts(uri: &[u8]) -> Option<(bool, &[u8])> {
    let rest = uri.strip_prefix(b"sip:").or_else(|| uri.strip_prefix(b"sips:"))?;
    let at = rest.iter().rposition(|byte| *byte == b'@');
    let host = &rest[at.map_or(0, |at| at + 1)..];
    let stop: &[u8] = if host.starts_with(b"[") { b"];?" } else { b":;?" };
    let end = host.iter().position(|byte| stop.contains(byte)).unwrap_or(host.len());
    let host = host[..end].strip_prefix(b"[").unwrap_or(&host[..end]);
    (!host.is_empty()).then_some((at.is_some(), host))
}

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    if Probe::of_starts(bytes, METHODS.iter().copied().chain([VERSION])) == Probe::No {
        return Probe::No;
    }
    if bytes.len() <= MAX_METHOD {
        return Probe::More;
    }
    // Other protocols have the same methods: the scheme or the version must follow.
    let is_sip = bytes.starts_with(VERSION)
        || bytes[..bytes.len().min(24)]
            .windows(5)
            .any(|window| matches!(window, b" sip:" | b" sips" | b" tel:"));
    if is_sip { Probe::Yes } else { Probe::No }
}

/// The first lines of a connection.
#[derive(Debug)]
struct Lines;

impl Dialogue for Lines {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let has_line = bytes.iter().take(MAX_LINE).any(|byte| *byte == b'\n');
        if !has_line && bytes.len() < MAX_LINE && !shown.last {
            return Step::Took(0);
        }
        // Bodies and further headers are passed over; a message that begins a segment is read.
        let is_first = facts.is_unknown();
        if !first_line(bytes, facts) && is_first {
            return Step::NotMine;
        }
        Step::Took(bytes.len())
    }
}
