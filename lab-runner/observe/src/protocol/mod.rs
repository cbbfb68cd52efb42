//! What is spoken on a flow, and the names in it: one file a protocol.
//!
//! A protocol offers `probe` (could these bytes be mine?) and a parser that takes bytes and gives facts. Parsers know
//! neither flows nor time, hold no more than they are given, and stop at the first thing that makes no sense.

pub(crate) mod dgram;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod link_control;
pub(crate) mod tls;

/// Whether bytes at the start of a stream could be a protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Yes,
    No,
    /// Too few bytes to tell.
    More,
}

/// Bytes read one field after the other; every read past the end is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from(self.u8()?) << 8 | u16::from(self.u8()?))
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many of `count` bytes as there are.
    pub(crate) fn take_lax(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
