//! Telegram's calls through its relays: each datagram begins with a tag of the call, and wraps STUN, DTLS or media.
//!
//! There is no specification; it was tried on self-made bytes only.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard};
use super::registry;
use super::stun::Wrapped;
use crate::flow::{CLIENT, SERVER};
use crate::link::be16;

/// Telegram's calls.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

/// Ports of its relays.
const PORTS: std::ops::RangeInclusive<u16> = 500..=600;
const SHORTEST: usize = 40;
/// What of the tag both sides write: the rest of it is at random.
const TAG: usize = 12;
/// What a client writes behind the tag, to be told where it is seen from.
const ASKING: [u8; 12] = [0xff; 12];
const ASKING_AT: usize = 16;
/// Where the length of what is wrapped stands, and where that begins.
const LENGTH_AT: usize = 22;
const WRAPPED_AT: usize = 24;

/// Tells a call by what its client asks first: a guess, until the relay answers with the same tag.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    let asks = PORTS.contains(&datagram.ports[SERVER])
        && datagram.side == CLIENT
        && bytes.len() >= SHORTEST
        && is_asking(bytes)
        // What follows does not go on with the same bytes.
        && bytes[ASKING_AT + ASKING.len()] != ASKING[0];
    match bytes.first_chunk() {
        Some(tag) if asks => {
            facts.suggested("telegram");
            Heard::With(Box::new(Call { tag: *tag, wrapped: Wrapped::default() }))
        }
        _ => Heard::No,
    }
}

fn is_asking(bytes: &[u8]) -> bool {
    bytes.get(ASKING_AT..).is_some_and(|rest| rest.starts_with(&ASKING))
}

#[derive(Debug)]
struct Call {
    tag: [u8; TAG],
    wrapped: Wrapped,
}

impl Conversation for Call {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        let bytes = datagram.bytes;
        if !bytes.starts_with(&self.tag) {
            // Anyone can write forty bytes before something else.
            self.wrapped.finish(facts);
            return match registry::recognise(datagram, facts) {
                Some((_, Heard::With(next))) => Heard::With(next),
                Some((_, Heard::Done)) => Heard::Done,
                Some(_) | None => Heard::No,
            };
        }
        if datagram.side == SERVER {
            facts.recognised("telegram");
        }
        if !is_asking(bytes)
            && let Some(length) = be16(bytes, LENGTH_AT)
            && let Some(bytes) = bytes.get(WRAPPED_AT..WRAPPED_AT + usize::from(length))
        {
            self.wrapped.take(&Datagram { bytes, cut: false, ..*datagram }, facts);
        }
        Heard::Open
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        self.wrapped.finish(facts);
    }
}
