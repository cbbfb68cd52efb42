//! Telegram's calls through its relays: each datagram begins with a tag of the call, and wraps STUN, DTLS or media.
//!
//! Nobody but Telegram's own source says how; the form is also what nDPI's dissector goes by.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard};
use super::stun::Wrapped;
use crate::link::be16;

/// Telegram's calls.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

/// Ports of its relays.
const PORTS: std::ops::RangeInclusive<u16> = 500..=600;
const SHORTEST: usize = 40;
/// What a client writes behind the tag, to be told where it is seen from.
const ASKING: [u8; 12] = [0xff; 12];
const ASKING_AT: usize = 16;
/// Where the length of what is wrapped stands, and where that begins.
const LENGTH_AT: usize = 22;
const WRAPPED_AT: usize = 24;

/// Tells a call by what its client asks first.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.ports.iter().any(|port| PORTS.contains(port)) || !is_asking(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("telegram");
    Heard::With(Box::<Call>::default())
}

fn is_asking(bytes: &[u8]) -> bool {
    // What follows does not go on with the same bytes.
    bytes.len() >= SHORTEST
        && bytes[ASKING_AT..].starts_with(&ASKING)
        && bytes[ASKING_AT + ASKING.len()] != 0xff
}

#[derive(Debug, Default)]
struct Call {
    wrapped: Wrapped,
}

impl Conversation for Call {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        let bytes = datagram.bytes;
        if !bytes.get(ASKING_AT..).is_some_and(|rest| rest.starts_with(&ASKING))
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
