//! What the fuzz targets share: inputs cut into pieces, and a conversation between two ends that is made of them.
//!
//! Every conversation is observed twice, whole, and cut to what was consulted and all on the slow path; both must tell the
//! same.

mod conversation;
mod sealed;

pub use conversation::{Conversation, SERVER, options};
pub use sealed::{V1, V2, initial};

/// A piece of an input: what to do with it, and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// Bits that each target gives a meaning.
    pub how: u8,
    /// The bytes, 65535 at most.
    pub bytes: &'a [u8],
}

/// Cuts an input: a byte that says how, two that say how long (the lower first), and so many bytes or what is left.
pub fn pieces(mut input: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        let [how, low, high, rest @ ..] = input else { return None };
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (bytes, behind) = rest.split_at(length);
        input = behind;
        Some(Piece { how: *how, bytes })
    })
}

/// The bit of an input's first byte that makes it a connection; its others choose the server's port.
const STREAM: u8 = 0x80;

/// A conversation over UDP or TCP with a server on one of these ports.
pub fn over_either(ports: [u16; 8], input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut conversation = Conversation::new(ports[usize::from(*how) % ports.len()]);
    let is_stream = how & STREAM != 0;
    if is_stream {
        conversation.opens();
    }
    for piece in pieces(rest) {
        match is_stream {
            true => conversation.goes_on(piece.how, piece.bytes),
            false => conversation.says(piece.how, piece.bytes),
        }
    }
    conversation.ends();
}

/// An input that is cut into these pieces again.
pub fn joined(pieces: &[(u8, &[u8])]) -> Vec<u8> {
    let mut input = Vec::new();
    for (how, bytes) in pieces {
        input.push(*how);
        input.extend((bytes.len() as u16).to_le_bytes());
        input.extend(*bytes);
    }
    input
}
