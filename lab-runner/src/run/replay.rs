//! A run from its recording. It runs nothing, opens no network and writes nothing.

use lab_protocol::FaultKind;

use super::conclude::{ConcludeError, Conclusion, conclude, observe_attempts};
use crate::engine::{Attempt, BenchError, End, EngineError, Images, Options};
use crate::plan::Inputs;
use crate::record::{FixtureError, Log, RecordedBench, RunDir};

/// Why a recording can't be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording can't be read.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The plan and the recording don't fit.
    #[error("{error}")]
    Differs {
        /// In which attempt.
        attempt: u32,
        /// How.
        error: EngineError,
    },
    /// A retry was recorded that this plan doesn't ask for, or the other way round.
    #[error("attempt {attempt} of the recording {what}")]
    Retries {
        /// Which.
        attempt: u32,
        /// What doesn't fit.
        what: &'static str,
    },
    /// A capture can't be read.
    #[error(transparent)]
    Conclude(#[from] ConcludeError),
}

/// Replays a recording against the plan as it is now, and judges it by the manifest as it is now.
///
/// # Errors
/// When the recording can't be read, isn't whole, or was made by other commands.
pub fn replay(
    inputs: &Inputs,
    images: &Images,
    recording: &RunDir,
) -> Result<(Conclusion, bool), ReplayError> {
    let (meta, logs) = recording.read_recording()?;
    for (attempt, log) in meta.attempts.iter().zip(&logs) {
        let end = play(inputs, images, log, meta.until.clone())
            .map_err(|error| ReplayError::Differs { attempt: attempt.number, error })?;
        let again =
            matches!(&end, End::Fault { fault, retry, .. } if fault.kind == FaultKind::Bench && *retry > 0);
        if attempt.retried && !again {
            let what = "was tried again, which the plan no longer asks for";
            return Err(ReplayError::Retries { attempt: attempt.number, what });
        }
    }
    let repeats = meta.repeat_option.unwrap_or(inputs.plan.repeat);
    let attempts = observe_attempts(recording, &meta.attempts, logs)?;
    let interrupted = attempts.iter().any(|attempt| {
        attempt
            .entries
            .iter()
            .any(|entry| matches!(entry.body, lab_protocol::Body::Event(lab_protocol::Event::Interrupted)))
    });
    Ok((conclude(&inputs.plan, &inputs.manifest, attempts, repeats), interrupted))
}

fn play(inputs: &Inputs, images: &Images, log: &Log, until: Option<String>) -> Result<End, EngineError> {
    let mut bench = RecordedBench::new(&log.entries);
    Attempt::new(&inputs.plan, images, &mut bench, Vec::new(), Options { until }).run(|| {})
}

impl ReplayError {
    /// What a person can do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Differs { error: EngineError::Bench(BenchError::Differs { .. }), .. }
            | Self::Retries { .. } => {
                Some("record again with `lab run PLAN --record`, or take the change of the plan back")
            }
            _ => None,
        }
    }
}
