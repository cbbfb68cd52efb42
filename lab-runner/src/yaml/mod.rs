//! The one way in which the lab's YAML files are read: bounded, with the place of everything in them.
//!
//! It knows nothing of plans, manifests or benches.

use serde::Serialize;

/// A place in a file; both numbers count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}
