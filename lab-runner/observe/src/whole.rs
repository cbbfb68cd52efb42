//! A whole capture at once: its frames through an observer, its damage and drops into the summary.

use crate::capture::{CaptureError, frames};
use crate::observer::{Observer, Options};
use crate::record::Observation;

/// Observes a whole capture.
///
/// # Errors
/// Where the bytes are no capture at all; one that is cut or damaged further on is observed as far as it goes, and
/// [`Summary::cut`](crate::Summary::cut) says so.
pub fn observe(bytes: &[u8], options: Options) -> Result<Observation, CaptureError> {
    let mut observer = Observer::new(options);
    let mut frames = frames(bytes)?;
    for frame in &mut frames {
        observer.push(frame);
    }
    if let Some(drops) = frames.drops() {
        observer.dropped(drops);
    }
    if let Some(reason) = &frames.end().cut {
        observer.cut(reason.clone(), frames.end().unread_bytes);
    }
    Ok(observer.finish())
}
