//! FTP (RFC 959): its control connection, and the name in its greeting.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::SERVER;
use crate::record::NameKind;

/// FTP, and TLS in it (RFC 4217).
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(b"2AFU").in_any_case(), probe, open: |_| text::open(&FTP) };

static FTP: Text = Text { app: "ftp", end: b'\n', line };

const PORT: u16 = 21;

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    let told = if opening.side == SERVER {
        let says = || bytes.windows(3).take(512).any(|word| word.eq_ignore_ascii_case(b"FTP"));
        matches!(bytes, [b'2', b'2', b'0', b' ' | b'-', ..]) && (says() || opening.ports[1] == PORT)
    } else {
        // Other protocols have a USER as well.
        ["AUTH TLS", "AUTH SSL", "FEAT"].iter().any(|word| text::is_command(bytes, word))
            || (opening.ports[1] == PORT && text::is_command(bytes, "USER"))
    };
    if told { Probe::Yes } else { Probe::No }
}

fn line(side: usize, line: &[u8], facts: &mut Facts<'_, '_>) {
    if side == SERVER {
        // No RFC asks for a name here; many servers begin with it.
        let rest = line.strip_prefix(b"220").and_then(|rest| rest.get(1..)).unwrap_or(&[]);
        if let Some(name) = text::words(rest).next().filter(|name| text::is_host(name)) {
            facts.name(NameKind::Greeting, name);
        }
    } else if text::is_command(line, "USER") {
        facts.carries("user_name");
    } else if text::is_command(line, "PASS") {
        facts.carries("password");
    }
}
