//! Lines of text from a console or a program: cut out of a stream of bytes, kept, and waited for by a regular
//! expression. What comes in is hostile: its length is bounded and what doesn't print is escaped.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lab_protocol::{Fault, Reply};
use regex::Regex;

use crate::{Call, Cancel};

/// Longest line, in bytes; a longer one is cut into several.
pub const MAX_LINE: usize = 4096;
/// How many unmatched lines are kept; the oldest go first. Every line is in the log anyway.
const MAX_KEPT: usize = 10_000;
/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// A line with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since the epoch at which its first byte came.
    pub t: u64,
    /// Its text without the end, escaped.
    pub text: String,
}

/// Cuts a stream of bytes into lines; CR before LF belongs to the end.
#[derive(Debug, Default)]
pub struct LineSplitter {
    partial: Vec<u8>,
    began: u64,
}

impl LineSplitter {
    /// Takes more bytes, which came at `t`, and gives each line that they complete.
    pub fn push(&mut self, bytes: &[u8], t: u64, mut line: impl FnMut(Line)) {
        for &byte in bytes {
            if byte == b'\n' {
                if self.partial.is_empty() {
                    self.began = t;
                }
                line(self.take());
                continue;
            }
            if self.partial.is_empty() {
                self.began = t;
            }
            self.partial.push(byte);
            if self.partial.len() >= MAX_LINE {
                line(self.take());
            }
        }
    }

    /// What is left at the end of the stream, where it isn't empty.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.partial.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Line {
        if self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        let text = escape(&self.partial);
        self.partial.clear();
        Line { t: self.began, text }
    }
}

/// Text whose characters all print: control characters and what is not UTF-8 are written as `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().for_each(|byte| push_escaped(&mut text, byte));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| push_escaped(&mut text, *byte));
    }
    text
}

fn push_escaped(text: &mut String, byte: u8) {
    // Writing to a string can't fail.
    let _ = write!(text, "\\x{byte:02x}");
}

/// A line that was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The line.
    pub line: Line,
    /// Named groups of the pattern that took part.
    pub groups: BTreeMap<String, String>,
}

/// Why no line matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// The time was up; the last line that came since the last match, if any.
    Time {
        /// It.
        last: Option<String>,
    },
    /// The stream ended, for this reason.
    Closed(String),
    /// The engine gave up.
    Cancelled,
}

/// Lines since the last match. One side pushes, the other waits; clones share the same lines.
#[derive(Debug, Clone, Default)]
pub struct LineBuffer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    unmatched: VecDeque<Line>,
    /// Counts every line ever pushed, so that a wait need not test a line twice.
    pushed: u64,
    closed: Option<String>,
}

impl LineBuffer {
    /// Adds a line.
    pub fn push(&self, line: Line) {
        let mut state = self.lock();
        if state.unmatched.len() >= MAX_KEPT {
            state.unmatched.pop_front();
        }
        state.unmatched.push_back(line);
        state.pushed += 1;
        self.0.changed.notify_all();
    }

    /// No more lines will come, and why.
    pub fn close(&self, why: impl Into<String>) {
        self.lock().closed = Some(why.into());
        self.0.changed.notify_all();
    }

    /// Lines come again, from another stream.
    pub fn reopen(&self) {
        self.lock().closed = None;
    }

    /// Waits for a line that matches, among those since the last match; it and all before it are then used up.
    ///
    /// # Errors
    /// If none came in time, the stream ended or the engine gave up.
    pub fn expect(&self, pattern: &Regex, until: Instant, cancel: &Cancel) -> Result<Match, Missed> {
        let mut state = self.lock();
        let mut tested = state.pushed - state.unmatched.len() as u64;
        loop {
            let first = state.pushed - state.unmatched.len() as u64;
            let skip = usize::try_from(tested.saturating_sub(first)).unwrap_or(usize::MAX);
            let found = state.unmatched.iter().skip(skip).position(|line| pattern.is_match(&line.text));
            if let Some(found) = found
                && let Some(line) = state.unmatched.drain(..=skip + found).next_back()
            {
                return Ok(Match { groups: named_groups(pattern, &line.text), line });
            }
            tested = state.pushed;
            if let Some(why) = &state.closed {
                return Err(Missed::Closed(why.clone()));
            }
            if cancel.is_set() {
                return Err(Missed::Cancelled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Missed::Time { last: state.unmatched.back().map(|line| line.text.clone()) });
            }
            state = self
                .0
                .changed
                .wait_timeout(state, left.min(CANCEL_POLL))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Answers [`lab_protocol::Action::ExpectLine`] for the one whose lines these are. `ended` makes the fault for
    /// lines that stopped coming.
    ///
    /// # Errors
    /// The fault that the expectation ends with.
    pub fn answer(
        &self,
        call: &Call<'_>,
        whose: &str,
        pattern: &str,
        within_ms: u64,
        ended: impl FnOnce(&str) -> Fault,
    ) -> Result<Reply, Fault> {
        let regex = Regex::new(pattern)
            .map_err(|error| Fault::product("pattern-invalid", format!("{pattern:?}: {error}")))?;
        let until = Instant::now() + call.left(Duration::from_millis(within_ms));
        self.expect(&regex, until, call.cancel)
            .map(|found| Reply::Matched { text: found.line.text, groups: found.groups })
            .map_err(|missed| match missed {
                Missed::Time { last } => {
                    let last = last.map_or_else(|| "nothing".to_owned(), |last| format!("last {last:?}"));
                    let text = format!(
                        "the {whose} printed no line that matches {pattern:?} in {within_ms} ms; it printed {last}"
                    );
                    Fault::product("line-missing", text)
                }
                Missed::Closed(how) => ended(&how),
                Missed::Cancelled => Fault::doubt("cancelled", "given up"),
            })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn named_groups(pattern: &Regex, text: &str) -> BTreeMap<String, String> {
    let Some(captures) = pattern.captures(text) else { return BTreeMap::new() };
    pattern
        .capture_names()
        .flatten()
        .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str().to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(lines: &[&str]) -> LineBuffer {
        let buffer = LineBuffer::default();
        for text in lines {
            buffer.push(Line { t: 0, text: (*text).to_owned() });
        }
        buffer
    }

    fn expect(buffer: &LineBuffer, pattern: &str) -> Result<Match, Missed> {
        buffer.expect(&Regex::new(pattern).unwrap(), Instant::now(), &Cancel::default())
    }

    #[test]
    fn a_line_is_matched_once_and_uses_up_those_before_it() {
        let buffer = buffer(&["boot", "pairing code 428917", "late"]);
        let found = expect(&buffer, r"code (?<passkey>\d{6})").unwrap();
        assert_eq!(found.groups["passkey"], "428917");
        assert_eq!(expect(&buffer, "boot"), Err(Missed::Time { last: Some("late".into()) }));
        assert!(expect(&buffer, "late").is_ok());
        buffer.close("exit status 1");
        assert_eq!(expect(&buffer, "late"), Err(Missed::Closed("exit status 1".into())));
    }

    #[test]
    fn a_line_that_comes_later_is_waited_for() {
        let buffer = buffer(&["first"]);
        let writer = buffer.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            writer.push(Line { t: 7, text: "second".into() });
        });
        let until = Instant::now() + Duration::from_secs(5);
        let found = buffer.expect(&Regex::new("second").unwrap(), until, &Cancel::default()).unwrap();
        assert_eq!(found.line.t, 7);
        thread.join().unwrap();
    }

    #[test]
    fn hostile_bytes_are_escaped_and_endless_lines_cut() {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        splitter.push(b"a\x1b[31m\xff\r\nhalf", 1, |line| lines.push(line));
        splitter.push(b" line\n", 2, |line| lines.push(line));
        splitter.push(&vec![b'x'; MAX_LINE + 1], 3, |line| lines.push(line));
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts[..2], [r"a\x1b[31m\xff", "half line"]);
        assert_eq!(lines[1].t, 1);
        assert_eq!(texts[2].len(), MAX_LINE);
        assert_eq!(splitter.finish().unwrap().text, "x");
    }
}
