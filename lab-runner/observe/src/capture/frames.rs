//! A capture that lies in memory.

use super::format::{Format, Step, cut_in_skip};
use super::{CaptureError, End, Frame, Interface, Packing, Skipped};

/// The frames of a capture in memory, in the order of the file.
#[derive(Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    format: Format,
    end: End,
    finished: bool,
}

/// Reads a capture by its magic number.
///
/// # Errors
/// Where the bytes are no capture at all, or a packed one. A capture that is damaged further on is no error: see
/// [`Frames::end`].
pub fn frames(bytes: &[u8]) -> Result<Frames<'_>, CaptureError> {
    if let Some(packing) = Packing::of(bytes) {
        return Err(CaptureError::Packed(packing));
    }
    Ok(Frames { bytes, at: 0, format: Format::of(bytes)?, end: End::default(), finished: false })
}

impl Frames<'_> {
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

    fn cut(&mut self, reason: &str) {
        self.end.cut = Some(format!("{reason} at byte {}", self.at));
        self.end.unread_bytes = (self.bytes.len() - self.at) as u64;
        self.finished = true;
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        while !self.finished {
            let shown = self.bytes.get(self.at..).unwrap_or(&[]);
            match self.format.step(shown, true) {
                Step::Frame(place) => {
                    self.at += place.record;
                    return Some(place.frame(shown));
                }
                Step::Skip(length) => match usize::try_from(length) {
                    Ok(length) if length <= shown.len() => self.at += length,
                    _ => self.cut(&cut_in_skip(shown.len() as u64, length)),
                },
                Step::End => self.finished = true,
                Step::Cut(reason) => self.cut(&reason),
                // All there is was shown.
                Step::More(_) => self.cut("the capture is cut"),
            }
        }
        None
    }
}
