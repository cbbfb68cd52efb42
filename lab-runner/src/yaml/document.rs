//! A file as values and places side by side: `Entry` walks both at once.

use std::rc::Rc;

use serde_yaml::Value;

use super::tree::{self, Node, Shape};
use super::{Diagnostic, Position, Problems, Source};

/// A file whose bytes, shape and values were read. What it means is not known here.
#[derive(Debug)]
pub struct Document {
    source: Source,
    tree: Rc<Node>,
    value: Value,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that makes it no YAML file that the lab reads.
    pub fn read(file: &std::path::Path) -> Result<Document, Problems> {
        Document::parse(Source::read(file)?)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Everything that makes it no YAML file that the lab reads.
    pub fn parse(source: Source) -> Result<Document, Problems> {
        let tree = tree::read(&source).map_err(Problems)?;
        let value = serde_yaml::from_str(&source.text).map_err(|error| {
            let message = format!("this is not YAML: {error}");
            match error.location() {
                Some(place) => {
                    let at = Position { line: place.line() as u32, column: place.column() as u32 };
                    Diagnostic::error(&source.file, &source.text, at, message)
                }
                None => Diagnostic::whole_file(&source.file, message),
            }
        })?;
        Ok(Document { source, tree, value })
    }

    /// The file and its text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The file and its text, to keep.
    pub fn into_source(self) -> Source {
        self.source
    }

    /// The outermost value.
    pub fn root(&self) -> Entry<'_> {
        Entry { node: &self.tree, value: &self.value, key_at: self.tree.at }
    }

    /// The outermost mapping's keys; none where it is no mapping.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.tree.shape {
            Shape::Mapping(fields) => fields.as_slice(),
            _ => &[],
        };
        fields.iter().map(|field| field.key.as_str())
    }
}

/// A value with its place.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'d> {
    pub(super) node: &'d Node,
    pub(super) value: &'d Value,
    pub(super) key_at: Position,
}

impl<'d> Entry<'d> {
    /// Where the value starts.
    pub fn at(self) -> Position {
        self.node.at
    }

    /// Where its key starts; the value's own place for what has none.
    pub fn key_at(self) -> Position {
        self.key_at
    }

    /// The value.
    pub fn value(self) -> &'d Value {
        self.value
    }

    /// The value, if it is text.
    pub fn text(self) -> Option<&'d str> {
        self.value.as_str()
    }

    /// A mapping's parts in the order of the file.
    pub fn mapping(self) -> Option<Vec<(&'d str, Entry<'d>)>> {
        // Both readers keep the file's order, and duplicates were refused: the parts go by pairs.
        let (Shape::Mapping(fields), Value::Mapping(values)) = (&self.node.shape, self.value) else {
            return None;
        };
        let pairs = fields.iter().zip(values.values());
        Some(
            pairs
                .map(|(field, value)| {
                    (field.key.as_str(), Entry { node: &field.node, value, key_at: field.key_at })
                })
                .collect(),
        )
    }

    /// A sequence's parts.
    pub fn sequence(self) -> Option<Vec<Entry<'d>>> {
        let (Shape::Sequence(nodes), Value::Sequence(values)) = (&self.node.shape, self.value) else {
            return None;
        };
        let pairs = nodes.iter().zip(values);
        Some(pairs.map(|(node, value)| Entry { node, value, key_at: node.at }).collect())
    }

    /// A mapping's part by its key.
    pub fn get(self, key: &str) -> Option<Entry<'d>> {
        self.mapping()?.into_iter().find(|(name, _)| *name == key).map(|(_, entry)| entry)
    }
}
