//! A problem in a file, and how it is shown: the place, the words, the line itself, and what to do next.
//!
//! Text from the file may hold terminal escapes; everything is escaped here, where it is shown.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Position;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// The file can be used, and probably says something else than was meant.
    Warning,
}

/// One problem in one file. Its `Display` is the whole rendering, several lines, no newline at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was given.
    pub file: PathBuf,
    /// Where in it; `None` where the whole file is meant.
    pub at: Option<Position>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The line at fault, without its end.
    pub source_line: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place in a file whose whole text is `text`.
    pub fn error(file: &Path, text: &str, at: Position, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            at: Some(at),
            severity: Severity::Error,
            message: message.into(),
            source_line: line_of(text, at.line),
            help: None,
        }
    }

    /// A warning at a place in a file whose whole text is `text`.
    pub fn warning(file: &Path, text: &str, at: Position, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(file, text, at, message) }
    }

    /// An error about a whole file.
    pub fn whole_file(file: &Path, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.to_owned(),
            at: None,
            severity: Severity::Error,
            message: message.into(),
            source_line: None,
            help: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// The same with advice, where there is any.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.or(self.help);
        self
    }
}

fn line_of(text: &str, line: u32) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    text.lines().nth(index).map(str::to_owned)
}

/// The most characters of a line that are shown.
const WINDOW: usize = 120;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escaped(&self.file.to_string_lossy()))?;
        if let Some(at) = self.at {
            write!(f, ":{}:{}", at.line, at.column)?;
        }
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, ": {word}: {}", escaped(&self.message))?;
        if let (Some(at), Some(line)) = (self.at, &self.source_line) {
            let number = at.line.to_string();
            let gutter = " ".repeat(number.len());
            let column = (at.column.max(1) - 1) as usize;
            let (shown, caret) = window(line, column);
            write!(f, "\n {number} | {shown}\n {gutter} | {}^", " ".repeat(caret))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", escaped(help))?;
        }
        Ok(())
    }
}

/// The part of a line around a column, escaped, and where the caret goes under it.
fn window(line: &str, column: usize) -> (String, usize) {
    let length = line.chars().count();
    let start = if length <= WINDOW { 0 } else { column.saturating_sub(WINDOW / 2).min(length - WINDOW) };
    let mut shown = String::new();
    let mut caret = 0;
    if start > 0 {
        shown.push('…');
    }
    for (index, c) in line.chars().enumerate().skip(start).take(WINDOW) {
        if index == column {
            caret = shown.chars().count();
        }
        push_escaped(&mut shown, c);
    }
    if column >= start + WINDOW || column >= length {
        caret = shown.chars().count();
    }
    if start + WINDOW < length {
        shown.push('…');
    }
    (shown, caret)
}

/// The most characters of a message or a piece of advice: both may quote from the file.
const LONGEST_WORDS: usize = 400;

fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    chars.by_ref().take(LONGEST_WORDS).for_each(|c| push_escaped(&mut out, c));
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\t' => out.push(' '),
        // Controls, and what turns or hides text: direction marks, zero-width characters, line separators, tags.
        c if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}') =>
        {
            out.extend(c.escape_unicode());
        }
        c => out.push(c),
    }
}

/// Every problem that was found, in the order of the files; at least one is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Diagnostic>);

/// The most problems that are shown; the rest are counted.
const SHOWN: usize = 20;

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\n… and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Diagnostic> for Problems {
    fn from(problem: Diagnostic) -> Problems {
        Problems(vec![problem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_a_caret_and_no_raw_escape() {
        let text = "format: 1\nname: \u{1b}[31m\u{202e}x\n";
        let problem =
            Diagnostic::error(Path::new("p.yaml"), text, Position { line: 2, column: 7 }, "bad \u{7} name")
                .help("write another");
        let shown = problem.to_string();
        assert_eq!(
            shown,
            "p.yaml:2:7: error: bad \\u{7} name\n 2 | name: \\u{1b}[31m\\u{202e}x\n   |       ^\n  help: write another"
        );
    }

    #[test]
    fn a_long_line_is_shown_around_its_column() {
        let text = "x".repeat(10_000);
        let problem =
            Diagnostic::error(Path::new("p"), &text, Position { line: 1, column: 5_000 }, "here").to_string();
        assert!(problem.len() < 500);
        let caret_line = problem.lines().last().unwrap();
        assert!(caret_line.ends_with('^') && caret_line.len() < 150);
    }
}
