//! STUN and TURN (RFC 8489, RFC 8656; RFC 3489): the addresses that a client is told it has, relays for it and reaches
//! through the relay.
//!
//! One port carries STUN, DTLS, relayed channels and media side by side (RFC 7983): the flow stays open, and each datagram
//! is told by its first byte.

mod message;
mod stream;

use self::message::Message;
pub(crate) use self::stream::OVER_TCP;
use super::begins::Begins;
use super::dtls::{Handshake, hello_in, is_dtls};
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard, Wake};

/// STUN over UDP.
pub(crate) const OVER_UDP: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(0, 0x3f).or_between(0xff, 0xff), listen };

/// What is passed on in what is passed on is looked at so far.
const MAX_DEPTH: u8 = 2;

/// Tells STUN by its cookie, or by the exact form of the time before there was one.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let Some(message) = Message::read(datagram.bytes, datagram.cut, datagram.ports, false) else {
        return Heard::No;
    };
    facts.recognised("stun");
    let mut flow = Box::<Multiplexed>::default();
    flow.message(&message, datagram, MAX_DEPTH, facts);
    Heard::With(flow)
}

/// What comes behind media that were told by their own bytes: STUN may, but need not.
pub(super) fn behind_media() -> Heard {
    Heard::With(Box::<Multiplexed>::default())
}

/// A flow on which connectivity was checked, and whatever follows on it.
#[derive(Debug)]
struct Multiplexed {
    /// The flow's own handshake.
    own: Dtls,
    /// One that a relay passes on: another's than the flow's.
    passed_on: Dtls,
    /// A message of STUN was seen.
    spoken: bool,
}

impl Default for Multiplexed {
    fn default() -> Self {
        let passed_on = Dtls { handshake: Handshake::passed_on(), ..Dtls::default() };
        Self { own: Dtls::default(), passed_on, spoken: false }
    }
}

/// A handshake of DTLS between other things.
#[derive(Debug, Default)]
struct Dtls {
    handshake: Handshake,
    /// It is over, or there is none.
    sealed: bool,
}

impl Dtls {
    fn may_take(&self, datagram: &Datagram<'_>) -> bool {
        match self.sealed {
            true => hello_in(datagram.bytes).is_some(),
            false => self.handshake.began() || is_dtls(datagram),
        }
    }

    /// Takes a datagram; whether it made sure that DTLS is spoken.
    fn take(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> bool {
        if self.sealed {
            self.handshake = self.handshake.another();
        }
        let was_sure = self.handshake.is_sure();
        self.sealed = self.handshake.take(datagram, facts);
        self.handshake.is_sure() && !was_sure
    }
}

impl Multiplexed {
    /// Takes what a datagram holds, or a message or channel of a stream, and in it what a relay passes on, so far down.
    fn take(&mut self, datagram: &Datagram<'_>, depth: u8, facts: &mut Facts<'_, '_>) -> Heard {
        match *datagram.bytes {
            [0..=3 | 0xff, ..] => {
                let message = Message::read(datagram.bytes, datagram.cut, datagram.ports, self.spoken);
                let Some(message) = message else { return Heard::No };
                self.message(&message, datagram, depth, facts);
            }
            [20..=63, ..] if depth == MAX_DEPTH && self.own.may_take(datagram) => {
                let is_now_sure = self.own.take(datagram, facts);
                if is_now_sure {
                    facts.becomes("dtls");
                }
            }
            [20..=63, ..] if depth < MAX_DEPTH && self.passed_on.may_take(datagram) => {
                self.passed_on.take(datagram, facts);
            }
            // RFC 8656 §12.4: a channel's number, a length, and what is passed on.
            [0x40..=0x4f, _, high, low, ref rest @ ..] if depth > 0 => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if let Some(bytes) = rest.get(..length) {
                    return self.take(&Datagram { bytes, cut: false, ..*datagram }, depth - 1, facts);
                }
            }
            _ => {}
        }
        Heard::Open
    }

    fn message(
        &mut self,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
        depth: u8,
        facts: &mut Facts<'_, '_>,
    ) {
        self.spoken = true;
        message.tell(facts);
        if depth > 0
            && let Some(bytes) = message.data()
        {
            self.take(&Datagram { bytes, cut: false, ..*datagram }, depth - 1, facts);
        }
    }
}

/// What another protocol wraps: connectivity checks, a handshake of DTLS, media.
#[derive(Debug, Default)]
pub(super) struct Wrapped(Multiplexed);

impl Wrapped {
    /// Takes what was wrapped in a datagram.
    pub(super) fn take(&mut self, inner: &Datagram<'_>, facts: &mut Facts<'_, '_>) {
        self.0.take(inner, MAX_DEPTH - 1, facts);
    }

    /// The flow is over.
    pub(super) fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        self.0.finish(facts);
    }
}

impl Conversation for Multiplexed {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        self.take(datagram, MAX_DEPTH, facts)
    }

    fn wake(&self) -> Wake {
        Wake::NoMedia
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        self.own.handshake.finish(facts);
        self.passed_on.handshake.finish(facts);
    }
}
