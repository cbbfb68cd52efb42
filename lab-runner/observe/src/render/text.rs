//! The table for people: endpoints grouped by the host that opened flows to them, those with the widest evidence first.

use std::io::{self, Write};

use super::endpoints::{Client, Endpoint, Endpoints};
use super::{Style, words};
use crate::escape;
use crate::record::{FlowRecord, Observation, Summary};

const HEADINGS: [&str; 6] = ["endpoint", "over", "flows", "sent", "received", "first"];
/// The last column, which ends where it ends.
const LAST: &str = "evidence";
/// Columns of numbers, which end at the same place.
const RIGHT: [bool; 6] = [false, false, true, true, true, true];
/// Frames that are shown of those that were odd.
const SHOWN: usize = 3;

/// Writes the endpoints of a capture, grouped by client, and its summary.
///
/// # Errors
/// What `out` reports.
pub fn render_text(
    observation: &Observation,
    file: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut table = Table::default();
    for flow in &observation.flows {
        table.add(flow);
    }
    table.write(&observation.summary, file, style, out)
}

/// The endpoints of one capture, out of its flows as they are told.
#[derive(Debug, Default)]
pub struct Table {
    endpoints: Endpoints,
}

impl Table {
    /// Adds a flow; they have to come in their order.
    pub fn add(&mut self, flow: &FlowRecord) {
        self.endpoints.add(flow);
    }

    /// Adds the endpoints of the capture's other flows.
    pub fn merge(&mut self, other: Self) {
        self.endpoints.merge(other.endpoints);
    }

    /// Writes the endpoints, grouped by client, and the capture's summary.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(self, summary: &Summary, file: &str, style: Style, out: &mut impl Write) -> io::Result<()> {
        if !file.is_empty() {
            writeln!(out, "{}", style.bold(&escape::text(file.as_bytes(), 4096)))?;
        }
        let begun_ns = self.endpoints.begun_ns.unwrap_or(0);
        for client in self.endpoints.sorted() {
            of_client(&client, begun_ns, style, out)?;
        }
        of_capture(summary, style, out)
    }
}

fn of_client(client: &Client, begun_ns: u64, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mac = client.mac().map_or(String::new(), |mac| format!("  {mac}"));
    writeln!(out, "\n{}{}", style.bold(&client.address.to_string()), style.dim(&mac))?;
    let rows: Vec<Row<'_>> = client.endpoints.iter().map(|endpoint| Row::of(endpoint, begun_ns)).collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = cell.len().max(*width);
        }
    }
    let mut line = String::new();
    align(&mut line, HEADINGS, widths);
    writeln!(out, "{}  {}", style.dim(&line), style.dim(LAST))?;
    for (endpoint, row) in client.endpoints.iter().zip(&rows) {
        align(&mut line, row.cells(), widths);
        line.push_str("  ");
        line.push_str(&style.paint(words::colour(endpoint.rank), &endpoint.evidence()));
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

struct Row<'a> {
    endpoint: &'a Endpoint,
    flows: String,
    bytes: [String; 2],
    first: String,
}

impl<'a> Row<'a> {
    fn of(endpoint: &'a Endpoint, begun_ns: u64) -> Self {
        let flows = match endpoint.flows {
            1 => format!("#{}", endpoint.first),
            several => several.to_string(),
        };
        let first = words::after(endpoint.first_ns.saturating_sub(begun_ns));
        Self { endpoint, flows, bytes: endpoint.bytes.map(words::bytes), first }
    }

    fn cells(&self) -> [&str; 6] {
        let Self { endpoint, flows, bytes: [sent, received], first } = self;
        [endpoint.name(), endpoint.over(), flows, sent, received, first]
    }
}

/// Puts cells into a line, each behind two blanks and as wide as its column.
fn align(line: &mut String, cells: [&str; 6], widths: [usize; 6]) {
    line.clear();
    for ((cell, width), right) in cells.into_iter().zip(widths).zip(RIGHT) {
        let blanks = std::iter::repeat_n(' ', width.saturating_sub(cell.len()));
        line.push_str("  ");
        if right {
            line.extend(blanks);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            line.extend(blanks);
        }
    }
}

fn of_capture(summary: &Summary, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut line =
        format!("{} flows, {} packets, {}", summary.flows, summary.packets, words::bytes(summary.bytes));
    if summary.unparsed_packets > 0 {
        line.push_str(&format!(", {} packets not understood", summary.unparsed_packets));
    }
    if let Some(drops) = summary.drops.filter(|drops| *drops > 0) {
        line.push_str(&format!(", {drops} packets dropped while capturing"));
    }
    let given_up = summary.flows_refused + summary.streams_evicted + summary.names_evicted;
    if given_up > 0 {
        line.push_str(&format!(", {given_up} times a bound was reached"));
    }
    writeln!(out, "\n{}", style.bold(&line))?;
    for (kind, aside) in &summary.aside {
        writeln!(out, "{}", style.dim(&format!("left aside: {kind}, {} frames", aside.frames)))?;
    }
    for (word, count) in &summary.weird {
        let frames = summary.weird_frames.get(word).map_or(&[][..], Vec::as_slice);
        let frames: Vec<String> = frames.iter().take(SHOWN).map(u64::to_string).collect();
        let first = if frames.is_empty() { String::new() } else { format!(" (frame {})", frames.join(", ")) };
        writeln!(out, "{}", style.dim(&format!("odd: {word}, {count} times{first}")))?;
    }
    if let Some(reason) = &summary.cut_reason {
        writeln!(out, "{}", style.paint("31", reason))?;
    }
    Ok(())
}
