//! The run directory and its `run.json`: what ran, told by hashes and versions, so that a run can be traced.

use std::io;
use std::path::{Path, PathBuf};

use lab_protocol::blob::sha256_hex;
use serde::{Deserialize, Serialize};

use super::files::{read_regular, write_whole};
use super::{FORMAT, Log, LogError};

/// Largest `run.json` that is read, in bytes.
const LARGEST_META: u64 = 4 << 20;
/// Most attempts of one run: a thousand repeats with some retries.
const MOST_ATTEMPTS: u32 = 20_000;

/// What `run.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMeta {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the lab that made it.
    pub lab: String,
    /// Operating system and processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The plan's name, for people.
    pub name: String,
    /// `virtual` or `real`.
    pub bench_kind: String,
    /// The plan.
    pub plan: FileMeta,
    /// The manifest that it was judged against.
    pub manifest: FileMeta,
    /// The ambient profiles that the manifest includes, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<FileMeta>,
    /// The bench file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<FileMeta>,
    /// The firmware images.
    #[serde(default)]
    pub images: Vec<FileMeta>,
    /// How often it had to run, where the command line said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_option: Option<u32>,
    /// The step after which it had to end, where the command line said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptMeta>,
    /// The verdict in a word; absent while the run is under way, and so in one that was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The exit status of `lab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
}

/// A file that went into the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    /// Where it was; only its name in a fixture.
    pub path: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl FileMeta {
    /// Of a file with these bytes.
    pub fn new(path: &Path, bytes: &[u8]) -> Self {
        Self { path: path.display().to_string(), sha256: sha256_hex(bytes) }
    }
}

/// One attempt in `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptMeta {
    /// Its number, from 1: the name of its directory.
    pub number: u32,
    /// Which repeat it belongs to, from 1.
    pub repeat: u32,
    /// A bench fault ended it and another attempt took its place.
    #[serde(default)]
    pub retried: bool,
    /// How it ended, in words.
    pub end: String,
}

/// Why a run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It isn't one.
    #[error("{}: not a run: {reason}", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// Nothing is there.
    #[error("{}: there is no run or recording", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// A newer lab wrote it.
    #[error("{}: format {found} of the run is newer than this lab understands ({FORMAT}); update lab", path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A log in it can't be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new one: `<runs>/<time>-<plan>`, told apart by a number where two begin in one second.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create(runs: &Path, plan_name: &str, unix_seconds: u64) -> io::Result<Self> {
        std::fs::create_dir_all(runs)?;
        let stem = format!("{}-{}", timestamp(unix_seconds), plan_name);
        for count in 1..10_000 {
            let name = if count == 1 { stem.clone() } else { format!("{stem}-{count}") };
            let path = runs.join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("too many runs named {stem}")))
    }

    /// One that exists already.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of an attempt.
    pub fn attempt(&self, number: u32) -> PathBuf {
        self.path.join("attempts").join(number.to_string())
    }

    /// Makes the directory of an attempt.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create_attempt(&self, number: u32) -> io::Result<PathBuf> {
        let path = self.attempt(number);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes `run.json` anew, so that it is whole at any moment.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write_meta(&self, meta: &RunMeta) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(meta)?;
        json.push(b'\n');
        write_whole(&self.path.join("run.json"), &json)
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// When there is none, when it makes no sense, or when it is from a newer lab.
    pub fn read_meta(&self) -> Result<RunMeta, RunError> {
        let refused = |reason: String| RunError::NotARun { path: self.path.clone(), reason };
        let path = self.path.join("run.json");
        if !path.exists() {
            return Err(RunError::Missing { path: self.path.clone() });
        }
        let json =
            read_regular(&path, LARGEST_META).map_err(|error| refused(format!("run.json: {error}")))?;
        let value: serde_json::Value =
            serde_json::from_slice(&json).map_err(|error| refused(format!("run.json: {error}")))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(FORMAT) => {
                return Err(RunError::Newer { path: self.path.clone(), found });
            }
            Some(_) => {}
            None => return Err(refused("run.json has no `format`".into())),
        }
        serde_json::from_value(value).map_err(|error| refused(format!("run.json: {error}")))
    }

    /// The log of an attempt.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn read_log(&self, number: u32) -> Result<Log, LogError> {
        Log::read(&self.attempt(number).join("events.jsonl"))
    }

    /// How many attempts there are on disk, whatever `run.json` says of them.
    pub fn attempts_on_disk(&self) -> u32 {
        (1..=MOST_ATTEMPTS).take_while(|number| self.attempt(*number).join("events.jsonl").is_file()).count()
            as u32
    }
}

/// `20260102T030405Z` (ISO 8601 basic, UTC); days to date after Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", civil_from_days.
fn timestamp(unix_seconds: u64) -> String {
    let (days, rest) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_a_date() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(951_782_400), "20000229T000000Z");
        assert_eq!(timestamp(1_767_322_799), "20260102T025959Z");
    }
}
