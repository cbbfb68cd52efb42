//! The lines that scripts rely on: a flow each, and a summary at the end.

use std::io::{self, Write};

use serde::Serialize;

use crate::record::{Observation, Summary};

/// Writes a line a flow, and a line with the summary.
///
/// # Errors
/// What `out` reports.
pub fn render_json(observation: &Observation, file: &str, out: &mut impl Write) -> io::Result<()> {
    render_json_flows(observation, file, out)?;
    render_json_summary(&observation.summary, out)
}

/// Writes a line a flow; for several captures before one summary.
///
/// # Errors
/// What `out` reports.
pub fn render_json_flows(observation: &Observation, file: &str, out: &mut impl Write) -> io::Result<()> {
    for flow in &observation.flows {
        if file.is_empty() || flow.file == file {
            serde_json::to_writer(&mut *out, flow)?;
        } else {
            let mut flow = flow.clone();
            file.clone_into(&mut flow.file);
            serde_json::to_writer(&mut *out, &flow)?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes the last line.
///
/// # Errors
/// What `out` reports.
pub fn render_json_summary(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        summary: &'a Summary,
    }
    serde_json::to_writer(&mut *out, &Line { summary })?;
    out.write_all(b"\n")
}
