//! How a protocol's messages may begin: of nearly all protocols one byte tells that bytes are none of theirs.

/// A set of first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begins([u64; 4]);

impl Begins {
    /// The first byte tells nothing.
    pub(crate) const ANYHOW: Self = Self([u64::MAX; 4]);
    const NONE: Self = Self([0; 4]);

    /// With one of these bytes.
    pub(crate) const fn with(bytes: &[u8]) -> Self {
        let (mut set, mut at) = (Self::NONE, 0);
        while at < bytes.len() {
            set = set.or_between(bytes[at], bytes[at]);
            at += 1;
        }
        set
    }

    /// As one of these does, none of which is empty.
    pub(crate) const fn like(starts: &[&[u8]]) -> Self {
        let (mut set, mut at) = (Self::NONE, 0);
        while at < starts.len() {
            set = set.or_between(starts[at][0], starts[at][0]);
            at += 1;
        }
        set
    }

    /// With a byte of a range, both ends of which belong to it.
    pub(crate) const fn between(low: u8, high: u8) -> Self {
        Self::NONE.or_between(low, high)
    }

    /// So, or with a byte of a range.
    pub(crate) const fn or_between(mut self, low: u8, high: u8) -> Self {
        let mut byte = low as usize;
        while byte <= high as usize {
            self.0[byte / 64] |= 1 << (byte % 64);
            byte += 1;
        }
        self
    }

    /// In one of two ways.
    pub(crate) const fn or(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// So, whatever the case of letters.
    pub(crate) const fn in_any_case(mut self) -> Self {
        let mut byte = b'A';
        while byte <= b'Z' {
            if self.has(byte) || self.has(byte + 32) {
                self = self.or_between(byte, byte).or_between(byte + 32, byte + 32);
            }
            byte += 1;
        }
        self
    }

    /// Whether bytes that begin with this one may be a message.
    pub(crate) const fn has(self, first: u8) -> bool {
        self.0[first as usize / 64] >> (first % 64) & 1 == 1
    }
}

/// Those of several protocols that may be meant by a first byte, each a bit, by its place among them.
#[derive(Debug)]
pub(crate) struct Candidates {
    by_first: [u64; 256],
    all: u64,
}

impl Candidates {
    pub(crate) const NONE: Self = Self { by_first: [0; 256], all: 0 };

    /// With one more protocol, behind the others; there are 64 at most.
    pub(crate) const fn and(mut self, begins: Begins) -> Self {
        assert!(self.all != u64::MAX, "a wider number has to hold so many");
        let bit = self.all + 1;
        self.all |= bit;
        let mut first = 0;
        while first < self.by_first.len() {
            if begins.has(first as u8) {
                self.by_first[first] |= bit;
            }
            first += 1;
        }
        self
    }

    /// The places of those that bytes may be of, in order. A byte alone may be any's: more will come.
    #[inline]
    pub(crate) fn for_bytes(&self, bytes: &[u8]) -> impl Iterator<Item = usize> + use<> {
        let mut left = match bytes {
            [first, _, ..] => self.by_first[usize::from(*first)],
            _ => self.all,
        };
        std::iter::from_fn(move || {
            let place = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            Some(place as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_leaves_those_that_may_begin_with_it_in_their_order() {
        let candidates = Candidates::NONE
            .and(Begins::with(b"r"))
            .and(Begins::ANYHOW)
            .and(Begins::like(&[b"EHLO", b"220"]).in_any_case())
            .and(Begins::between(b'A', b'Z').or(Begins::with(&[0xff])));
        let of = |bytes: &[u8]| candidates.for_bytes(bytes).collect::<Vec<_>>();
        assert_eq!(of(b"r6"), [0, 1]);
        assert_eq!(of(b"e "), [1, 2]);
        assert_eq!(of(b"EH"), [1, 2, 3]);
        assert_eq!(of(b"22"), [1, 2]);
        assert_eq!(of(&[0xff, 0]), [1, 3]);
        assert_eq!(of(&[0, 0]), [1]);
        // Too few to tell.
        assert_eq!(of(b"r"), [0, 1, 2, 3]);
        assert_eq!(of(b""), [0, 1, 2, 3]);
    }
}
