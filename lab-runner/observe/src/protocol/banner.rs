//! Servers that speak first and say what they are: SSH, SMTP, IMAP, POP3; behind the last three TLS may follow.

use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::tls;
use crate::flow::{CLIENT, SERVER};

/// Client's messages among which a TLS hello is awaited.
const MAX_TRIES: u8 = 32;

/// Servers with a greeting.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol { probe, open };

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == SERVER && app(opening.bytes).is_some() { Probe::Yes } else { Probe::No }
}

fn open(opening: &Opening<'_>) -> Box<dyn Dialogue> {
    Box::new(Greeted { app: app(opening.bytes).unwrap_or("unknown"), tries: 0 })
}

fn app(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"SSH-") {
        Some("ssh")
    } else if bytes.starts_with(b"220")
        && bytes.windows(4).take(512).any(|word| word.eq_ignore_ascii_case(b"SMTP"))
    {
        Some("smtp")
    } else if bytes.starts_with(b"* OK") {
        Some("imap")
    } else if bytes.starts_with(b"+OK") {
        Some("pop3")
    } else {
        None
    }
}

#[derive(Debug)]
struct Greeted {
    app: &'static str,
    tries: u8,
}

impl Dialogue for Greeted {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT || self.tries == 0
    }

    fn read(&mut self, side: usize, bytes: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised(self.app);
        if side == SERVER {
            self.tries = self.tries.max(1);
            return Step::Took(bytes.len());
        }
        if tls::probe_client(bytes) == Probe::Yes {
            return Step::Switch(0);
        }
        self.tries += 1;
        if self.tries >= MAX_TRIES { Step::Done } else { Step::Took(bytes.len()) }
    }
}
