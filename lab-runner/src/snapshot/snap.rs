//! insta's `.snap` format, read and written by ourselves, because insta's own run time takes its behaviour from the
//! environment. `cargo insta review` reads what is written here. It opens no file.

use std::fmt::Write;

/// A `.snap` file: what insta knows about it, and its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapFile {
    /// The plan that it belongs to, for people: never a path of this machine.
    pub source: String,
    /// What is in it: the plan's name.
    pub expression: String,
    /// In a pending file: what changed. Dropped when it is accepted.
    pub description: Option<String>,
    /// The body, with newlines of one character.
    pub body: String,
}

/// Why a text is no `.snap` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no snapshot file: it has to begin with `---`, have its header, and `---` again before its body"
)]
pub struct BadSnap;

impl SnapFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When the two lines of `---` around its header aren't there.
    pub fn parse(text: &str) -> Result<Self, BadSnap> {
        let text = text.replace("\r\n", "\n");
        let rest = text.strip_prefix("---\n").ok_or(BadSnap)?;
        let (header, body) = match rest.strip_prefix("---\n") {
            Some(body) => ("", body),
            None => rest.split_once("\n---\n").ok_or(BadSnap)?,
        };
        let mut file = Self { body: body.to_owned(), ..Self::default() };
        for line in header.lines() {
            let Some((key, value)) = line.split_once(": ") else { continue };
            // What isn't quoted stands for itself: insta writes the shortest form.
            let value = serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
            match key {
                "source" => file.source = value,
                "expression" => file.expression = value,
                "description" => file.description = Some(value),
                _ => {}
            }
        }
        Ok(file)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = String::from("---\n");
        let mut line = |key: &str, value: &str| {
            // A JSON string is a YAML string; writing to memory can't fail.
            let _ = writeln!(text, "{key}: {}", serde_json::Value::from(value));
        };
        line("source", &self.source);
        if let Some(description) = &self.description {
            line("description", description);
        }
        line("expression", &self.expression);
        text.push_str("---\n");
        text.push_str(self.body.trim_end());
        text.push('\n');
        text
    }

    /// Whether two bodies say the same: line endings and what is blank at the end don't count.
    pub fn same_body(&self, other: &Self) -> bool {
        let bare = |body: &str| body.replace("\r\n", "\n").trim_end().to_owned();
        bare(&self.body) == bare(&other.body)
    }
}
