//! STUN over TCP: messages one behind the other (RFC 8489 §6.2.2) with TURN's channels between them (RFC 8656 §12.5), or
//! each behind its length (RFC 4571, as ICE does it: RFC 6544 §3).

use super::message::{COOKIE, HEADER, Message};
use crate::link::be16;
use crate::protocol::begins::Begins;
use crate::protocol::facts::Facts;
use crate::protocol::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};

/// STUN over TCP.
pub(crate) const OVER_TCP: StreamProtocol = StreamProtocol { begins: Begins::ANYHOW, probe, open };

/// RFC 8656 §12: channel numbers.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    if is_message(bytes) || (is_framed(bytes) && is_message(&bytes[2..])) {
        return Probe::Yes;
    }
    let has_cookie = |at: usize| Probe::of_start(bytes.get(at..).unwrap_or(&[]), &COOKIE) != Probe::No;
    // A message's first byte is its type's, or that of its length: below four in both.
    let may_be = bytes.first().is_none_or(|first| *first < 4) && (has_cookie(4) || has_cookie(6));
    if bytes.len() < HEADER + 2 && may_be { Probe::More } else { Probe::No }
}

fn open(opening: &Opening<'_>) -> Box<dyn Dialogue> {
    Box::new(Messages { framed: !is_message(opening.bytes) })
}

fn is_message(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER && Message::first(bytes).is_some()
}

/// Whether a length stands before what has a length of its own.
fn is_framed(bytes: &[u8]) -> bool {
    let (Some(outer), Some(inner)) = (be16(bytes, 0), be16(bytes, 4)) else { return false };
    usize::from(outer) == HEADER + usize::from(inner)
}

/// The messages of one connection.
#[derive(Debug)]
struct Messages {
    /// Each stands behind its length.
    framed: bool,
}

impl Messages {
    /// Where the next unit begins and ends; `None` where these bytes are none.
    fn unit(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        if self.framed {
            return Some((2, 2 + usize::from(be16(bytes, 0)?)));
        }
        let length = usize::from(be16(bytes, 2)?);
        if CHANNELS.contains(&be16(bytes, 0)?) {
            return Some((4, 4 + length.next_multiple_of(4)));
        }
        is_message(bytes).then_some((0, HEADER + length))
    }
}

impl Dialogue for Messages {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("stun");
        let mut at = 0;
        while bytes.len() - at >= HEADER {
            let Some((from, to)) = self.unit(&bytes[at..]) else {
                facts.doubt("stun_out_of_step");
                return Step::Done;
            };
            let Some(unit) = bytes.get(at + from..at + to) else { break };
            if let Some((message, _)) = Message::first(unit) {
                message.tell(facts);
                // A relay passes on what has the same form, as a rule.
                if let Some((inner, _)) = message.data().and_then(Message::first) {
                    inner.tell(facts);
                }
            }
            at += to;
        }
        if shown.last {
            return Step::Took(bytes.len());
        }
        Step::Took(at)
    }
}
