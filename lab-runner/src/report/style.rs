//! Colour for a terminal, nothing for a pipe. It holds no text of its own.

use std::io::IsTerminal;

use crate::judge::Outcome;

/// How text is marked: with ANSI colours, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colours.
    pub const PLAIN: Self = Self { colour: false };

    /// Colours always.
    pub const COLOUR: Self = Self { colour: true };

    /// What standard output takes: colours on a terminal, unless `NO_COLOR` (<https://no-color.org>) asks for none.
    pub fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: std::io::stdout().is_terminal() && !refused }
    }

    /// Stressed.
    pub fn bold(self, text: &str) -> String {
        self.mark("1", text)
    }

    /// Of less weight.
    pub fn dim(self, text: &str) -> String {
        self.mark("2", text)
    }

    /// In the outcome's colour.
    pub fn outcome(self, outcome: Outcome, text: &str) -> String {
        let code = match outcome {
            Outcome::Pass => "1;32",
            Outcome::Fail => "1;31",
            Outcome::Inconclusive => "1;33",
            Outcome::BenchFault => "1;35",
        };
        self.mark(code, text)
    }

    /// As a diff marks it: `+`, `-`, or neither.
    pub fn diff(self, sign: char, text: &str) -> String {
        match sign {
            '+' => self.mark("32", text),
            '-' => self.mark("31", text),
            _ => text.to_owned(),
        }
    }

    fn mark(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
