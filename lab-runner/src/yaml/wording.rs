//! A deserialiser's message in words that help somebody who writes YAML.

use super::nearest;

/// What was wrong, in words, and what the message itself lets one guess.
pub(super) struct Worded {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// The key that is not known here: its place is the key's, and the rest can be read without it.
    pub(super) unknown_key: Option<String>,
    /// Whether a key is missing.
    pub(super) missing_key: bool,
}

/// Puts a serde message into words.
pub(super) fn word(message: &str) -> Worded {
    if let Some(name) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        let known: Vec<&str> = quoted(message).skip(1).collect();
        let Worded { message, help, .. } = unknown("key", name, &known);
        return Worded { message, help, unknown_key: Some(name.to_owned()), missing_key: false };
    }
    if let Some(name) = message.strip_prefix("unknown variant `").and_then(|rest| rest.split('`').next()) {
        let known: Vec<&str> = quoted(message).skip(1).collect();
        return unknown("word", name, &known);
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return Worded { missing_key: true, ..plain(format!("the key `{name}` is missing here"), None) };
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        let unquoted = found
            .split_once('`')
            .and_then(|(kind, rest)| Some((kind.trim(), rest.strip_suffix('`')?)))
            .filter(|(kind, _)| matches!(*kind, "integer" | "floating point" | "boolean"));
        let help = unquoted
            .filter(|_| expected.contains("string") || expected.contains("text") || expected.contains("UUID"))
            .map(|_| "put it in quotes: without them YAML reads a number or a truth value".to_owned());
        return plain(format!("expected {expected}, found {found}"), help);
    }
    plain(message.to_owned(), None)
}

/// A word that is not known, where these are.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Worded {
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", known.join(", "))),
    };
    plain(format!("the {what} `{name}` is not known here"), help)
}

fn plain(message: String, help: Option<String>) -> Worded {
    Worded { message, help, unknown_key: None, missing_key: false }
}

/// What stands between backquotes.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}
