//! A file of another format: its bytes, bounded, and the place of what is wrong in them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};

use crate::yaml::{Diagnostic, Position};

/// The largest file that is read, in bytes, whatever its format.
pub const LARGEST: u64 = 16 << 20;
/// The most keys that were not understood and are listed.
const MOST_IGNORED: usize = 200;

/// A file and its bytes.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The file's path, as it was given.
    pub file: PathBuf,
    /// Its bytes, without a byte order mark.
    pub bytes: Vec<u8>,
}

impl Foreign {
    /// Reads a file.
    ///
    /// # Errors
    /// It is missing, unreadable, no regular file, empty or larger than [`LARGEST`].
    pub fn read(file: &Path) -> Result<Foreign, Diagnostic> {
        let refused = |message: String| Diagnostic::whole_file(file, message);
        let unreadable = |error: std::io::Error| refused(format!("the file can't be read: {error}"));
        // Before opening: opening a named pipe waits for its writer.
        let metadata = std::fs::metadata(file).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(refused("this is not a regular file".into()).help("name the file to read"));
        }
        let mut bytes = Vec::new();
        File::open(file)
            .and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        Foreign::from_bytes(file, bytes)
    }

    /// Takes bytes as a file's content.
    ///
    /// # Errors
    /// There are none, or more than [`LARGEST`].
    pub fn from_bytes(file: &Path, mut bytes: Vec<u8>) -> Result<Foreign, Diagnostic> {
        if bytes.len() as u64 > LARGEST {
            return Err(Diagnostic::whole_file(
                file,
                "the file is larger than 16 MiB, the most that is read",
            )
            .help("is this really the file that was meant?"));
        }
        if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
            bytes.drain(..3);
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Diagnostic::whole_file(file, "the file is empty").help("name another file"));
        }
        Ok(Foreign { file: file.to_owned(), bytes })
    }

    /// Whether the bytes occur in it.
    pub fn contains(&self, needle: &[u8]) -> bool {
        self.find(needle).is_some()
    }

    /// Where the bytes first occur.
    pub fn find(&self, needle: &[u8]) -> Option<usize> {
        self.bytes.windows(needle.len().max(1)).position(|window| window == needle)
    }

    /// The file as text.
    ///
    /// # Errors
    /// It isn't UTF-8, with the place of the first byte that isn't.
    pub fn text(&self) -> Result<&str, Diagnostic> {
        std::str::from_utf8(&self.bytes).map_err(|error| {
            self.error_at(error.valid_up_to(), "this byte is not UTF-8 text").help("save the file as UTF-8")
        })
    }

    /// An error at a byte of the file.
    pub fn error_at(&self, offset: usize, message: impl Into<String>) -> Diagnostic {
        let text = String::from_utf8_lossy(&self.bytes);
        Diagnostic::error(&self.file, &text, self.position(offset), message)
    }

    /// The place of a byte; past the end, the end's.
    pub fn position(&self, offset: usize) -> Position {
        let before = self.bytes.get(..offset).unwrap_or(&self.bytes);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
        let in_line = before.get(start..).unwrap_or_default();
        let column = String::from_utf8_lossy(in_line).chars().count() as u32 + 1;
        Position { line, column }
    }

    /// Its lines, for many places.
    pub fn lines(&self) -> Lines<'_> {
        let ends = self.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Lines { bytes: &self.bytes, starts }
    }

    /// The file as JSON of a known shape, and the paths of the keys that the shape doesn't have.
    ///
    /// # Errors
    /// It is no such JSON, with the place where that shows.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<(T, Ignored), Diagnostic> {
        let text = self.text()?;
        let mut ignored = Ignored::default();
        let mut json = serde_json::Deserializer::from_str(text);
        serde_ignored::deserialize(&mut json, |path| ignored.note(&path))
            .and_then(|value| json.end().map(|()| value))
            .map(|value| (value, ignored))
            .map_err(|error| self.json_error(text, &error, 0).help(format!("this is read as {what}")))
    }

    /// What serde_json found wrong in a part of the file that begins after `lines_before` lines.
    pub(super) fn json_error(
        &self,
        text: &str,
        error: &serde_json::Error,
        lines_before: usize,
    ) -> Diagnostic {
        let full = error.to_string();
        // The place stands beside the message already.
        let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
        let line = error.line().max(1) + lines_before;
        // Its columns count bytes, from 0 where the line has just begun.
        let upto = error.column().saturating_sub(1);
        let bytes = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().as_bytes();
        let column = String::from_utf8_lossy(bytes.get(..upto).unwrap_or(bytes)).chars().count() + 1;
        let at = Position { line: line as u32, column: column as u32 };
        Diagnostic::error(&self.file, &String::from_utf8_lossy(&self.bytes), at, message)
    }
}

/// Where each line of a file begins.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
}

impl Lines<'_> {
    /// The place of a byte, quickly. Past the 10,000th byte of a line, columns count bytes.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.bytes.get(start..offset).unwrap_or_default();
        let characters = if before.len() > 10_000 {
            before.len()
        } else {
            String::from_utf8_lossy(before).chars().count()
        };
        Position { line: line as u32, column: characters as u32 + 1 }
    }
}

/// Keys that were skipped, since the shape doesn't have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Their paths (`a.b.0.c`), the first 200.
    pub paths: Vec<String>,
    /// How many there were in all.
    pub count: usize,
}

impl Ignored {
    fn note(&mut self, path: &serde_ignored::Path<'_>) {
        self.count += 1;
        if self.paths.len() < MOST_IGNORED {
            // `?` stands for an optional value on the way; nobody wrote it.
            self.paths.push(path.to_string().replace(".?", ""));
        }
    }
}

/// A list of at most `MOST` elements: what the elements take in memory is bounded before they are all read.
///
/// # Errors
/// There are more, or one is wrong.
pub(super) fn at_most<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Bounded<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Bounded<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MOST} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                if list.len() == MOST {
                    return Err(serde::de::Error::custom(format!(
                        "the list has more than {MOST} elements, the most that are read"
                    )));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Bounded::<T, MOST>(PhantomData))
}

/// A key that says something by being there, whatever its value.
///
/// # Errors
/// Never of its own.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}
