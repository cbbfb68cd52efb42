//! The part of a stream that is in memory: one stretch of it, with what was left of those before.

use super::stretch::{ROOM, Stretch, Stretches};

pub(super) struct Window<S> {
    source: S,
    buffer: Vec<u8>,
    /// Where the bytes begin that were not yet taken, and where they end.
    at: usize,
    end: usize,
    /// What was left of a stretch that went back to be filled again.
    left: Vec<u8>,
    /// A stretch that was copied, and may go back.
    spare: Stretch,
    /// How many bytes were taken before.
    pub(super) position: u64,
    /// The source has given all it has.
    pub(super) whole: bool,
    /// Why it gives no more, where that is no regular end.
    pub(super) broken: Option<String>,
}

impl<S: Stretches> Window<S> {
    pub(super) fn new(source: S) -> Self {
        let (buffer, left, spare) = (Vec::new(), Vec::new(), Stretch::default());
        Self { source, buffer, at: 0, end: 0, left, spare, position: 0, whole: false, broken: None }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.at..self.end).unwrap_or(&[])
    }

    /// Reads until there are so many bytes, or the source has no more.
    pub(super) fn fill(&mut self, wanted: usize) {
        while self.bytes().len() < wanted && !self.whole {
            if self.bytes().len() > ROOM {
                self.lengthen();
            } else {
                self.go_on();
            }
        }
    }

    /// Goes on with the next stretch, in which there is room for what is left of this one.
    fn go_on(&mut self) {
        self.left.clear();
        self.left.extend_from_slice(self.buffer.get(self.at..self.end).unwrap_or(&[]));
        let used = Stretch { buffer: std::mem::take(&mut self.buffer), end: self.end };
        match self.next(used) {
            Some(Stretch { mut buffer, end }) if buffer.len() >= ROOM => {
                self.at = ROOM - self.left.len();
                buffer[self.at..ROOM].copy_from_slice(&self.left);
                (self.buffer, self.end) = (buffer, end);
            }
            _ => {
                self.buffer = std::mem::take(&mut self.left);
                (self.at, self.end) = (0, self.buffer.len());
            }
        }
    }

    /// Copies the next stretch behind the beginning of a long record; the formats bound it.
    fn lengthen(&mut self) {
        let spare = std::mem::take(&mut self.spare);
        if let Some(stretch) = self.next(spare) {
            self.buffer.truncate(self.end);
            self.buffer.drain(..self.at);
            self.buffer.extend_from_slice(stretch.bytes());
            (self.at, self.end) = (0, self.buffer.len());
            self.spare = stretch;
        }
    }

    fn next(&mut self, used: Stretch) -> Option<Stretch> {
        let next = self.source.next(used).unwrap_or_else(|error| {
            self.broken = Some(error.to_string());
            None
        });
        self.whole = next.is_none();
        next
    }

    /// Takes bytes that are in the window; returns where they begin in it.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> usize {
        let from = self.at;
        self.at += length.min(self.end - from);
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
            let here = self.bytes().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.take(here);
            left -= here as u64;
            if left == 0 || self.whole {
                return length - left;
            }
            self.fill(1);
        }
    }
}
