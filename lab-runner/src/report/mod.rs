//! Reports: a verdict for people. They only read; they never decide, and whatever they show is escaped.

mod paint;
mod table;
mod text;

pub use paint::Paint;
pub use text::{render, render_snapshot};
