//! Reports: a verdict for people. They only read; they never decide, and whatever they show is escaped.

mod style;
mod table;
mod text;

pub use style::Style;
pub use text::{render, render_snapshot};
