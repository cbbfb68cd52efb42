//! IMAP (RFC 9051), by its greeting or its first command.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::{CLIENT, SERVER};

/// IMAP, and TLS in it (RFC 9051 §6.2.1).
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: BEGINS, probe, open: |_| text::open(&IMAP) };

/// A greeting, or a tag, before which there may be blanks.
const BEGINS: Begins =
    Begins::with(b"* \t\n\x0c\r").or_between(b'0', b'9').or_between(b'A', b'Z').in_any_case();

static IMAP: Text = Text { app: "imap", end: b'\n', line };

fn probe(opening: &Opening<'_>) -> Probe {
    let told = if opening.side == SERVER {
        opening.bytes.starts_with(b"* OK") || opening.bytes.starts_with(b"* PREAUTH")
    } else {
        command(opening.bytes).is_some_and(|word| {
            ["CAPABILITY", "STARTTLS", "LOGIN", "AUTHENTICATE"]
                .iter()
                .any(|known| text::is_command(word, known))
        })
    };
    if told { Probe::Yes } else { Probe::No }
}

/// The word behind the tag (RFC 9051 §2.2.1). Clients count in their tags; without a digit it may be any text.
fn command(line: &[u8]) -> Option<&[u8]> {
    let mut words = text::words(line.get(..64.min(line.len()))?);
    let tag = words.next()?;
    let is_tag = tag.iter().all(u8::is_ascii_alphanumeric) && tag.iter().any(u8::is_ascii_digit);
    if tag.len() <= 16 && is_tag { words.next() } else { None }
}

fn line(side: usize, line: &[u8], facts: &mut Facts<'_, '_>) {
    let is_login = |word: &[u8]| text::is_command(word, "LOGIN") || text::is_command(word, "AUTHENTICATE");
    if side == CLIENT && command(line).is_some_and(is_login) {
        facts.carries("credentials");
    }
}
