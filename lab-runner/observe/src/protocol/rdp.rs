//! RDP ([MS-RDPBCGR] §2.2.1.1): its connection request, behind which TLS follows.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::text::tls_begins;
use crate::flow::CLIENT;

/// RDP.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[3]), probe, open: |_| Box::<Connection>::default() };

const COOKIE: &[u8] = b"Cookie: mstshash=";
/// The request for a security protocol: its type and its length.
const NEGOTIATION: [u8; 2] = [1, 8];
/// Segments of a client among which TLS is awaited.
const MAX_SEGMENTS: u8 = 4;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == CLIENT && request(opening.bytes).is_some() { Probe::Yes } else { Probe::No }
}

/// What follows a connection request of X.224 in a packet of RFC 1006: a cookie, and a wish for a security protocol.
fn request(bytes: &[u8]) -> Option<&[u8]> {
    let [3, 0, high, low, _, 0xe0, 0, 0, _, _, _, rest @ ..] = bytes else { return None };
    let length = usize::from(*high) << 8 | usize::from(*low);
    let wishes =
        rest.len() >= 8 && matches!(rest[rest.len() - 8..], [a, _, b, 0, ..] if [a, b] == NEGOTIATION);
    (length == bytes.len() && (rest.starts_with(b"Cookie: ") || wishes)).then_some(rest)
}

#[derive(Debug, Default)]
struct Connection {
    segments: u8,
}

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("rdp");
        if side == CLIENT
            && let Some(step) = tls_begins(bytes, shown)
        {
            return step;
        }
        if request(bytes).is_some_and(|rest| rest.starts_with(COOKIE)) {
            facts.carries("user_name");
        }
        self.segments += 1;
        if self.segments >= MAX_SEGMENTS { Step::Done } else { Step::Took(bytes.len()) }
    }
}
