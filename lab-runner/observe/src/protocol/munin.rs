//! Munin (its guide, "Munin's protocol"): a node that says its name.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Opening, Probe, StreamProtocol};
use super::text::{self, Text};
use crate::flow::SERVER;
use crate::record::NameKind;

/// Munin, and TLS in it.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[GREETING]), probe, open: |_| text::open(&MUNIN) };

static MUNIN: Text = Text { app: "munin", end: b'\n', line };

const GREETING: &[u8] = b"# munin node at ";

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == SERVER && opening.bytes.starts_with(GREETING) { Probe::Yes } else { Probe::No }
}

fn line(side: usize, line: &[u8], facts: &mut Facts<'_, '_>) {
    if let Some(name) = line.strip_prefix(GREETING).filter(|_| side == SERVER) {
        facts.name(NameKind::Greeting, name);
    }
}
