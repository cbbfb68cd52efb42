//! A capture that streams by: a file, a pipe, or packed bytes.
//!
//! Memory doesn't grow with the capture; a frame is lent until the next one is asked for.

use std::fmt;
use std::io::Read;

use super::format::{Format, HEAD_BYTES, Place, Step, cut_in_skip};
use super::window::Window;
use super::{CaptureError, End, Frame, Interface, Skipped, Unpacked};

/// The frames of a capture that streams by, in its order.
///
/// What is packed with gzip or zstd is unpacked on the way.
pub struct Reader<R: Read> {
    window: Window<R>,
    format: Format,
    end: End,
    finished: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a capture.
    ///
    /// # Errors
    /// Where the bytes are no capture at all, or can't be read. A capture that is damaged further on is no error: see
    /// [`Reader::end`].
    pub fn new(read: R) -> Result<Self, CaptureError> {
        let source = Unpacked::new(read).map_err(|error| CaptureError::Unreadable(error.to_string()))?;
        let mut window = Window::new(source);
        window.fill(HEAD_BYTES);
        match (Format::of(window.bytes()), window.broken.take()) {
            (Ok(format), broken) => {
                window.broken = broken;
                Ok(Self { window, format, end: End::default(), finished: false })
            }
            (Err(_), Some(broken)) => Err(CaptureError::Unreadable(broken)),
            (Err(error), None) => Err(error),
        }
    }

    /// The next frame; `None` after the last one.
    // Always inlined: what is returned through memory in pieces and read back whole waits for its own stores.
    #[inline(always)]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        let place = match self.format.frame(self.window.bytes()) {
            Some(place) if !self.finished => place,
            _ => self.step()?,
        };
        let from = self.window.take(place.record);
        Some(place.frame(self.window.taken(from)))
    }

    /// Does what the parser says until there is a frame.
    #[inline(never)]
    fn step(&mut self) -> Option<Place> {
        while !self.finished {
            match self.format.step(self.window.bytes(), self.window.whole) {
                Step::Frame(place) => return Some(place),
                Step::More(wanted) => self.window.fill(wanted),
                Step::Skip(length) => self.skip(length),
                Step::End => self.close(None),
                Step::Cut(reason) => self.close(Some((self.window.position, 0, reason))),
            }
        }
        None
    }

    /// How the capture ended. Only complete after the last frame.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// The interfaces that were described so far.
    pub fn interfaces(&self) -> &[Interface] {
        self.format.interfaces()
    }

    /// Packets that the capturing system dropped, over all interfaces; `None` where the file doesn't tell.
    pub fn drops(&self) -> Option<u64> {
        self.format.drops()
    }

    /// Blocks that were stepped over so far.
    pub fn skipped(&self) -> Skipped {
        self.format.skipped()
    }

    #[inline]
    fn skip(&mut self, length: u64) {
        let at = self.window.position;
        let had = self.window.skip(length);
        if had < length {
            self.close(Some((at, had, cut_in_skip(had, length))));
        }
    }

    /// Ends: as it should, or at a byte, of which so many behind it were taken already, for a reason.
    fn close(&mut self, cut: Option<(u64, u64, String)>) {
        self.finished = true;
        let broken = self.window.broken.take();
        let (at, taken, reason) = match (cut, broken) {
            (None, None) => return,
            // That the source failed is why the last record isn't whole.
            (Some((at, taken, _)), Some(broken)) => {
                (at, taken, format!("the capture can't be read on: {broken}"))
            }
            (None, Some(broken)) => {
                (self.window.position, 0, format!("the capture can't be read on: {broken}"))
            }
            (Some(cut), None) => cut,
        };
        // To the stream's end: so whoever writes it isn't stopped, and it is known how much was not read.
        let unread = self.window.skip(u64::MAX);
        self.end = End { cut: Some(format!("{reason} at byte {at}")), unread_bytes: taken + unread };
    }
}

impl<R: Read> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("format", &self.format).field("end", &self.end).finish_non_exhaustive()
    }
}
