//! What a run that lies on the disk comes to: its verdict, or, for one that was killed, what can be said without one.

use std::path::{Path, PathBuf};

use lab_protocol::blob::sha256_hex;

use super::conclude::{conclude, observe_attempts};
use crate::judge::{self, AttemptSummary, Finding, Outcome, Verdict};
use crate::plan::{Inputs, Product};
use crate::record::{AttemptMeta, Log, LogError, RunDir, RunError, RunMeta, read_regular};

/// Largest verdict that is read, in bytes.
const LARGEST_VERDICT: u64 = 256 << 20;

/// Why nothing can be said of a run.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// It isn't one.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its verdict can't be read.
    #[error("{}: {reason}; delete it to have it made again", path.display())]
    Verdict {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The verdict of a run's directory, or of a `verdict.json`. A run that did not end is inconclusive, whatever was seen
/// until then; what was seen stands among the findings.
///
/// # Errors
/// [`ReopenError`].
pub fn verdict_of(folder: &Path) -> Result<Verdict, ReopenError> {
    let run = RunDir::at(folder);
    let path = if folder.is_file() { folder.to_owned() } else { folder.join("verdict.json") };
    // What a replay left with --out is a verdict and nothing else.
    if path.is_file() && !folder.join("run.json").exists() {
        return read(path);
    }
    let meta = run.read_meta()?;
    if meta.outcome.is_some() && path.is_file() {
        return read(path);
    }
    // The attempt that was under way stands on the disk only.
    let mut attempts = meta.attempts.clone();
    for number in attempts.len() as u32 + 1..=run.attempts_on_disk() {
        attempts.push(AttemptMeta { number, repeat: number, retried: false, end: "never ended".into() });
    }
    let logs =
        attempts.iter().map(|attempt| run.read_log(attempt.number)).collect::<Result<Vec<Log>, LogError>>();
    let logs = logs.map_err(RunError::from)?;
    let under_way = logs.last().and_then(last_step);
    let mut verdict = match as_it_was(&meta) {
        Some(inputs) => {
            let repeats = meta.repeat_option.unwrap_or(inputs.plan.repeat);
            let observed = observe_attempts(&run, &attempts, logs);
            conclude(&inputs.plan, &inputs.manifest, observed, repeats).verdict
        }
        None => unjudged(&meta, &attempts),
    };
    if meta.outcome.is_none() {
        let title = match under_way {
            Some(step) => format!("the run was ended from outside during {step}"),
            None => "the run was ended from outside before its first step".to_owned(),
        };
        verdict.findings.insert(0, Finding::of_run("run-not-ended", Outcome::Inconclusive, title));
        verdict.outcome = Outcome::Inconclusive;
    }
    Ok(verdict)
}

fn read(path: PathBuf) -> Result<Verdict, ReopenError> {
    let json = read_regular(&path, LARGEST_VERDICT).map_err(|error| error.to_string());
    json.and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()))
        .map_err(|reason| ReopenError::Verdict { path, reason })
}

fn last_step(log: &Log) -> Option<String> {
    log.entries.iter().rev().find_map(|entry| match &entry.body {
        lab_protocol::Body::Command(command) => {
            Some(format!("{}/{}", command.step.phase, command.step.label))
        }
        lab_protocol::Body::Event(_) => None,
    })
}

/// The plan and the manifest, where both, and what the manifest includes, still are what the run was made with.
fn as_it_was(meta: &RunMeta) -> Option<Inputs> {
    let inputs = Inputs::load(Path::new(&meta.plan.path), None).ok()?;
    let profiles = meta.profiles.iter();
    let judged_by = std::iter::once(&meta.manifest).chain(profiles).map(|file| file.sha256.clone());
    let same = sha256_hex(inputs.plan.source.as_bytes()) == meta.plan.sha256
        && inputs.manifest.sources().map(|source| sha256_hex(source.as_bytes())).eq(judged_by);
    same.then_some(inputs)
}

/// All that can be said where the plan isn't there any more.
fn unjudged(meta: &RunMeta, attempts: &[AttemptMeta]) -> Verdict {
    let title = "the plan or the manifest of this run is not where it was, or has changed, so its flows can't be judged";
    let attempts = attempts.iter().map(|attempt| AttemptSummary {
        number: attempt.number,
        repeat: attempt.repeat,
        retried: attempt.retried,
        fault: None,
        flows: 0,
    });
    Verdict {
        format: judge::FORMAT,
        outcome: Outcome::Inconclusive,
        plan: meta.name.clone(),
        product: Product { vendor: String::new(), model: String::new() },
        manifest: meta.manifest.path.clone(),
        bench: meta.bench_kind.clone(),
        endpoints_asserted: false,
        repeats: meta.repeat_option.unwrap_or(1),
        attempts: attempts.collect(),
        findings: vec![Finding::of_run("not-judged", Outcome::Inconclusive, title.to_owned())],
        endpoints: Vec::new(),
        ambient: Vec::new(),
        unused: Vec::new(),
    }
}
