//! POP3 (RFC 1939), by its greeting.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::{CLIENT, SERVER};

/// POP3, and TLS in it (RFC 2595 §4).
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(b"+"), probe, open: |_| text::open(&POP3) };

static POP3: Text = Text { app: "pop3", end: b'\n', line };

fn probe(opening: &Opening<'_>) -> Probe {
    // Its server speaks first; to a client that did, others say the same (Redis).
    let answers = opening.late && opening.from_start;
    let is_it = opening.side == SERVER && !answers && opening.bytes.starts_with(b"+OK");
    if is_it { Probe::Yes } else { Probe::No }
}

fn line(side: usize, line: &[u8], facts: &mut Facts<'_, '_>) {
    if side == CLIENT && ["USER", "APOP", "AUTH"].iter().any(|word| text::is_command(line, word)) {
        facts.carries("credentials");
    }
}
