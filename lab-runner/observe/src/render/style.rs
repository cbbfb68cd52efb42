//! How text looks on a terminal, and in a pipe.

use super::words::push_parts;

/// How text looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Letters only: for pipes and files.
    #[default]
    Plain,
    /// With colours, for terminals.
    Colour,
}

impl Style {
    /// Text in a colour (an SGR parameter of ECMA-48).
    pub(super) fn paint(self, code: &str, text: &str) -> String {
        let mut painted = String::new();
        self.push(code, text, &mut painted);
        painted
    }

    /// Adds text in a colour.
    pub(super) fn push(self, code: &str, text: &str, line: &mut String) {
        match self {
            Self::Plain => line.push_str(text),
            Self::Colour => push_parts(line, ["\x1b[", code, "m", text, "\x1b[0m"]),
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}
