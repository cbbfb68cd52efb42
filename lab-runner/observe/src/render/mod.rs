//! Observations as text: one JSON object a line for scripts; a table, and the story of one flow, for people.
//!
//! Only writes what records hold, which is printable ASCII; a caller's file name is escaped here.

mod endpoints;
mod ends;
mod explanation;
mod json;
mod phrases;
mod style;
mod text;
mod words;

pub use explanation::render_explanation;
pub use json::{JsonLines, JsonStretch, render_json, render_json_flows, render_json_summary};
pub use style::Style;
pub use text::{Table, render_text};
