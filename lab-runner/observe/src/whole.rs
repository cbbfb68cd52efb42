//! A whole capture at once: its frames through an observer, its damage and drops into the summary.

use std::io::Read;

use crate::capture::{CaptureError, End, Reader, Skipped, frames};
use crate::observer::{Observer, Options};
use crate::record::Observation;

/// Observes a whole capture that lies in memory, packed or not.
///
/// # Errors
/// Where the bytes are no capture at all; one that is cut or damaged further on is observed as far as it goes, and
/// [`Summary::cut`](crate::Summary::cut) says so.
pub fn observe(bytes: &[u8], options: Options) -> Result<Observation, CaptureError> {
    let mut frames = match frames(bytes) {
        Err(CaptureError::Packed(_)) => return observe_from(bytes, options),
        frames => frames?,
    };
    let mut observer = Observer::new(options);
    for frame in &mut frames {
        observer.push(frame);
    }
    observer.ended(frames.end(), frames.drops(), frames.skipped());
    Ok(observer.finish())
}

/// Observes a whole capture that streams by, packed or not; memory doesn't grow with its length.
///
/// # Errors
/// As [`observe`], and where the first bytes can't be read.
pub fn observe_from(read: impl Read, options: Options) -> Result<Observation, CaptureError> {
    let mut observer = Observer::new(options);
    observer.read(read)?;
    Ok(observer.finish())
}

impl Observer {
    /// Takes all frames of a capture that streams by, and how it ended.
    ///
    /// # Errors
    /// As [`observe_from`]; the observer is then as it was.
    pub fn read(&mut self, read: impl Read) -> Result<(), CaptureError> {
        let mut reader = Reader::new(read)?;
        while let Some(frame) = reader.next_frame() {
            self.push(frame);
        }
        self.ended(reader.end(), reader.drops(), reader.skipped());
        Ok(())
    }

    fn ended(&mut self, end: &End, drops: Option<u64>, skipped: Skipped) {
        if let Some(drops) = drops {
            self.dropped(drops);
        }
        if let Some(reason) = &end.cut {
            self.cut(reason.clone(), end.unread_bytes);
        }
        self.skipped(skipped);
    }
}
