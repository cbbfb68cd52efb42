//! Room for what flows keep until they are told: names, and what parsers remember of a connection.
//!
//! So many bytes for all flows, and some more for each one: whoever writes many names into few packets fills that, and no
//! more memory. Nothing is given back. What doesn't fit is left out and counted by whoever leaves it out.

/// Bytes that a flow brings with it; few keep more than a name or two.
const OF_A_FLOW: usize = 512;

#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    /// Something did not fit.
    pub(crate) was_full: bool,
    /// Streams that were given up for it.
    pub(crate) evicted: u64,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes, was_full: false, evicted: 0 }
    }

    /// Leaves half to the other of two observers. As long as both halves suffice, so would the whole.
    pub(crate) fn halve(&mut self) {
        self.left /= 2;
    }

    /// A flow begins.
    #[inline]
    pub(crate) fn flow_begins(&mut self) {
        self.left = self.left.saturating_add(OF_A_FLOW);
    }

    /// Takes so many bytes; false where there are not so many.
    #[must_use]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.left;
        if fits {
            self.left -= bytes;
        }
        self.was_full |= !fits;
        fits
    }
}
