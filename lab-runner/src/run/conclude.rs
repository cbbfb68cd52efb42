//! From a recording to what it means: captures observed, flows attributed, the verdict.

use std::path::{Path, PathBuf};

use lab_observe::{Observation, Summary};

use crate::judge::{JudgeInput, Verdict, judge};
use crate::manifest::Manifest;
use crate::observation::{Attempt, Capture, attribute, render_jsonl};
use crate::plan::Plan;
use crate::record::{AttemptMeta, LARGEST_CAPTURE, Log, RunDir, read_regular, write_whole};

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

/// Observes the captures of every attempt. One that can't be read counts as cut, with the reason, and one that is
/// missing is for the judge to miss.
pub fn observe_attempts(run: &RunDir, attempts: &[AttemptMeta], logs: Vec<Log>) -> Vec<Attempt> {
    attempts
        .iter()
        .zip(logs)
        .map(|(meta, log)| {
            let captures = observe_captures(&run.attempt(meta.number).join("captures"));
            let (number, repeat, retried) = (meta.number, meta.repeat, meta.retried);
            Attempt { number, repeat, entries: log.entries, captures, retried }
        })
        .collect()
}

fn observe_captures(folder: &Path) -> Vec<Capture> {
    let Ok(listing) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pcapng"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let observed =
                read_regular(&path, LARGEST_CAPTURE).map_err(|error| error.to_string()).and_then(|bytes| {
                    lab_observe::observe(&bytes, lab_observe::Options::default())
                        .map_err(|error| error.to_string())
                });
            let vantage = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let file = format!("captures/{vantage}.pcapng");
            Capture { vantage, file, observation: observed.unwrap_or_else(unreadable) }
        })
        .collect()
}

/// What is observed in a file of which nothing can be read.
fn unreadable(reason: String) -> Observation {
    let format = lab_observe::record::FORMAT;
    let summary = Summary { format, cut: true, cut_reason: Some(reason), ..Summary::default() };
    Observation { flows: Vec::new(), summary, canaries: Vec::new() }
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
            write_whole(&folder.join("observation.jsonl"), observation.as_bytes())?;
        }
        write_whole(&run.path().join("verdict.json"), self.verdict_json()?.as_bytes())
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
