//! A capture's bytes, a stretch at a time: whoever reads them fills stretches, on whichever thread, and hands them over
//! without copying.

use std::fmt;
use std::io::{self, Read};

use super::Unpacked;

/// What is read at once.
const STRETCH_BYTES: usize = 256 * 1024;
/// Room before the bytes of a stretch: what is left of the one before is put there, so that a record lies in one piece. A
/// frame of the longest IP packet fits.
pub(super) const ROOM: usize = 80 * 1024;

/// Bytes that follow each other in a capture.
#[derive(Default)]
pub struct Stretch {
    /// Empty, or [`ROOM`] and space for bytes behind it.
    pub(super) buffer: Vec<u8>,
    /// Where the bytes end.
    pub(super) end: usize,
}

impl Stretch {
    /// Fills it anew with what one read gives; false where the source has no more.
    ///
    /// # Errors
    /// What the source reports, but for interruptions.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<bool> {
        if self.buffer.len() < ROOM + STRETCH_BYTES {
            self.buffer.resize(ROOM + STRETCH_BYTES, 0);
        }
        let read = loop {
            match source.read(&mut self.buffer[ROOM..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end = ROOM + read;
        Ok(read > 0)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(ROOM..self.end).unwrap_or(&[])
    }
}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stretch({} bytes)", self.bytes().len())
    }
}

/// Gives a capture's bytes.
pub trait Stretches {
    /// The next bytes; `None` behind the last. `used` is a stretch that is needed no more, to be filled again.
    ///
    /// # Errors
    /// The bytes can't be read on.
    fn next(&mut self, used: Stretch) -> io::Result<Option<Stretch>>;
}

impl<R: Read> Stretches for Unpacked<R> {
    fn next(&mut self, mut used: Stretch) -> io::Result<Option<Stretch>> {
        Ok(used.fill(self)?.then_some(used))
    }
}
