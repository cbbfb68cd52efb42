//! WireGuard (its white paper, §5.4), told by types and their exact lengths.
//!
//! One side's messages alone are a guess, for four fixed bytes are little; the other side's answer settles that.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard};

/// WireGuard.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::like(&[&INITIATION, &DATA]), listen };

/// Messages begin with their type and three bytes that are zero.
const INITIATION: [u8; 4] = [1, 0, 0, 0];
const RESPONSE: [u8; 4] = [2, 0, 0, 0];
const COOKIE: [u8; 4] = [3, 0, 0, 0];
const DATA: [u8; 4] = [4, 0, 0, 0];
const INITIATION_LENGTH: usize = 148;
const RESPONSE_LENGTH: usize = 92;
const COOKIE_LENGTH: usize = 64;
/// Packets of which some may be lost between two that are compared.
const MAX_STEP: u64 = 1024;

/// Tells WireGuard.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    if bytes.starts_with(&INITIATION) && bytes.len() == INITIATION_LENGTH {
        facts.suggested("wireguard");
        return Heard::With(Box::new(Asked { side: datagram.side, sender: index(bytes, 4).copied() }));
    }
    // In its midst: two messages in a row.
    if let (Some(before), Some(now)) = (counter(datagram.before), counter(bytes))
        && bytes.len().is_multiple_of(16)
        && index(datagram.before, 4) == index(bytes, 4)
        && (1..=MAX_STEP).contains(&now.wrapping_sub(before))
    {
        facts.suggested("wireguard");
        return Heard::With(Box::new(Asked { side: datagram.side, sender: None }));
    }
    Heard::No
}

/// What tells one end's session from another.
fn index(bytes: &[u8], at: usize) -> Option<&[u8; 4]> {
    bytes.get(at..)?.first_chunk()
}

/// The counter of a data message, which is some blocks long.
fn counter(bytes: &[u8]) -> Option<u64> {
    let counter = bytes.get(8..)?.first_chunk()?;
    bytes.starts_with(&DATA).then(|| u64::from_le_bytes(*counter))
}

/// What one side sent, and the other should answer.
#[derive(Debug)]
struct Asked {
    side: usize,
    /// The index that an answer to a handshake must name; `None` in the midst of a session.
    sender: Option<[u8; 4]>,
}

impl Conversation for Asked {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        let bytes = datagram.bytes;
        if datagram.side == self.side {
            // It asks again, with another index.
            if bytes.starts_with(&INITIATION) && bytes.len() == INITIATION_LENGTH {
                self.sender = index(bytes, 4).copied();
            }
            return Heard::Open;
        }
        let answers = |at| self.sender.is_some() && index(bytes, at).copied() == self.sender;
        let is_answer = (bytes.starts_with(&RESPONSE) && bytes.len() == RESPONSE_LENGTH && answers(8))
            || (bytes.starts_with(&COOKIE) && bytes.len() == COOKIE_LENGTH && answers(4))
            || (self.sender.is_none() && counter(bytes).is_some() && bytes.len().is_multiple_of(16));
        if is_answer {
            facts.recognised("wireguard");
        }
        Heard::Done
    }
}
