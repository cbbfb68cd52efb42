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
    let last = Last { end: frames.end().clone(), drops: frames.drops(), skipped: frames.skipped() };
    observer.last(last);
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
        let last = self.frames(read)?;
        self.last(last);
        Ok(())
    }

    /// Takes all frames, and says how the capture ended.
    pub(crate) fn frames(&mut self, read: impl Read) -> Result<Last, CaptureError> {
        let mut reader = Reader::new(read)?;
        while let Some(frame) = reader.next_frame() {
            self.push(frame);
        }
        Ok(Last { end: reader.end().clone(), drops: reader.drops(), skipped: reader.skipped() })
    }

    /// Notes how the capture ended.
    pub(crate) fn last(&mut self, last: Last) {
        if let Some(drops) = last.drops {
            self.dropped(drops);
        }
        if let Some(reason) = last.end.cut {
            self.cut(reason, last.end.unread_bytes);
        }
        self.skipped(last.skipped);
    }
}

/// What a capture tells when there are no more frames.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Last {
    end: End,
    drops: Option<u64>,
    skipped: Skipped,
}
