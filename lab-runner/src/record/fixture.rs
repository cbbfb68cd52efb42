//! Fixtures: where a plan's recording is, whether it is whole, and how a run becomes one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lab_protocol::{Body, Event, Reply};

use super::files::{blob_of_file, is_agents};
use super::{AttemptMeta, Log, RunDir, RunError, RunMeta};

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
    /// Something else is where it would go.
    #[error("{}: there is something else than a recording, which would be lost; name another folder", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
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

/// Reads a recording that must be whole: every attempt that was made is there, in order and ended in order, and every
/// file is what the log says.
pub(super) fn read_whole(run: &RunDir) -> Result<(RunMeta, Vec<Log>), FixtureError> {
    let meta = run.read_meta()?;
    in_order(run, &meta.attempts)?;
    let mut logs = Vec::new();
    for attempt in &meta.attempts {
        let log = run.read_log(attempt.number).map_err(RunError::from)?;
        let path = run.attempt(attempt.number).join("events.jsonl");
        if !log.ended() {
            let reason = format!("the log breaks off after {} entries", log.entries.len());
            return Err(FixtureError::Damaged { path, reason });
        }
        let begins = matches!(
            log.entries.first().map(|entry| &entry.body),
            Some(Body::Event(Event::Begin { attempt: number, repeat, .. }))
                if (*number, *repeat) == (attempt.number, attempt.repeat)
        );
        if !begins {
            let reason = "the log is of another attempt than run.json says".into();
            return Err(FixtureError::Damaged { path, reason });
        }
        captures_are_whole(&run.attempt(attempt.number), &log)?;
        logs.push(log);
    }
    Ok((meta, logs))
}

/// Attempts count from 1, none is left out, repeats follow each other, and only a retried attempt is followed by
/// another of the same repeat.
fn in_order(run: &RunDir, attempts: &[AttemptMeta]) -> Result<(), FixtureError> {
    let refused = |reason: &str| {
        Err(RunError::NotARun { path: run.path().to_owned(), reason: format!("run.json: {reason}") }.into())
    };
    let mut repeat = 1;
    for (index, attempt) in attempts.iter().enumerate() {
        if attempt.number as usize != index + 1 || attempt.repeat != repeat {
            return refused("its attempts are not in order");
        }
        repeat += u32::from(!attempt.retried);
    }
    match attempts.last() {
        None => refused("it has no attempt"),
        Some(last) if last.retried => refused("its last attempt was to be tried again"),
        Some(last) if run.attempts_on_disk() != last.number => {
            refused("it leaves out attempts whose logs are there, or names some that are not")
        }
        Some(_) => Ok(()),
    }
}

/// Every capture that was made is there, is what the log says, and no other is.
fn captures_are_whole(attempt: &Path, log: &Log) -> Result<(), FixtureError> {
    let damaged = |name: &str, reason: String| FixtureError::Damaged { path: attempt.join(name), reason };
    let mut known = BTreeSet::new();
    for (name, blob) in artifacts(log) {
        if !is_agents(name) {
            return Err(damaged("events.jsonl", format!("{name:?} is not a file of an agent")));
        }
        // Console logs are left out of fixtures: the event log has their lines.
        if name.starts_with("captures/") {
            let found =
                blob_of_file(&attempt.join(name)).map_err(|error| damaged(name, error.to_string()))?;
            if found != *blob {
                let reason = format!("{} bytes that are not the {} recorded", found.bytes, blob.bytes);
                return Err(damaged(name, reason));
            }
            known.insert(name.to_owned());
        }
    }
    let captured = log.entries.iter().filter_map(|entry| match &entry.body {
        Body::Event(Event::Done { reply: Reply::Captured { vantage, .. } }) => {
            Some(format!("captures/{vantage}.pcapng"))
        }
        _ => None,
    });
    let on_disk = std::fs::read_dir(attempt.join("captures")).into_iter().flatten().flatten();
    let on_disk = on_disk.map(|entry| format!("captures/{}", entry.file_name().to_string_lossy()));
    match captured.chain(on_disk).find(|name| !known.contains(name)) {
        Some(name) => Err(damaged(&name, "the log does not say what is in it".into())),
        None => Ok(()),
    }
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

/// Whether a recording may be saved here: nothing is there, or an older recording.
///
/// # Errors
/// When something else is there, which would be lost.
#[cfg(feature = "hardware")]
pub fn may_hold_recording(fixture: &Path) -> Result<(), FixtureError> {
    let empty = match std::fs::read_dir(fixture) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if empty || RunDir::at(fixture).read_meta().is_ok() {
        return Ok(());
    }
    Err(FixtureError::Occupied { path: fixture.to_owned() })
}

/// Writes a run as a fixture, scrubbed, beside the place where it is to be.
///
/// # Errors
/// When the run isn't whole, a capture can't be scrubbed, or the disk says so.
#[cfg(feature = "hardware")]
pub fn prepare(run: &RunDir, fixture: &Path) -> Result<Prepared, FixtureError> {
    use super::files::{LARGEST_CAPTURE, read_regular};
    use super::scrub::Scrub;
    use super::{EventLog, FileMeta};
    use crate::record::Watcher;

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
            let bytes = read_regular(&from, LARGEST_CAPTURE).map_err(wrote(&from))?;
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
    meta.profiles.iter_mut().for_each(only_name);
    meta.bench.iter_mut().for_each(only_name);
    meta.images.iter_mut().for_each(only_name);
    new.write_meta(&meta).map_err(wrote(&fresh))?;

    Ok(Prepared { fresh, fixture: fixture.to_owned() })
}

/// A fixture that is written, and not yet in its place.
#[cfg(feature = "hardware")]
#[derive(Debug)]
pub struct Prepared {
    fresh: PathBuf,
    fixture: PathBuf,
}

#[cfg(feature = "hardware")]
impl Prepared {
    /// To look at it before it is kept.
    pub fn recording(&self) -> RunDir {
        RunDir::at(&self.fresh)
    }

    /// Puts it in its place; an older recording there goes.
    ///
    /// # Errors
    /// When something else is there, and what the disk says.
    pub fn keep(self) -> Result<(), FixtureError> {
        may_hold_recording(&self.fixture)?;
        let wrote = |error| FixtureError::Write { path: self.fixture.clone(), error };
        if self.fixture.exists() {
            std::fs::remove_dir_all(&self.fixture).map_err(wrote)?;
        }
        std::fs::rename(&self.fresh, &self.fixture).map_err(wrote)
    }
}

#[cfg(feature = "hardware")]
impl Drop for Prepared {
    fn drop(&mut self) {
        // Gone already where it was kept.
        let _ = std::fs::remove_dir_all(&self.fresh);
    }
}
