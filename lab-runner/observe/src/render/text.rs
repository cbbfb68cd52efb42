//! The table for people: flows grouped by the host that opened them, those with a name first.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::escape;
use crate::record::{FlowRecord, NameKind, Observation, Reason, State, Summary};

/// How the table looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Letters only: for pipes and files.
    #[default]
    Plain,
    /// With colours, for terminals.
    Colour,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// Writes the flows of a capture, grouped by client, and its summary.
///
/// # Errors
/// What `out` reports.
pub fn render_text(
    observation: &Observation,
    file: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let start = observation.flows.iter().map(|flow| flow.first_ns).min().unwrap_or(0);
    let mut clients: BTreeMap<IpAddr, Vec<&FlowRecord>> = BTreeMap::new();
    for flow in &observation.flows {
        clients.entry(flow.client.ip()).or_default().push(flow);
    }
    if !file.is_empty() {
        writeln!(out, "{}", style.bold(&escape::text(file.as_bytes(), 4096)))?;
    }
    for (client, mut flows) in clients {
        let mac =
            flows.iter().find_map(|flow| flow.client_mac).map_or(String::new(), |mac| format!("  {mac}"));
        writeln!(out, "\n{}{}", style.bold(&client.to_string()), style.dim(&mac))?;
        flows.sort_by_key(|flow| (rank(flow), flow.flow));
        let rows: Vec<[String; 6]> = flows.iter().map(|flow| row(flow, start)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        for (flow, row) in flows.iter().zip(&rows) {
            let [time, server, app, packets, bytes, what] = row;
            let [time_w, server_w, app_w, packets_w, bytes_w, _] = widths;
            let time = style.dim(&format!("{time:>time_w$}"));
            let what = style.paint(colour(flow), what);
            writeln!(
                out,
                "  {time}  {server:server_w$}  {app:app_w$}  {packets:>packets_w$}  {bytes:>bytes_w$}  {what}"
            )?;
        }
    }
    summary(&observation.summary, style, out)
}

/// Named first, then what is only asserted, then what needs a look.
fn rank(flow: &FlowRecord) -> u8 {
    match (flow.state, flow.corroborated, flow.reason) {
        (State::Named, true, _) => 0,
        (State::Named, false, _) => 1,
        (State::Ambiguous, ..) => 2,
        (State::Unresolved, _, Some(Reason::Local)) => 5,
        (State::Unresolved, _, Some(Reason::Resolver)) => 4,
        (State::Unresolved, ..) => 3,
    }
}

fn colour(flow: &FlowRecord) -> &'static str {
    match rank(flow) {
        0 => "32",
        1 | 2 => "33",
        3 => "31",
        _ => "2",
    }
}

fn row(flow: &FlowRecord, start: u64) -> [String; 6] {
    let seconds = flow.first_ns.saturating_sub(start) as f64 / 1e9;
    let server = match flow.server.port() {
        0 => flow.server.ip().to_string(),
        _ => flow.server.to_string(),
    };
    let app = if flow.app == "unknown" || flow.app == flow.l4.to_string() {
        flow.l4.to_string()
    } else {
        format!("{}/{}", flow.l4, flow.app)
    };
    [
        format!("+{seconds:.3}s"),
        server,
        app,
        format!("{}>{}<", flow.packets[0], flow.packets[1]),
        format!("{}>{}<", bytes(flow.bytes[0]), bytes(flow.bytes[1])),
        what(flow),
    ]
}

/// Who it is, or why nobody can tell.
fn what(flow: &FlowRecord) -> String {
    let asked: Vec<&str> = flow.names_of(NameKind::DnsQuery).collect();
    let mut words = match (flow.state, flow.reason) {
        (State::Named, _) => {
            let name = flow.best_name().unwrap_or("?");
            let kinds: Vec<&str> = flow
                .names
                .iter()
                .filter(|evidence| evidence.name == name || evidence.chain.iter().any(|alias| alias == name))
                .map(|evidence| evidence.kind.as_str())
                .collect();
            let doubt = if flow.corroborated { "" } else { ", uncorroborated" };
            format!("{name} ({}{doubt})", kinds.join(" + "))
        }
        (State::Ambiguous, _) => {
            let names: Vec<&str> = flow.names_of(NameKind::Dns).collect();
            format!("ambiguous: {}", names.join(" or "))
        }
        (State::Unresolved, Some(Reason::Resolver)) => format!("asks for {}", list(&asked)),
        (State::Unresolved, reason) => match reason.map(explain) {
            Some(reason) => format!("no name: {reason}"),
            None => "no name".to_owned(),
        },
    };
    if !flow.answered && !flow.link_control {
        words.push_str(", no answer");
    }
    if flow.unread {
        words.push_str(", not all of it can be read");
    }
    words
}

fn list(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    match names {
        [] => "nothing that could be read".to_owned(),
        names if names.len() <= SHOWN => names.join(", "),
        names => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::NeverQueried => "address never looked up",
        Reason::NoDnsSeen => "no look-up of this client was seen before",
        Reason::BeforeCapture => "open before the capture began",
        Reason::HiddenDns => "look-ups are encrypted",
        Reason::Ech => "name hidden (ECH)",
        Reason::Loss => "the bytes that would tell are missing",
        Reason::Local => "stays on the link",
        Reason::Resolver => "a resolver",
        Reason::SeveralNames => "several names",
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

fn summary(summary: &Summary, style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut line = format!("{} flows, {} packets, {}", summary.flows, summary.packets, bytes(summary.bytes));
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
    if let Some(reason) = &summary.cut_reason {
        writeln!(out, "{}", style.paint("31", reason))?;
    }
    Ok(())
}
