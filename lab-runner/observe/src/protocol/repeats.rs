//! What was heard on flows of late: on a link the same datagrams come again and again, and tell nothing new.
//!
//! Compares all bytes, so that none is taken for another; only how many are kept is bounded.

use crate::flow::Key;
use crate::hash::fibonacci;

/// Datagrams that are kept; a power of two.
const PLACES: usize = 64;
/// A longer one is read each time: few are.
const LONGEST: usize = 1500;

/// Datagrams of which all was told.
#[derive(Debug)]
pub(crate) struct Repeats {
    places: Box<[Heard; PLACES]>,
}

#[derive(Debug)]
struct Heard {
    /// The flow: its ends, and the frame in which it began.
    flow: (Key, u64),
    bytes: Vec<u8>,
}

impl Default for Repeats {
    fn default() -> Self {
        let none = || Heard { flow: (Key::NONE, 0), bytes: Vec::new() };
        Self { places: Box::new(std::array::from_fn(|_| none())) }
    }
}

impl Repeats {
    /// Whether these bytes are those of a datagram of the flow that was kept.
    pub(super) fn has(&self, flow: &(Key, u64), bytes: &[u8]) -> bool {
        let heard = &self.places[place(flow.1, bytes)];
        heard.bytes == bytes && heard.flow == *flow
    }

    /// Keeps a datagram, in the place of another.
    pub(super) fn keep(&mut self, flow: (Key, u64), bytes: &[u8]) {
        if bytes.len() <= LONGEST {
            let heard = &mut self.places[place(flow.1, bytes)];
            heard.flow = flow;
            heard.bytes.clear();
            heard.bytes.extend_from_slice(bytes);
        }
    }
}

/// Where a datagram is kept: what the sender says in turns differs in length, or at the end.
fn place(first_frame: u64, bytes: &[u8]) -> usize {
    let end = bytes.last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
    let length = bytes.len() as u64;
    (fibonacci(fibonacci(end ^ length) ^ first_frame) >> 40) as usize % PLACES
}
