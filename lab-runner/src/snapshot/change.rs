//! What changed between two sets, in words that a reviewer decides on.

use std::fmt;

use super::{Entry, Snapshot};

/// Which way an entry changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// What was seen of it is different.
    Changed,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Which way.
    pub kind: ChangeKind,
    /// The entry's head line.
    pub head: String,
    /// What of it.
    pub detail: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChangeKind::New => "new",
            ChangeKind::Gone => "gone",
            ChangeKind::Changed => "changed",
        };
        let (status, what) = self.head.split_once(": ").unwrap_or(("", &self.head));
        let detail = if self.detail.is_empty() { String::new() } else { format!(", {}", self.detail) };
        // A declaration's own line is long: what was seen of it is set apart.
        match status {
            "declared" => write!(f, "{kind}: {what}; declared{detail}"),
            status => write!(f, "{kind}: {what}{detail}, {status}"),
        }
    }
}

/// What changed from the accepted set (none: nothing was accepted yet) to the new one.
pub fn changes(accepted: Option<&Snapshot>, new: &Snapshot) -> Vec<Change> {
    let empty = Snapshot::default();
    let accepted = accepted.unwrap_or(&empty);
    let mut changes = Vec::new();
    for (head, entry) in &new.entries {
        match accepted.entries.get(head) {
            None => changes.push(change(ChangeKind::New, head, describe(entry))),
            Some(before) if before != entry => {
                changes.push(change(ChangeKind::Changed, head, difference(before, entry)));
            }
            Some(_) => {}
        }
    }
    for head in accepted.entries.keys().filter(|head| !new.entries.contains_key(*head)) {
        changes.push(change(ChangeKind::Gone, head, String::new()));
    }
    // What is undeclared comes first: it is what a reviewer is there for.
    changes.sort_by_key(|change| (change.head.starts_with("declared"), change.clone()));
    changes
}

fn change(kind: ChangeKind, head: &str, detail: String) -> Change {
    Change { kind, head: head.into(), detail }
}

fn describe(entry: &Entry) -> String {
    let mut parts = Vec::new();
    if let Some(app) = entry.attribute("speaks") {
        parts.push(app.to_uppercase());
    }
    match entry.attribute("names") {
        Some("none") => parts.push("no name".into()),
        Some(names) => parts.push(names.into()),
        None => {}
    }
    if let Some(domains) = entry.attribute("domains") {
        parts.push(format!("under {domains}"));
    }
    if let Some(phases) = entry.attribute("phases") {
        parts.push(format!("seen in {phases}"));
    }
    parts.join(", ")
}

fn difference(before: &Entry, after: &Entry) -> String {
    let mut names: Vec<&str> = before.attributes().chain(after.attributes()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let changed = names.into_iter().filter(|name| before.attribute(name) != after.attribute(name));
    let word = |value: Option<&str>| value.unwrap_or("nothing").to_owned();
    let parts: Vec<String> = changed
        .map(|name| format!("{name}: {} → {}", word(before.attribute(name)), word(after.attribute(name))))
        .collect();
    parts.join("; ")
}
