//! Why a flow is called what it is called, frame by frame, for people.

use std::io::{self, Write};

use super::Style;
use super::words;
use crate::explain::Explanation;
use crate::record::{FlowRecord, NameKind, State};

/// Writes the frames that told something, and what follows from them.
///
/// # Errors
/// What `out` reports.
pub fn render_explanation(explained: &Explanation, style: Style, out: &mut impl Write) -> io::Result<()> {
    let flow = &explained.flow;
    let mut title = format!("flow {}: ", flow.flow);
    words::push_end(&mut title, flow.l4, flow.client);
    title.push_str(" -> ");
    words::push_end(&mut title, flow.l4, flow.server);
    title.push_str("  ");
    words::push_over(&mut title, flow);
    writeln!(out, "{}", style.bold(&title))?;
    let width = explained.notes.last().map_or(1, |note| note.frame.to_string().len());
    for note in &explained.notes {
        let mut after = String::new();
        match note.ts_ns {
            Some(ts_ns) => words::push_after(&mut after, ts_ns.saturating_sub(flow.first_ns)),
            None => after.push_str("before"),
        }
        let place = format!("frame {:>width$}  {after:>10}", note.frame);
        writeln!(out, "  {}  {}", style.dim(&place), note.text)?;
    }
    if explained.more {
        writeln!(out, "  and more of the same kinds")?;
    }
    let verdict = format!("{}: {}", words::state(flow), because(flow));
    writeln!(out, "{}", style.paint(words::colour(words::rank(flow)), &verdict))?;
    for doubt in doubts(flow) {
        writeln!(out, "  {}", style.paint("33", &doubt))?;
    }
    Ok(())
}

/// What makes the flow's state follow from its evidence.
fn because(flow: &FlowRecord) -> String {
    let dns = |name: &str| {
        let gave = |known: &&crate::record::Name| known.kind == NameKind::Dns && known.name == name;
        flow.names.iter().find(gave).map(|known| known.frame)
    };
    match (flow.state, flow.best_name(), flow.reason) {
        (State::Named, Some(name), _) => match (flow.corroborated, dns(name)) {
            (true, Some(frame)) => {
                let asserts = flow.names.iter().any(|known| known.kind.is_asserted() && known.name == name);
                let who = if asserts { "the client asserts it, and " } else { "" };
                format!("{name}; {who}the answer in frame {frame} gave this client this address for it")
            }
            (true, None) => {
                format!("{name}; a CNAME on the way of an answer that gave this client this address")
            }
            (false, _) => {
                format!("{name}; only the client asserts it: no answer gave this client this address for it")
            }
        },
        (_, _, Some(reason)) => words::reason(reason).to_owned(),
        _ => "nothing tells".to_owned(),
    }
}

fn doubts(flow: &FlowRecord) -> Vec<String> {
    let mut doubts: Vec<String> =
        flow.disagreement.iter().map(|disagreement| words::disagreement(*disagreement).to_owned()).collect();
    if flow.unread {
        doubts
            .push("something in it can't be read, so that it may carry more than its names tell".to_owned());
    }
    if flow.guessed {
        doubts.push(format!("that it is {} is a guess", flow.app));
    }
    doubts
}
