//! What a run leaves behind, and how it is read again: the run directory, the event log, fixtures.
//!
//! ```text
//! <run>/run.json                        what ran, with hashes and versions
//! <run>/attempts/<n>/events.jsonl       one entry a line
//! <run>/attempts/<n>/captures/…         what agents sent
//! <run>/attempts/<n>/observation.jsonl  derived
//! <run>/verdict.json                    derived
//! ```
//! A fixture is such a directory without what is derived, scrubbed of what is true of one desk only. Nothing here
//! judges, and nothing here knows hardware.

mod files;
mod fixture;
mod log;
mod run_dir;
#[cfg(feature = "hardware")]
mod scrub;

pub use files::AttemptFiles;
pub(crate) use files::{LARGEST_CAPTURE, read_regular, write_whole};
pub use fixture::{FixtureError, default_fixture};
#[cfg(feature = "hardware")]
pub use fixture::{Prepared, may_hold_recording, prepare};
pub use log::{EventLog, Log, LogError, Watcher};
pub use run_dir::{AttemptMeta, FileMeta, RunDir, RunError, RunMeta};

/// Version of the run directory and of fixtures. Newer ones are refused.
pub const FORMAT: u32 = 1;
