//! Observations as text: one JSON object a line for scripts, and a table for people.
//!
//! Only writes what records hold, which is printable ASCII; a caller's file name is escaped here.

mod json;
mod text;

pub use json::{JsonLines, render_json, render_json_flows, render_json_summary};
pub use text::{Style, render_text};
