//! Reports: a verdict for people. They only read; they never decide, and whatever they show is escaped.

mod style;
mod table;
mod text;
mod why;

pub use style::Style;
pub use text::{render, render_snapshot};
pub use why::{findings_called, render_why};
