//! The one way in which the lab's YAML files are read: bounded, with the place of everything in them.
//!
//! A file goes through four doors: its bytes (`source`), its shape with positions (`tree`), its values (the YAML
//! crate), and its meaning, which each file type reads through `Reading`. Every problem becomes a `Diagnostic`,
//! and as many as possible are told at once. It knows nothing of plans, manifests or benches.

mod diagnostic;
mod document;
mod near;
mod reading;
mod schema;
mod source;
mod tree;
mod wording;

use serde::Serialize;

pub use diagnostic::{Diagnostic, Problems, Severity};
pub use document::{Document, Entry};
pub use near::nearest;
pub use reading::{Fields, Reading};
pub use schema::json_schema;
pub use source::Source;

/// The largest file that is read, in bytes. A manifest of 10,000 declarations has about 2 MiB.
pub const LARGEST_FILE: u64 = 4 << 20;
/// The most nodes that a file may have once its aliases are expanded.
pub const MOST_NODES: usize = 200_000;
/// The most commas, colons, open brackets and line ends of a file: counted before anything is parsed, since each of
/// them may cost a node. Four a node leave room for long text and comments.
pub const MOST_MARKS: usize = 4 * MOST_NODES;
/// The deepest nesting, aliases expanded. The files that the lab reads need eight levels.
pub const DEEPEST: usize = 64;

/// A place in a file; both numbers count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}
