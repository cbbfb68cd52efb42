//! What an export couldn't say in the other format, declaration by declaration.

use std::fmt;

use super::seed_yaml::harmless;
use crate::manifest::Declaration;
use crate::yaml::Position;

/// Something that a manifest says and the other format can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where the manifest says it; `None`: about the whole manifest.
    pub at: Option<Position>,
    /// The declaration's id; empty: about the whole manifest.
    pub id: String,
    /// What is lost, and why.
    pub what: String,
}

impl Loss {
    /// A loss of one declaration.
    pub fn of(declaration: &Declaration, what: impl Into<String>) -> Loss {
        Loss { at: Some(declaration.at), id: declaration.id.clone(), what: what.into() }
    }

    /// A loss of the whole manifest.
    pub fn of_all(what: impl Into<String>) -> Loss {
        Loss { at: None, id: String::new(), what: what.into() }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{}:{}: ", at.line, at.column)?;
        }
        if !self.id.is_empty() {
            write!(f, "`{}`: ", self.id)?;
        }
        f.write_str(&harmless(&self.what))
    }
}
