//! Protocols that begin with the same bytes each time, and of which nothing more is told than what they are.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::{CLIENT, SERVER};

/// Those of [`OPENINGS`].
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    begins: BEGINS,
    probe,
    open: |opening| Box::new(Known { app: told(opening).unwrap_or("unknown") }),
};

/// Who begins with which bytes, and what that is.
const OPENINGS: &[(usize, &[u8], &str)] = &[
    // Android Debug Bridge, protocol.txt: the command and its version.
    (CLIENT, b"CNXN\0\0\0\x01", "adb"),
    (CLIENT, b"CNXN\x01\0\0\x01", "adb"),
    // RFC 6143 §7.1.1.
    (SERVER, b"RFB 00", "vnc"),
    (SERVER, b"INFO {\"", "nats"),
    (SERVER, b"@RSYNCD: ", "rsync"),
    (CLIENT, b"@RSYNCD: ", "rsync"),
    // Its chat's handshake (Noise): a routing hint, or the version and the length of the first message.
    (CLIENT, b"ED\0\x01", "whatsapp"),
    (CLIENT, b"WA\x05\x02\0\0", "whatsapp"),
    (CLIENT, b"WA\x06\x02\0\0", "whatsapp"),
    (CLIENT, b"WA\x06\x03\0\0", "whatsapp"),
    // RFC 4271 §4.1: a marker of ones, and a message that opens.
    (CLIENT, &[0xff; 16], "bgp"),
    (SERVER, &[0xff; 16], "bgp"),
];

const BEGINS: Begins = {
    let (mut set, mut at) = (Begins::with(&[]), 0);
    while at < OPENINGS.len() {
        set = set.or(Begins::like(&[OPENINGS[at].1]));
        at += 1;
    }
    set
};

fn told(opening: &Opening<'_>) -> Option<&'static str> {
    let is_it =
        |(side, start, _): &&(usize, &[u8], &str)| *side == opening.side && opening.bytes.starts_with(start);
    OPENINGS.iter().find(is_it).map(|(_, _, app)| *app)
}

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.from_start && told(opening).is_some() { Probe::Yes } else { Probe::No }
}

#[derive(Debug)]
struct Known {
    app: &'static str,
}

impl Dialogue for Known {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, _: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised(self.app);
        Step::Done
    }
}
