//! The set itself, and its text: a head line an entry, and its attributes indented below.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::Reason;

use crate::judge::{Endpoint, Protection, Status, Verdict, printable};
use crate::manifest::{Manifest, registered_domain};

/// Entries of more than this many lines in all are refused: no product has that many endpoints.
const MOST_LINES: usize = 1_000_000;

/// What one entry says, attribute by attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    attributes: BTreeMap<String, String>,
}

impl Entry {
    /// The attributes, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One of them.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// The set of endpoints: head line to entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub(super) entries: BTreeMap<String, Entry>,
}

/// A body that no snapshot of ours has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the snapshot's body is not one of ours: expected `head: …`, or an indented `name: value`"
)]
pub struct BadBody {
    /// The line, from 1.
    pub line: usize,
}

impl Snapshot {
    /// The set that a verdict lists.
    pub fn of(verdict: &Verdict, manifest: &Manifest) -> Self {
        let mut rows: BTreeMap<String, Vec<&Endpoint>> = BTreeMap::new();
        for endpoint in &verdict.endpoints {
            rows.entry(head(endpoint, manifest)).or_default().push(endpoint);
        }
        let mut entries: BTreeMap<String, Entry> =
            rows.into_iter().map(|(head, rows)| (head, entry(&rows))).collect();
        // Look-ups without a connection are no endpoints, but undeclared all the same.
        for finding in verdict.findings.iter().filter(|finding| finding.rule == "undeclared-look-up") {
            let (Some(name), Some(talker)) = (&finding.endpoint, &finding.talker) else { continue };
            let head = format!("undeclared: {} asks DNS for {}", talker.role.word(), printable(name));
            entries.entry(head).or_default();
        }
        Self { entries }
    }

    /// Takes over what an accepted snapshot has of optional declarations that didn't show up this time: their absence is
    /// no change. A declaration that the manifest doesn't have any more is not taken over.
    pub fn keep_absent_optional(&mut self, accepted: &Self, manifest: &Manifest) {
        for declaration in manifest.declarations().filter(|declaration| !declaration.required) {
            let head = declared(&declaration.text);
            if let Some(entry) = accepted.entries.get(&head) {
                self.entries.entry(head).or_insert_with(|| entry.clone());
            }
        }
    }

    /// The text of the set.
    pub fn body(&self) -> String {
        if self.entries.is_empty() {
            return "nothing: no endpoint was seen\n".into();
        }
        let mut body = String::new();
        for (head, entry) in &self.entries {
            body.push_str(head);
            body.push('\n');
            for (name, value) in &entry.attributes {
                body.push_str(&format!("  {name}: {value}\n"));
            }
        }
        body
    }

    /// Reads a text that [`Snapshot::body`] made.
    ///
    /// # Errors
    /// With the first line that is none of ours.
    pub fn parse(body: &str) -> Result<Self, BadBody> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        let mut last: Option<String> = None;
        for (at, line) in body.lines().enumerate() {
            let bad = BadBody { line: at + 1 };
            if at >= MOST_LINES {
                return Err(bad);
            }
            if line.trim().is_empty() || line.starts_with("nothing: ") {
                continue;
            }
            if let Some(attribute) = line.strip_prefix("  ") {
                let (name, value) = attribute.split_once(": ").ok_or(bad.clone())?;
                let entry = last.as_ref().and_then(|head| entries.get_mut(head)).ok_or(bad)?;
                entry.attributes.insert(name.into(), value.into());
            } else if line.contains(": ") {
                entries.entry(line.into()).or_default();
                last = Some(line.into());
            } else {
                return Err(bad);
            }
        }
        Ok(Self { entries })
    }
}

fn declared(text: &str) -> String {
    format!("declared: {}", printable(text))
}

fn head(endpoint: &Endpoint, manifest: &Manifest) -> String {
    let declaration = endpoint.declaration.as_ref().filter(|_| endpoint.status == Status::Declared);
    let declaration = declaration.and_then(|of| manifest.declarations().find(|one| one.id == of.id));
    if let Some(declaration) = declaration {
        return declared(&declaration.text);
    }
    let status = if endpoint.status == Status::Doubtful { "doubtful" } else { "undeclared" };
    format!("{status}: {} → {} {}", endpoint.talker.word(), endpoint.endpoint, endpoint.transport)
}

fn entry(rows: &[&Endpoint]) -> Entry {
    let all = |of: &dyn Fn(&Endpoint) -> Vec<String>| -> String {
        let words: BTreeSet<String> = rows.iter().flat_map(|row| of(row)).collect();
        words.into_iter().collect::<Vec<_>>().join(", ")
    };
    let mut attributes = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), value);
        }
    };
    set("phases", all(&|row| row.phases.iter().map(|phase| printable(phase)).collect()));
    if let Some(weakest) = rows.iter().map(|row| row.protection).min() {
        set("encryption", protection(weakest).into());
    }
    if rows.iter().all(|row| row.status == Status::Declared) {
        set("talker", all(&|row| vec![row.talker.word().into()]));
        set("transport", all(&|row| vec![row.transport.clone()]));
        // Later words of `Evidence` are weaker.
        set("evidence", rows.iter().filter_map(|row| row.evidence).max().map_or("", |e| e.word()).into());
        set("domains", all(&|row| row.names.iter().map(|name| registered_domain(name).to_owned()).collect()));
    } else {
        set("speaks", all(&|row| vec![row.app.clone()]));
        set("rule", all(&|row| row.rule.iter().cloned().collect()));
        let names = all(&|row| row.names.clone());
        let unnamed = all(&|row| row.reason.map(why).into_iter().collect());
        set("names", if names.is_empty() { "none".into() } else { names });
        set("unnamed", unnamed);
    }
    Entry { attributes }
}

/// Why a flow has no name. Whether the client had looked anything else up before is a matter of milliseconds, and no
/// change.
fn why(reason: Reason) -> String {
    match reason {
        Reason::NeverQueried | Reason::NoDnsSeen => "never looked up".into(),
        other => other.as_str().replace('_', " "),
    }
}

fn protection(weakest: Protection) -> &'static str {
    match weakest {
        Protection::Clear => "none",
        Protection::Guessed => "guessed",
        Protection::Encrypted => "yes",
        Protection::NothingSent => "nothing sent",
    }
}
