//! Reading a document's meaning: typed values out, every problem with its place kept.
//!
//! A reader takes what it can and goes on after a problem; `finish` then says whether the result may be used.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;

use super::document::Entry;
use super::tree::{Node, Shape};
use super::{Diagnostic, Document, Position, Problems, nearest, wording};

/// The most problems that are kept of one file: nobody reads more, and each costs a walk to its line.
const MOST_PROBLEMS: usize = 200;

/// The problems of one document while it is read.
pub struct Reading<'d> {
    document: &'d Document,
    problems: Vec<Diagnostic>,
    failed: bool,
    /// Keys that an unknown one was probably meant to be, with the place of their mapping: they aren't missing as well.
    meant: Vec<(Position, String)>,
}

/// A mapping's parts by their known keys.
pub type Fields<'d> = BTreeMap<&'static str, Entry<'d>>;

impl<'d> Reading<'d> {
    /// Begins.
    pub fn new(document: &'d Document) -> Reading<'d> {
        Reading { document, problems: Vec::new(), failed: false, meant: Vec::new() }
    }

    /// Notes an error at a place.
    pub fn error(&mut self, at: Position, message: impl Into<String>, help: Option<String>) {
        self.failed = true;
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let source = self.document.source();
        self.problems.push(Diagnostic::error(&source.file, &source.text, at, message).maybe_help(help));
    }

    /// Notes a warning at a place.
    pub fn warning(&mut self, at: Position, message: impl Into<String>, help: Option<String>) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let source = self.document.source();
        self.problems.push(Diagnostic::warning(&source.file, &source.text, at, message).maybe_help(help));
    }

    /// The value, if nothing but warnings was noted.
    ///
    /// # Errors
    /// Every problem in the order of the file.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Diagnostic>), Problems> {
        self.problems.sort_by_key(|problem| problem.at);
        match value {
            Some(value) if !self.failed => Ok((value, self.problems)),
            _ => Err(Problems(self.problems)),
        }
    }

    /// Whether the file's `format` is one that this lab reads. Where it is not, nothing else is worth a word.
    pub fn format(&mut self, newest: u64) -> bool {
        let root = self.document.root();
        let Some(entry) = root.get("format") else {
            let help = format!("write `format: {newest}` in its first line");
            self.error(
                root.at(),
                "the key `format` is missing: it says how the file is to be read",
                Some(help),
            );
            return true;
        };
        match entry.value().as_u64() {
            Some(format) if format == newest => true,
            Some(format) if format > newest => {
                let message = format!("format {format} is newer than this lab understands ({newest})");
                self.error(entry.at(), message, Some("update lab".to_owned()));
                false
            }
            _ => {
                let help = Some(format!("write `format: {newest}`"));
                self.error(entry.at(), "this is no format that ever was", help);
                true
            }
        }
    }

    /// A mapping's parts; keys that are not known are noted with what was probably meant.
    pub fn fields(&mut self, entry: Entry<'d>, what: &str, known: &[&'static str]) -> Option<Fields<'d>> {
        let Some(parts) = entry.mapping() else {
            self.error(entry.at(), format!("expected {what}, a mapping of keys to values"), None);
            return None;
        };
        let mut fields = Fields::new();
        for (key, part) in parts {
            match known.iter().find(|name| **name == key) {
                Some(name) => {
                    fields.insert(name, part);
                }
                None => {
                    self.unknown("key", key, part.key_at(), known);
                    if let Some(near) = nearest(key, known.iter().copied()) {
                        self.meant.push((entry.at(), near.to_owned()));
                    }
                }
            }
        }
        Some(fields)
    }

    /// Notes a word that is not known, with what was probably meant.
    pub fn unknown(&mut self, what: &str, name: &str, at: Position, known: &[&str]) {
        let worded = wording::unknown(what, name, known);
        self.error(at, worded.message, worded.help);
    }

    /// A part that must be there; `whole` is what it is missing from.
    pub fn required<T: DeserializeOwned>(
        &mut self,
        whole: Entry<'d>,
        fields: &Fields<'d>,
        key: &str,
    ) -> Option<T> {
        match fields.get(key) {
            Some(entry) => self.decode(*entry),
            None => {
                if !self.meant.iter().any(|(at, meant)| *at == whole.at() && meant == key) {
                    self.error(whole.at(), format!("the key `{key}` is missing here"), None);
                }
                None
            }
        }
    }

    /// A part that may be there. The outer `None` says that it is there and wrong.
    pub fn optional<T: DeserializeOwned>(&mut self, fields: &Fields<'d>, key: &str) -> Option<Option<T>> {
        match fields.get(key) {
            Some(entry) => self.decode(*entry).map(Some),
            None => Some(None),
        }
    }

    /// A value as a type. Every unknown key in it is noted, and the first other problem.
    pub fn decode<T: DeserializeOwned>(&mut self, entry: Entry<'d>) -> Option<T> {
        self.decode_value(entry, entry.value().clone())
    }

    /// The same, with one key left out: one that was read already.
    pub fn decode_without<T: DeserializeOwned>(&mut self, entry: Entry<'d>, key: &str) -> Option<T> {
        let mut value = entry.value().clone();
        remove(&mut value, &[], key);
        self.decode_value(entry, value)
    }

    fn decode_value<T: DeserializeOwned>(&mut self, entry: Entry<'d>, mut value: Value) -> Option<T> {
        // A type that may be missing would take "nothing" for missing, and a rule with a forgotten value would be none.
        if let Some(at) = first_null(entry) {
            self.error(at, "nothing stands here: write a value, or remove the key", None);
            return None;
        }
        let mut unknown_keys = 0;
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
                Ok(typed) if unknown_keys == 0 => return Some(typed),
                Ok(_) => return None,
                Err(error) => error,
            };
            let path: Vec<Segment> = error.path().iter().cloned().collect();
            let worded = wording::word(&error.inner().to_string());
            if worded.missing_key && unknown_keys > 0 {
                // Most likely the unknown one was meant to be it.
                return None;
            }
            let at = place(entry, &path, worded.unknown_key.is_some());
            self.error(at, worded.message, worded.help);
            // Go on without the unknown key, so that all of them are told at once.
            let removed = worded.unknown_key.is_some_and(|key| remove(&mut value, &path, &key));
            unknown_keys += 1;
            if !removed || unknown_keys > 50 {
                return None;
            }
        }
    }
}

/// Where a key or an item has no value.
fn first_null(entry: Entry<'_>) -> Option<Position> {
    if entry.value().is_null() {
        return Some(entry.key_at());
    }
    let parts = entry.mapping().map(|parts| parts.into_iter().map(|(_, part)| part).collect());
    parts.or_else(|| entry.sequence()).into_iter().flatten().find_map(first_null)
}

/// Where a path leads: to the value, or to its key. As far as the file goes along with it.
fn place(entry: Entry<'_>, path: &[Segment], to_key: bool) -> Position {
    let mut node: &Node = entry.node;
    let mut at = node.at;
    for segment in path {
        let next = match (segment, &node.shape) {
            (Segment::Seq { index }, Shape::Sequence(items)) => {
                items.get(*index).map(|item| (&**item, item.at))
            }
            (Segment::Map { key } | Segment::Enum { variant: key }, Shape::Mapping(fields)) => fields
                .iter()
                .find(|field| field.key == *key)
                .map(|field| (&*field.node, if to_key { field.key_at } else { field.node.at })),
            _ => None,
        };
        let Some((inner, inner_at)) = next else { break };
        (node, at) = (inner, inner_at);
    }
    at
}

/// Removes the key that the path ends with.
fn remove(value: &mut Value, path: &[Segment], key: &str) -> bool {
    let mut holder = value;
    let parents = match path.split_last() {
        Some((Segment::Map { key: last }, parents)) if last == key => parents,
        _ => path,
    };
    for segment in parents {
        let next = match segment {
            Segment::Seq { index } => holder.get_mut(*index),
            Segment::Map { key } | Segment::Enum { variant: key } => holder.get_mut(key.as_str()),
            Segment::Unknown => None,
        };
        let Some(inner) = next else { return false };
        holder = inner;
    }
    holder.as_mapping_mut().is_some_and(|mapping| mapping.shift_remove(key).is_some())
}
