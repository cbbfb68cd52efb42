//! The event log on disk: one entry a line, appended and never changed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use lab_protocol::{Body, Entry, Event, VERSION};

use super::files::open_regular;

/// Longest line that is read, in bytes.
const LONGEST_LINE: u64 = 4 << 20;
/// Most entries that are read: a day of busy console.
const MOST_ENTRIES: usize = 10_000_000;

/// Whoever wants to know what happens while it happens: the event log, the progress display.
pub trait Watcher {
    /// One more entry of the log.
    ///
    /// # Errors
    /// When it can't be kept; the attempt ends then, since what isn't logged didn't happen.
    fn saw(&mut self, entry: &Entry) -> std::io::Result<()>;
}

/// Writes a log.
#[derive(Debug)]
pub struct EventLog {
    file: File,
    line: Vec<u8>,
}

impl EventLog {
    /// A new log at this path.
    ///
    /// # Errors
    /// When it exists already, and what the disk says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        Ok(Self { file, line: Vec::new() })
    }
}

impl Watcher for EventLog {
    fn saw(&mut self, entry: &Entry) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        // One write an entry: a killed run leaves whole lines but for the last.
        self.file.write_all(&self.line)
    }
}

/// A log that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The last line breaks off.
    pub cut: bool,
}

/// Why a log can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No access.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line that is no entry.
    #[error("{}:{line}: not an entry of an event log: {reason}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Written by a newer lab.
    #[error("{}: format {found} of the event log is newer than this lab understands ({VERSION}); update lab", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

impl Log {
    /// Reads a log. A last line without its end is left out and told by [`Log::cut`].
    ///
    /// # Errors
    /// [`LogError`].
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let mut reader = BufReader::new(open_regular(path).map_err(io)?);
        let mut log = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line).map_err(io)?;
            if read == 0 {
                return Ok(log);
            }
            let bad = |reason: String| LogError::Entry {
                path: path.to_owned(),
                line: log.entries.len() + 1,
                reason,
            };
            if line.last() != Some(&b'\n') {
                if read as u64 == LONGEST_LINE {
                    return Err(bad(format!("longer than {} MiB", LONGEST_LINE >> 20)));
                }
                log.cut = true;
                return Ok(log);
            }
            // The format comes first: what a newer lab wrote need not be an entry for this one.
            if log.entries.is_empty()
                && let Some(found) = begin_format(&line).filter(|format| *format > VERSION)
            {
                return Err(LogError::Newer { path: path.to_owned(), found });
            }
            let entry: Entry = serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))?;
            if entry.seq != log.entries.len() as u64 + 1 {
                return Err(bad(format!(
                    "entry {} stands where {} belongs",
                    entry.seq,
                    log.entries.len() + 1
                )));
            }
            if log.entries.is_empty() && !matches!(entry.body, Body::Event(Event::Begin { .. })) {
                return Err(bad("a log starts with the event `begin`".into()));
            }
            if log.entries.len() == MOST_ENTRIES {
                return Err(bad(format!("more than {MOST_ENTRIES} entries")));
            }
            log.entries.push(entry);
        }
    }

    /// Whether the attempt was ended in order.
    pub fn ended(&self) -> bool {
        !self.cut && matches!(self.entries.last(), Some(Entry { body: Body::Event(Event::End), .. }))
    }
}

fn begin_format(line: &[u8]) -> Option<u32> {
    let entry: serde_json::Value = serde_json::from_slice(line).ok()?;
    entry.pointer("/body/event/format")?.as_u64().map(|format| u32::try_from(format).unwrap_or(u32::MAX))
}
