//! A declaration that a person can paste, for what nothing declares. It proposes and decides nothing: what it is for, who
//! gets the data and whether it should be at all is for people to say.

use std::collections::{BTreeSet, HashSet};

use lab_observe::FlowRecord;

use super::admit::{protection, transport};
use super::identity::Server;
use super::verdict::Protection;
use crate::manifest::{Evidence, Manifest, Transport};
use crate::observation::{AttributedFlow, Role};

/// Where in the manifest's text a new declaration goes, and which ids it can't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'m> {
    /// The line, from 1, before which it goes.
    pub(super) line: usize,
    /// Blanks before its dash.
    indent: usize,
    taken: HashSet<&'m str>,
}

impl<'m> Place<'m> {
    /// After the last declaration; under the key `endpoints` where there is none.
    pub(super) fn of(manifest: &'m Manifest) -> Self {
        let taken = manifest.endpoints.iter().map(|declaration| declaration.id.as_str()).collect();
        let lines: Vec<&str> = manifest.source.lines().collect();
        let blanks = |line: &str| line.len() - line.trim_start().len();
        let Some(last) = manifest.endpoints.last() else {
            let at = lines.iter().position(|line| line.starts_with("endpoints"));
            return Self { line: at.map_or(lines.len(), |at| at + 1) + 1, indent: 2, taken };
        };
        let first = (last.at.line as usize).saturating_sub(1);
        let indent = lines.get(first).map_or(2, |line| blanks(line));
        // It ends before the next line that stands no further in, and blank lines and comments after it aren't its own.
        let rest = lines.iter().enumerate().skip(first + 1);
        let is_text = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let own = rest.take_while(|(_, line)| !is_text(line) || blanks(line) > indent);
        let end = own.filter(|(_, line)| is_text(line)).map(|(at, _)| at).last().unwrap_or(first);
        Self { line: end + 2, indent, taken }
    }
}

/// A declaration for this flow; `None` where nobody could say who talks, or to whom.
pub(super) fn for_flow(place: &Place<'_>, flow: &AttributedFlow<'_>, server: &Server) -> Option<String> {
    let record = flow.record;
    let talker = declared_talker(flow.talker.role)?;
    let (peer, evidence) = peer(server)?;
    let transport = transport(record)?;
    let port = record.server.port();
    let what = if transport == Transport::Icmp { transport.word().to_owned() } else { port.to_string() };
    let mut lines = vec![
        format!("- id: {}", id(place, &[talker, &peer.1, &what])),
        format!("  talker: {talker}"),
        format!("  {}: {}", peer.0, scalar(&peer.1)),
    ];
    if transport != Transport::Tcp {
        lines.push(format!("  transport: {}", transport.word()));
    }
    if transport != Transport::Icmp {
        lines.push(format!("  ports: {port}"));
    }
    if let Some(protocol) = protocol(record) {
        lines.push(format!("  protocol: {protocol}"));
    }
    if protection(record) == Protection::Encrypted {
        lines.push("  encryption: required".into());
    }
    lines.extend(evidence.map(str::to_owned));
    lines.push(format!("  phases: [{}]", scalar(&flow.phase)));
    lines.push("  # purpose: say what it is for; without an answer it is better not declared".into());
    Some(indented(place, &lines))
}

/// A declaration for a name that was only looked up.
pub(super) fn for_look_up(place: &Place<'_>, flow: &AttributedFlow<'_>, name: &str) -> Option<String> {
    let talker = declared_talker(flow.talker.role)?;
    let name = crate::manifest::canonical_host(name).ok()?;
    let lines = [
        format!("- id: {}", id(place, &[talker, &name])),
        format!("  talker: {talker}"),
        format!("  host: {}", scalar(&name)),
        "  ports: 443              # nothing was opened to it: say which port is meant".into(),
        format!("  phases: [{}]", scalar(&flow.phase)),
        "  # purpose: say what it is for; without an answer it is better not declared".into(),
    ];
    Some(indented(place, &lines))
}

fn declared_talker(role: Role) -> Option<&'static str> {
    matches!(role, Role::App | Role::Os | Role::Watch).then(|| role.word())
}

/// The key and the value that name the server, and what has to be said of the evidence.
fn peer(server: &Server) -> Option<((&'static str, String), Option<&'static str>)> {
    let address = || ("cidr", ipnet::IpNet::from(server.address).to_string());
    let (names, evidence) = match server.best_evidence() {
        None | Some(Evidence::Cert) => return Some((address(), None)),
        Some(Evidence::Corroborated) => (&server.asserted, None),
        Some(Evidence::Dns) => {
            (&server.looked_up, Some("  evidence: dns           # the flow itself names nobody"))
        }
        Some(_) => (
            &server.asserted,
            Some("  evidence: sni           # nobody but the client itself says this name"),
        ),
    };
    let names: Option<BTreeSet<&String>> = names.iter().map(Option::as_ref).collect();
    // Several names on one address: which is meant is for people to say.
    let names = names.filter(|names| names.len() == 1)?;
    Some((("host", names.first()?.to_string()), evidence))
}

fn protocol(record: &FlowRecord) -> Option<&str> {
    let plain = record.app.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let starts = record.app.starts_with(|first: char| first.is_ascii_alphabetic());
    (starts && plain && record.app != "unknown" && !record.guessed).then_some(record.app.as_str())
}

/// An id that the manifest doesn't have yet, in its letters.
fn id(place: &Place<'_>, parts: &[&str]) -> String {
    let mut id = String::new();
    for character in parts.join("-").chars() {
        if character.is_ascii_alphanumeric() {
            id.push(character.to_ascii_lowercase());
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    let taken = |id: &str| place.taken.contains(id);
    if !taken(&id) {
        return id;
    }
    (2u64..).map(|n| format!("{id}-{n}")).find(|id| !taken(id)).unwrap_or(id)
}

/// A YAML scalar: in quotes wherever it might be read as something else than text.
fn scalar(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text));
    if !word && text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(plain) {
        return text.to_owned();
    }
    // JSON's strings are YAML's (YAML 1.2.2 section 1.3).
    serde_json::Value::from(text).to_string()
}

fn indented(place: &Place<'_>, lines: &[String]) -> String {
    let blanks = " ".repeat(place.indent);
    lines.iter().map(|line| format!("{blanks}{line}\n")).collect()
}
