//! XMPP (RFC 6120): the host that a stream is opened to.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::CLIENT;
use crate::record::NameKind;

/// XMPP, and TLS in it (RFC 6120 §5).
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(b"<"), probe, open: |_| text::open(&XMPP) };

static XMPP: Text = Text { app: "xmpp", end: b'>', line };

/// How far into the first bytes the stream's element is looked for, behind an XML declaration.
const NEAR: usize = 128;

fn probe(opening: &Opening<'_>) -> Probe {
    let near = &opening.bytes[..opening.bytes.len().min(NEAR)];
    let told = near.starts_with(b"<") && near.windows(15).any(|window| window == b"<stream:stream ");
    if told { Probe::Yes } else { Probe::No }
}

fn line(side: usize, element: &[u8], facts: &mut Facts<'_, '_>) {
    if side != CLIENT {
        return;
    }
    if element.starts_with(b"<stream:stream ") {
        if let Some(host) = attribute(element, b"to=") {
            facts.name(NameKind::XmppHost, host);
        }
    } else if element.starts_with(b"<auth ") {
        facts.carries("credentials");
    }
}

/// The value of an attribute (XML 1.0 §3.1), without its quotes.
fn attribute<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = element.windows(name.len() + 1).position(|window| {
        window.first().is_some_and(u8::is_ascii_whitespace) && window.get(1..) == Some(name)
    })?;
    let value = element.get(at + 1 + name.len()..)?;
    let (&quote, rest) = value.split_first()?;
    let end = rest.iter().position(|byte| *byte == quote)?;
    matches!(quote, b'\'' | b'"').then(|| &rest[..end])
}
