//! The stretch of a stream that is in memory: one buffer, filled again and again.

use std::io::Read;

use super::Unpacked;

/// What is read at once; the buffer grows to the longest block, which the formats bound.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) struct Window<R: Read> {
    source: Unpacked<R>,
    buffer: Vec<u8>,
    /// Where the bytes begin that were not yet taken, and where they end.
    at: usize,
    filled: usize,
    /// How many bytes were taken before.
    pub(super) position: u64,
    /// The source has given all it has.
    pub(super) whole: bool,
    /// Why it gives no more, where that is no regular end.
    pub(super) broken: Option<String>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: Unpacked<R>) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { source, buffer, at: 0, filled: 0, position: 0, whole: false, broken: None }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.at..self.filled).unwrap_or(&[])
    }

    /// Reads until there are so many bytes, or the source has no more.
    pub(super) fn fill(&mut self, wanted: usize) {
        if self.at > 0 {
            self.buffer.copy_within(self.at..self.filled, 0);
            self.filled -= self.at;
            self.at = 0;
        }
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.filled < wanted && !self.whole {
            self.filled += self.read();
        }
    }

    /// One read into what is free.
    fn read(&mut self) -> usize {
        match self.source.read(&mut self.buffer[self.filled..]) {
            Ok(0) => self.whole = true,
            Ok(read) => return read,
            Err(error) => {
                self.whole = true;
                self.broken = Some(error.to_string());
            }
        }
        0
    }

    /// Takes bytes that are in the window; returns where they begin in it.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> usize {
        let from = self.at;
        self.at += length.min(self.filled - from);
        self.position += length as u64;
        from
    }

    /// The bytes from a place on that [`Window::take`] gave.
    #[inline]
    pub(super) fn taken(&self, from: usize) -> &[u8] {
        self.buffer.get(from..self.at).unwrap_or(&[])
    }

    /// Drops bytes up to so many, read or not; returns how many there were.
    pub(super) fn skip(&mut self, length: u64) -> u64 {
        let mut left = length;
        loop {
            let here = (self.filled - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.take(here);
            left -= here as u64;
            if left == 0 || self.whole {
                return length - left;
            }
            self.fill(1);
        }
    }
}
