//! A run from its recording. It runs nothing, opens no network and writes nothing.

use lab_protocol::{Body, Entry, Event};

use super::conclude::{Conclusion, conclude, observe_attempts};
use crate::bench::{BenchError, RecordedBench};
use crate::engine::{Attempt, End, EngineError, Options};
use crate::plan::{Images, Inputs};
use crate::record::{FixtureError, Log, RunDir, RunError};

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
    /// The plan asks for another number of repeats.
    #[error("the plan asks for {wanted} repeats, and {recorded} were recorded")]
    Repeats {
        /// As the plan says.
        wanted: u32,
        /// As the recording has it.
        recorded: u32,
    },
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
    let recorded = meta.attempts.last().map_or(0, |attempt| attempt.repeat);
    let wanted = inputs.plan.repeat;
    // More than the plan asks for is fine where it was asked for in so many words.
    if recorded < wanted || (recorded > wanted && meta.repeat_option != Some(recorded)) {
        return Err(ReplayError::Repeats { wanted, recorded });
    }
    let mut tries = 0;
    for (attempt, log) in meta.attempts.iter().zip(&logs) {
        let end = play(inputs, images, log, meta.until.clone())
            .map_err(|error| ReplayError::Differs { attempt: attempt.number, error })?;
        let again = end.asks_for_another(tries);
        tries = if again { tries + 1 } else { 0 };
        if attempt.retried != again {
            let what = if again {
                "was the last of its repeat, and the plan asks for another"
            } else {
                "was tried again, which the plan does not ask for"
            };
            return Err(ReplayError::Retries { attempt: attempt.number, what });
        }
    }
    let attempts = observe_attempts(recording, &meta.attempts, logs);
    let interrupted = attempts.iter().flat_map(|attempt| &attempt.entries).any(is_interruption);
    Ok((conclude(&inputs.plan, &inputs.manifest, attempts, recorded), interrupted))
}

fn is_interruption(entry: &Entry) -> bool {
    matches!(entry.body, Body::Event(Event::Interrupted))
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
            | Self::Retries { .. }
            | Self::Repeats { .. } => {
                Some("record again with `lab run PLAN --record`, or take the change of the plan back")
            }
            Self::Fixture(FixtureError::Run(RunError::Missing { .. })) => {
                Some("record one with `lab run PLAN --record`, or name another with --replay DIR")
            }
            _ => None,
        }
    }
}
