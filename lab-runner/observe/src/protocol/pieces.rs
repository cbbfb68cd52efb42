//! A message that comes in pieces, in any order and perhaps twice: the CRYPTO frames of QUIC, the fragments of DTLS.
//!
//! Memory comes out of the pool that all flows share, and must be given back.

use crate::stream::Budget;

/// Longer handshake messages are no hello: real ones are below 4 KiB, even with post-quantum key shares.
pub(crate) const MAX_BYTES: usize = 16 << 10;
/// Pieces with holes between them. Browsers cut a hello into a dozen on purpose.
const MAX_PIECES: usize = 64;

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Fine,
    /// Bytes were sent twice, and differ: the other side may have read others than these.
    Conflict,
    /// Too many pieces, or too far on.
    TooMuch,
}

/// Bytes from offset 0.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    /// What of them is there: ordered, apart from each other.
    there: Vec<(usize, usize)>,
}

impl Pieces {
    /// Takes a piece that stands `offset` bytes from the start.
    pub(crate) fn add(&mut self, offset: u64, data: &[u8], budget: &mut Budget) -> Taken {
        let Some(offset) = usize::try_from(offset).ok().filter(|offset| *offset < MAX_BYTES) else {
            return Taken::TooMuch;
        };
        let data = &data[..data.len().min(MAX_BYTES - offset)];
        let growth = (offset + data.len()).saturating_sub(self.bytes.len());
        if !budget.take(growth) {
            budget.evicted += 1;
            return Taken::TooMuch;
        }
        self.put(offset, data)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self, budget: &mut Budget) {
        budget.give(self.bytes.len());
        *self = Self::default();
    }

    fn put(&mut self, offset: usize, data: &[u8]) -> Taken {
        let end = offset + data.len();
        if self.bytes.len() < end {
            self.bytes.reserve_exact(end - self.bytes.len());
            self.bytes.resize(end, 0);
        }
        if data.is_empty() {
            return Taken::Fine;
        }
        // What came first stays.
        let mut result = Taken::Fine;
        let mut at = offset;
        let mut merged = (offset, end);
        for &(from, to) in self.there.iter().filter(|(from, to)| *from <= end && *to >= offset) {
            let (clear, same) = (from.clamp(at, end), to.clamp(at, end));
            self.bytes[at..clear].copy_from_slice(&data[at - offset..clear - offset]);
            if self.bytes[clear..same] != data[clear - offset..same - offset] {
                result = Taken::Conflict;
            }
            at = same;
            merged = (merged.0.min(from), merged.1.max(to));
        }
        self.bytes[at..end].copy_from_slice(&data[at - offset..]);
        self.there.retain(|(from, to)| *from > end || *to < offset);
        if self.there.len() >= MAX_PIECES {
            return Taken::TooMuch;
        }
        let place = self.there.partition_point(|(from, _)| *from < merged.0);
        self.there.insert(place, merged);
        result
    }

    /// The bytes from the first on without a hole.
    pub(crate) fn so_far(&self) -> &[u8] {
        match self.there.first() {
            Some(&(0, end)) => &self.bytes[..end],
            _ => &[],
        }
    }

    /// Behind the last byte that is there, with or without a hole before it.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.there.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1 << 20)
    }

    #[test]
    fn pieces_in_any_order_and_overlapping_make_the_whole() {
        let text: Vec<u8> = (0..40).collect();
        let (mut pieces, mut budget) = (Pieces::default(), budget());
        for (from, to) in [(30, 40), (5, 12), (8, 20), (0, 3), (18, 31), (2, 6)] {
            assert_ne!(pieces.so_far(), text);
            assert_eq!(pieces.add(from as u64, &text[from..to], &mut budget), Taken::Fine);
        }
        assert_eq!(pieces.there, [(0, 40)]);
        assert_eq!(pieces.so_far(), text);
    }

    #[test]
    fn what_was_sent_twice_and_differs_is_told_and_the_first_stays() {
        let (mut pieces, mut budget) = (Pieces::default(), budget());
        assert_eq!(pieces.add(0, b"abcd", &mut budget), Taken::Fine);
        assert_eq!(pieces.add(2, b"cX", &mut budget), Taken::Conflict);
        assert_eq!(pieces.so_far(), b"abcd");
    }

    #[test]
    fn memory_stays_bounded_whatever_offsets_say() {
        let (mut pieces, mut budget) = (Pieces::default(), budget());
        assert_eq!(pieces.add(u64::MAX, b"x", &mut budget), Taken::TooMuch);
        let taken: Vec<_> = (0..200).map(|piece| pieces.add(piece * 2, b"x", &mut budget)).collect();
        assert!(taken.contains(&Taken::TooMuch));
        assert!(pieces.there.len() <= MAX_PIECES && pieces.bytes.len() <= MAX_BYTES);
        assert_eq!(budget.left() + pieces.bytes.len(), 1 << 20);
        pieces.clear(&mut budget);
        assert_eq!(budget.left(), 1 << 20);
        assert!(budget.take((1 << 20) - 9));
        assert_eq!((pieces.add(9, b"x", &mut budget), budget.evicted), (Taken::TooMuch, 1));
    }
}
