//! From a recording to what it means: captures observed, flows attributed, the verdict.

use std::path::PathBuf;

use crate::judge::{JudgeInput, Verdict, judge};
use crate::manifest::Manifest;
use crate::observation::{Attempt, Capture, attribute, render_jsonl};
use crate::plan::Plan;
use crate::record::{AttemptMeta, Log, RunDir};

/// What a recording comes to.
#[derive(Debug)]
pub struct Conclusion {
    /// The attempts, their captures observed.
    pub attempts: Vec<Attempt>,
    /// Number of each attempt, and its `observation.jsonl`.
    pub observations: Vec<(u32, String)>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Why a recording can't be concluded from.
#[derive(Debug, thiserror::Error)]
pub enum ConcludeError {
    /// A capture can't be read.
    #[error("{}: {reason}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Observes the captures of every attempt.
///
/// # Errors
/// When a capture is there and can't be read. One that is missing is for the judge to miss.
pub fn observe_attempts(
    run: &RunDir,
    attempts: &[AttemptMeta],
    logs: Vec<Log>,
) -> Result<Vec<Attempt>, ConcludeError> {
    attempts
        .iter()
        .zip(logs)
        .map(|(meta, log)| {
            let captures = observe_captures(&run.attempt(meta.number).join("captures"))?;
            let (number, repeat, retried) = (meta.number, meta.repeat, meta.retried);
            Ok(Attempt { number, repeat, entries: log.entries, captures, retried })
        })
        .collect()
}

fn observe_captures(folder: &std::path::Path) -> Result<Vec<Capture>, ConcludeError> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pcapng"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let refused = |reason: String| ConcludeError::Capture { path: path.clone(), reason };
            let bytes = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
            let observation = lab_observe::observe(&bytes, lab_observe::Options::default())
                .map_err(|error| refused(error.to_string()))?;
            let vantage = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let file = format!("captures/{vantage}.pcapng");
            Ok(Capture { vantage, file, observation })
        })
        .collect()
}

/// Draws the conclusion.
pub fn conclude(plan: &Plan, manifest: &Manifest, attempts: Vec<Attempt>, repeats: u32) -> Conclusion {
    let verdict = judge(&JudgeInput { plan, manifest, attempts: &attempts, repeats });
    let observations =
        attempts.iter().map(|attempt| (attempt.number, render_jsonl(&attribute(attempt)))).collect();
    Conclusion { attempts, observations, verdict }
}

impl Conclusion {
    /// Writes what is derived into a run's directory.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, run: &RunDir) -> std::io::Result<()> {
        for (number, observation) in &self.observations {
            let folder = run.create_attempt(*number)?;
            std::fs::write(folder.join("observation.jsonl"), observation)?;
        }
        std::fs::write(run.path().join("verdict.json"), self.verdict_json()?)
    }

    /// The verdict as `verdict.json` has it.
    ///
    /// # Errors
    /// Never in practice: every part can be written as JSON.
    pub fn verdict_json(&self) -> std::io::Result<String> {
        let mut json = serde_json::to_string_pretty(&self.verdict)?;
        json.push('\n');
        Ok(json)
    }

    /// Whether another conclusion says the same, byte for byte.
    ///
    /// # Errors
    /// As [`Conclusion::verdict_json`].
    pub fn same_as(&self, other: &Self) -> std::io::Result<bool> {
        Ok(self.observations == other.observations && self.verdict_json()? == other.verdict_json()?)
    }
}
