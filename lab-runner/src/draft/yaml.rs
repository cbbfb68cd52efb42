//! Proposals as a manifest or an ambient profile: what is declared as YAML, what is suspicious as comments.
//!
//! Every name from the wire is written as a JSON string, which YAML reads as it stands, and every comment is printable.

use std::fmt::Write;

use super::{Accepted, Draft, Proposal};
use crate::judge::printable;
use crate::manifest::{Evidence, OpenedBy, Peer, PortRange, Talker, Transport};
use crate::plan::Product;

/// Names that a comment shows.
const SHOWN: usize = 6;

/// How the file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A manifest of this product; `None` is for a person to fill in.
    Manifest(Option<Product>),
    /// An ambient profile with this id.
    Ambient(String),
}

/// Writes the file.
pub fn render(draft: &Draft, head: &Head, accepted: &Accepted) -> String {
    let mut text = String::new();
    let runs = draft.runs.len();
    let of = if runs == 1 { "one run".to_owned() } else { format!("{runs} runs") };
    line(
        &mut text,
        0,
        &format!("# Drafted from {of}: a proposal. Read every line of it before you declare it."),
    );
    for name in &draft.runs {
        line(&mut text, 0, &format!("#   {}", printable(name)));
    }
    if runs == 1 {
        line(&mut text, 0, "# One run can't show what varies: draft from several to have names generalised.");
    }
    if draft.left_out > 0 {
        let said = format!(
            "# {} flows are left out: nothing tells who talks, or there are no words for them.",
            draft.left_out
        );
        line(&mut text, 0, &said);
    }
    line(&mut text, 0, "format: 1");
    match head {
        Head::Manifest(Some(Product { vendor, model })) => {
            line(&mut text, 0, &format!("product: {{vendor: {}, model: {}}}", quoted(vendor), quoted(model)));
        }
        Head::Manifest(None) => {
            line(&mut text, 0, "product: {vendor: unknown, model: unknown} # fill in");
        }
        Head::Ambient(id) => {
            line(&mut text, 0, &format!("ambient: {{id: {}, version: \"1\"}}", quoted(id)));
        }
    }
    let (declared, suspicious): (Vec<&Proposal>, Vec<&Proposal>) =
        draft.proposals.iter().partition(|proposal| accepted.admits(proposal));
    line(&mut text, 0, if declared.is_empty() { "endpoints: []" } else { "endpoints:" });
    for proposal in declared {
        text.push('\n');
        declaration(&mut text, draft, proposal, head, "");
    }
    if !suspicious.is_empty() {
        text.push('\n');
        line(
            &mut text,
            0,
            "# SUSPICIOUS, so not declared. What is meant to be is declared with `--accept ID`, or by hand.",
        );
        for proposal in suspicious {
            line(&mut text, 0, "#");
            declaration(&mut text, draft, proposal, head, "# ");
        }
    }
    text
}

fn declaration(text: &mut String, draft: &Draft, proposal: &Proposal, head: &Head, prefix: &str) {
    let mut put = |indent: usize, what: &str| {
        text.push_str(prefix);
        line(text, indent, what);
    };
    for reason in &proposal.suspicions {
        put(2, &format!("# SUSPICIOUS: {}", printable(reason)));
    }
    for mark in &proposal.marks {
        put(2, &format!("# LOOK: {}", printable(mark)));
    }
    put(2, &format!("# {}", seen(draft, proposal)));
    put(2, &format!("- id: {}", proposal.id));
    if matches!(head, Head::Manifest(_)) {
        put(4, &format!("talker: {}", proposal.talker.word()));
    } else if proposal.talker != Talker::Os {
        put(4, &format!("# it was the {} that talked", proposal.talker.word()));
    }
    let (key, peer) = proposal.peer.key_and_value();
    let peer = if matches!(proposal.peer, Peer::Class(_)) { peer } else { quoted(&peer) };
    put(4, &format!("{key}: {peer}"));
    if proposal.opened_by == OpenedBy::Peer {
        put(4, "opened-by: peer");
    }
    if proposal.transport != Transport::Tcp {
        put(4, &format!("transport: {}", proposal.transport.word()));
    }
    if !proposal.ports.is_empty() {
        let limit = " # only asked for: this admits the question, and no connection";
        let limit = if proposal.only_asked { limit } else { "" };
        put(4, &format!("ports: {}{limit}", ports(&proposal.ports)));
    }
    if let Some(protocol) = &proposal.protocol {
        put(4, &format!("protocol: {}", quoted(protocol)));
    }
    if proposal.encrypted && proposal.transport != Transport::Icmp {
        put(4, "encryption: required");
    }
    if let (true, Evidence::Dns | Evidence::Sni) = (proposal.peer.is_named(), proposal.evidence) {
        let reason = match proposal.evidence {
            Evidence::Dns => "its flows assert no name",
            _ => "no look-up gave its address",
        };
        put(4, &format!("evidence: {} # {reason}", proposal.evidence.word()));
    }
    let phases: Vec<String> = proposal
        .phases
        .iter()
        .filter(|phase| *phase != crate::captured::PHASE)
        .map(|phase| quoted(phase))
        .collect();
    if !phases.is_empty() {
        put(4, &format!("phases: [{}]", phases.join(", ")));
    }
    match &proposal.guess {
        Some(guess) => {
            put(4, &format!("purpose: {} # a guess: {}", guess.purpose.word(), printable(&guess.reason)))
        }
        None => put(4, "# purpose: nothing tells; fill in"),
    }
}

/// What a declaration was made from, in a line.
fn seen(draft: &Draft, proposal: &Proposal) -> String {
    let seen = &proposal.seen;
    let what = if proposal.only_asked { "question" } else { "flow" };
    let several = if seen.count == 1 { "" } else { "s" };
    let (run, frame) = seen.first;
    let first = draft.runs.get(run).map_or("", String::as_str);
    let mut text = format!(
        "seen in {}/{} runs, {} {what}{several}, first in frame {frame} of {}",
        seen.runs.len(),
        draft.runs.len(),
        seen.count,
        printable(first)
    );
    if seen.names.len() > 1 || !matches!(proposal.peer, Peer::Host(_)) {
        let shown: Vec<String> = seen.names.iter().take(SHOWN).map(|name| printable(name)).collect();
        let more = seen.names.len().saturating_sub(SHOWN);
        if !shown.is_empty() {
            let _ = write!(text, ": {}", shown.join(" "));
        }
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
    }
    text
}

fn ports(ports: &[PortRange]) -> String {
    let one = |ports: &PortRange| {
        if ports.first == ports.last { ports.first.to_string() } else { format!("\"{ports}\"") }
    };
    match ports {
        [only] => one(only),
        several => format!("[{}]", several.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

/// JSON's strings are YAML's (YAML 1.2.2 section 1.3).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn line(text: &mut String, indent: usize, what: &str) {
    text.extend(std::iter::repeat_n(' ', indent));
    text.push_str(what);
    text.push('\n');
}
