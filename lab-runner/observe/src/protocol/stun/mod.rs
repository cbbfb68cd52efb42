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
use super::dtls::{Handshake, is_dtls};
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard};

/// STUN over UDP.
pub(crate) const OVER_UDP: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(0, 0x3f).or_between(0xff, 0xff), listen };

/// Tells STUN by its cookie, or by the exact form of the time before there was one.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let Some(message) = Message::read(datagram.bytes, datagram.cut, datagram.ports) else { return Heard::No };
    facts.recognised("stun");
    message.tell(facts);
    Heard::With(Box::<Multiplexed>::default())
}

/// A flow on which connectivity was checked, and whatever follows on it.
#[derive(Debug, Default)]
struct Multiplexed {
    dtls: Handshake,
    /// The handshake is over, or there is none.
    sealed: bool,
}

impl Conversation for Multiplexed {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        match datagram.bytes.first() {
            Some(0..=3 | 0xff) => {
                let Some(message) = Message::read(datagram.bytes, datagram.cut, datagram.ports) else {
                    return Heard::No;
                };
                message.tell(facts);
            }
            Some(20..=63) if !self.sealed && (self.dtls.began() || is_dtls(datagram)) => {
                let was_sure = self.dtls.is_sure();
                self.sealed = self.dtls.take(datagram, facts);
                if self.dtls.is_sure() && !was_sure {
                    facts.becomes("dtls");
                }
            }
            _ => {}
        }
        Heard::Open
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        self.dtls.finish(facts);
    }
}
