//! Why a command did not succeed, sorted by whose fault it is.

use serde::{Deserialize, Serialize};

/// Whose fault it is; this alone decides what it does to the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The product did not do what the plan expects: the run fails.
    Product,
    /// The bench broke: the run says nothing about the product.
    Bench,
    /// Something was not seen that had to be: the run is inconclusive.
    Doubt,
}

/// A fault, told so that a person knows what happened and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Whose fault.
    pub kind: FaultKind,
    /// A stable word in kebab case (`probe-unreachable`), for scripts and tests.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Fault {
    /// A fault of the product.
    pub fn product(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Product, code, message)
    }

    /// A fault of the bench.
    pub fn bench(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Bench, code, message)
    }

    /// Something that had to be seen was not.
    pub fn doubt(code: &str, message: impl Into<String>) -> Self {
        Self::new(FaultKind::Doubt, code, message)
    }

    fn new(kind: FaultKind, code: &str, message: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), help: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
