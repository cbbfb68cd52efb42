//! SMTP (RFC 5321): the names that both sides give themselves.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::SERVER;
use crate::record::NameKind;

/// SMTP, and TLS in it (RFC 3207).
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(b"2EHL").in_any_case(), probe, open: |_| text::open(&SMTP) };

static SMTP: Text = Text { app: "smtp", end: b'\n', line };

/// IANA: smtp, submission, and its common second.
const PORTS: [u16; 3] = [25, 587, 2525];

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    let told = if opening.side == SERVER {
        // A greeting need not say what it is of: FTP's looks the same.
        let says = || bytes.windows(4).take(512).any(|word| word.eq_ignore_ascii_case(b"SMTP"));
        matches!(bytes, [b'2', b'2', b'0', b' ' | b'-', ..]) && (says() || PORTS.contains(&opening.ports[1]))
    } else {
        ["EHLO", "HELO", "LHLO"].iter().any(|word| text::is_command(bytes, word))
    };
    if told { Probe::Yes } else { Probe::No }
}

fn line(side: usize, line: &[u8], facts: &mut Facts<'_, '_>) {
    let mut words = text::words(line);
    let first = words.next().unwrap_or(&[]);
    if side == SERVER {
        // RFC 5321 §4.2: the domain comes first, behind a blank or, in the first line of several, a dash.
        let name = if first == b"220" { words.next() } else { first.strip_prefix(b"220-") };
        if let Some(name) = name.filter(|name| text::is_host(name)) {
            facts.name(NameKind::Greeting, name);
        }
    } else if ["EHLO", "HELO", "LHLO"].iter().any(|word| text::is_command(first, word)) {
        if let Some(name) = words.next() {
            facts.name(NameKind::Helo, name);
        }
    } else if text::is_command(first, "AUTH") {
        facts.carries("credentials");
    } else if text::is_command(first, "MAIL") {
        facts.carries("mail_address");
    }
}
