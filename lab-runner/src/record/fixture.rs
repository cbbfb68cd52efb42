//! Fixtures: where a plan's recording is, whether it is whole, and how a run becomes one.

use std::path::{Path, PathBuf};

use lab_protocol::{Body, Event};

use super::files::{blob_of_file, is_agents};
use super::{Log, RunDir, RunError, RunMeta};

/// Why a fixture can't be used or made.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// It can't be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It isn't what was recorded.
    #[error("{}: {reason}; the fixture is damaged: take it from version control again, or record anew with --record", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// It can't be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A capture can't be scrubbed.
    #[error("{}: cannot be scrubbed: {reason}", path.display())]
    Scrub {
        /// The capture.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Where a plan's fixture is: `fixtures/<plan folder>` in the nearest folder above the plan that has `fixtures`. A plan
/// that isn't called `plan.yaml` has one of its own beside it, `fixtures/<plan folder>.<plan>`.
pub fn default_fixture(plan: &Path) -> Option<PathBuf> {
    let plan = std::path::absolute(plan).ok()?;
    let folder = plan.parent()?;
    let fixtures =
        folder.ancestors().skip(1).map(|above| above.join("fixtures")).find(|path| path.is_dir())?;
    let name = folder.file_name()?.to_str()?;
    let stem = plan.file_stem()?.to_str()?;
    Some(fixtures.join(if stem == "plan" { name.to_owned() } else { format!("{name}.{stem}") }))
}

/// Reads a recording that must be whole: every attempt ended in order and every file is what the log says.
pub(super) fn read_whole(run: &RunDir) -> Result<(RunMeta, Vec<Log>), FixtureError> {
    let meta = run.read_meta()?;
    let mut logs = Vec::new();
    for attempt in &meta.attempts {
        let log = run.read_log(attempt.number).map_err(RunError::from)?;
        let path = run.attempt(attempt.number).join("events.jsonl");
        if !log.ended() {
            let reason = format!("the log breaks off after {} entries", log.entries.len());
            return Err(FixtureError::Damaged { path, reason });
        }
        for (name, blob) in artifacts(&log) {
            let path = run.attempt(attempt.number).join(name);
            let damaged = |reason: String| FixtureError::Damaged { path: path.clone(), reason };
            if !is_agents(name) {
                return Err(damaged("not a file of an agent".into()));
            }
            // Console logs are left out of fixtures: the event log has their lines.
            if name.starts_with("captures/") {
                let found = blob_of_file(&path).map_err(|error| damaged(error.to_string()))?;
                if found != *blob {
                    return Err(damaged(format!(
                        "{} bytes that are not the {} recorded",
                        found.bytes, blob.bytes
                    )));
                }
            }
        }
        logs.push(log);
    }
    if logs.is_empty() {
        let reason = "it has no attempt".into();
        return Err(RunError::NotARun { path: run.path().to_owned(), reason }.into());
    }
    Ok((meta, logs))
}

/// The files that a log says are complete.
pub(super) fn artifacts(log: &Log) -> impl Iterator<Item = (&str, &lab_protocol::BlobRef)> {
    log.entries.iter().filter_map(|entry| match &entry.body {
        Body::Event(Event::Artifact { name, blob }) => Some((name.as_str(), blob)),
        _ => None,
    })
}

impl RunDir {
    /// Reads a recording for replay.
    ///
    /// # Errors
    /// When it isn't one, is from a newer lab, or isn't whole.
    pub fn read_recording(&self) -> Result<(RunMeta, Vec<Log>), FixtureError> {
        read_whole(self)
    }
}

/// Saves a run as a fixture, scrubbed. What stood there before is replaced only once the new one is whole.
///
/// # Errors
/// When the run isn't whole, a capture can't be scrubbed, or the disk says so.
#[cfg(feature = "hardware")]
pub fn save(run: &RunDir, fixture: &Path) -> Result<(), FixtureError> {
    use super::scrub::Scrub;
    use super::{EventLog, FileMeta};
    use crate::engine::Watcher;

    let wrote = |path: &Path| {
        let path = path.to_owned();
        move |error| FixtureError::Write { path, error }
    };
    let (mut meta, logs) = read_whole(run)?;
    let parent = fixture.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(wrote(parent))?;
    let name = fixture.file_name().and_then(|name| name.to_str()).unwrap_or("fixture");
    let fresh = parent.join(format!(".{name}.new"));
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir(&fresh).map_err(wrote(&fresh))?;
    let new = RunDir::at(&fresh);

    for (attempt, log) in meta.attempts.iter().zip(logs) {
        let folder = new.create_attempt(attempt.number).map_err(wrote(&fresh))?;
        let scrub = Scrub::of(&log.entries);
        let mut scrubbed = scrub.entries(log.entries);
        for entry in &mut scrubbed {
            let Body::Event(Event::Artifact { name, blob }) = &mut entry.body else { continue };
            if !name.starts_with("captures/") {
                continue;
            }
            let from = run.attempt(attempt.number).join(&*name);
            let to = folder.join(&*name);
            let bytes = std::fs::read(&from).map_err(wrote(&from))?;
            let cut =
                scrub.capture(&bytes).map_err(|reason| FixtureError::Scrub { path: from.clone(), reason })?;
            *blob = lab_protocol::BlobRef::of(&cut);
            std::fs::create_dir_all(folder.join("captures")).map_err(wrote(&to))?;
            std::fs::write(&to, cut).map_err(wrote(&to))?;
        }
        let path = folder.join("events.jsonl");
        let mut log = EventLog::create(&path).map_err(wrote(&path))?;
        for entry in &scrubbed {
            log.saw(entry).map_err(wrote(&path))?;
        }
    }
    let only_name = |file: &mut FileMeta| {
        if let Some(name) = Path::new(&file.path).file_name() {
            file.path = name.to_string_lossy().into_owned();
        }
    };
    meta.os = None;
    only_name(&mut meta.plan);
    only_name(&mut meta.manifest);
    meta.bench.iter_mut().for_each(only_name);
    meta.images.iter_mut().for_each(only_name);
    new.write_meta(&meta).map_err(wrote(&fresh))?;

    let old = parent.join(format!(".{name}.old"));
    let _ = std::fs::remove_dir_all(&old);
    if fixture.exists() {
        std::fs::rename(fixture, &old).map_err(wrote(fixture))?;
    }
    std::fs::rename(&fresh, fixture).map_err(wrote(fixture))?;
    let _ = std::fs::remove_dir_all(&old);
    Ok(())
}
