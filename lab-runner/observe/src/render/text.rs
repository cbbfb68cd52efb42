//! The table for people: endpoints grouped by the host that opened flows to them, those with the widest evidence first.

use std::io::{self, Write};

use super::endpoints::{Client, Endpoint, Endpoints};
use super::ends::Written;
use super::phrases::Phrases;
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
/// Kinds of frames without IP that are told apart.
const KINDS: usize = 6;

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
        let (clients, phrases) = self.endpoints.sorted();
        let mut line = String::new();
        for client in &clients {
            of_client(client, &phrases, begun_ns, style, &mut line, out)?;
        }
        of_capture(summary, style, out)
    }
}

fn of_client(
    client: &Client,
    phrases: &Phrases,
    begun_ns: u64,
    style: Style,
    line: &mut String,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(b"\n")?;
    line.clear();
    style.push("1", Written::address(client.address).as_str(), line);
    if let Some(mac) = client.mac() {
        line.push_str("  ");
        style.push("2", &mac.to_string(), line);
    }
    line.push('\n');
    out.write_all(line.as_bytes())?;
    let mut figures = Figures::default();
    for endpoint in &client.endpoints {
        figures.add(endpoint, begun_ns);
    }
    let rows = || {
        client.endpoints.iter().enumerate().map(|(row, endpoint)| {
            let [flows, sent, received, first] = figures.row(row);
            (endpoint, [endpoint.name(), endpoint.over(phrases), flows, sent, received, first])
        })
    };
    let mut widths = HEADINGS.map(str::len);
    for (_, cells) in rows() {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    align(line, HEADINGS, widths);
    writeln!(out, "{}  {}", style.dim(line), style.dim(LAST))?;
    for (endpoint, cells) in rows() {
        align(line, cells, widths);
        line.push_str("  ");
        style.push(words::colour(endpoint.rank), &endpoint.evidence(phrases), line);
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// The cells with figures of a client's rows: one text, and where each row's cells end in it.
#[derive(Default)]
struct Figures {
    text: String,
    ends: Vec<[usize; 4]>,
}

impl Figures {
    fn add(&mut self, endpoint: &Endpoint, begun_ns: u64) {
        let Self { text, ends } = self;
        match endpoint.flows {
            1 => {
                text.push('#');
                text.push_str(itoa::Buffer::new().format(endpoint.first));
            }
            several => text.push_str(itoa::Buffer::new().format(several)),
        }
        let flows = text.len();
        let bytes = endpoint.bytes.map(|bytes| {
            words::push_bytes(text, bytes);
            text.len()
        });
        words::push_after(text, endpoint.first_ns.saturating_sub(begun_ns));
        ends.push([flows, bytes[0], bytes[1], text.len()]);
    }

    /// Flows, bytes sent and received, and when it began.
    fn row(&self, row: usize) -> [&str; 4] {
        let mut from = match row {
            0 => 0,
            row => self.ends[row - 1][3],
        };
        self.ends[row].map(|to| {
            let cell = &self.text[from..to];
            from = to;
            cell
        })
    }
}

/// Puts cells into a line, each behind two blanks and as wide as its column.
fn align(line: &mut String, cells: [&str; 6], widths: [usize; 6]) {
    line.clear();
    for ((cell, width), right) in cells.into_iter().zip(widths).zip(RIGHT) {
        let blanks = width.saturating_sub(cell.len());
        line.push_str("  ");
        if right {
            push_blanks(line, blanks);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            push_blanks(line, blanks);
        }
    }
}

fn push_blanks(line: &mut String, mut count: usize) {
    const BLANKS: &str = "                                ";
    while count > 0 {
        let some = count.min(BLANKS.len());
        line.push_str(&BLANKS[..some]);
        count -= some;
    }
}

/// What the frames without IP are, those first that there are most of.
fn not_ip(summary: &Summary) -> Option<String> {
    let mut kinds: Vec<(&str, u64)> =
        summary.ether_types.iter().map(|(kind, frames)| (kind.as_str(), *frames)).collect();
    kinds.sort_by_key(|(_, frames)| std::cmp::Reverse(*frames));
    let (told, left) = kinds.split_at(kinds.len().min(KINDS));
    let told: Vec<String> =
        told.iter().map(|(kind, frames)| format!("{frames} {}", ether_type(kind))).collect();
    let left: u64 = left.iter().map(|(_, frames)| frames).sum();
    let others = if left > 0 { format!(", {left} others") } else { String::new() };
    (!told.is_empty()).then(|| format!("frames without IP: {}{others}", told.join(", ")))
}

/// An EtherType in words, for those that are met at home (IANA's registry of IEEE 802 numbers).
fn ether_type(kind: &str) -> &str {
    match kind {
        "0x0000" => "without EtherType",
        "0x0806" => "ARP",
        "0x888e" => "EAPOL",
        "0x88cc" => "LLDP",
        "0x88e1" => "HomePlug",
        "0x893a" => "IEEE 1905",
        _ => kind,
    }
}

fn of_capture(summary: &Summary, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut line = format!("{} flows, {} packets, ", summary.flows, summary.packets);
    words::push_bytes(&mut line, summary.bytes);
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
    if let Some(not_ip) = not_ip(summary) {
        writeln!(out, "{}", style.dim(&not_ip))?;
    }
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
