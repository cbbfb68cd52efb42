//! What a phone says that its apps contacted, held against what a capture saw.
//!
//! Two observers that agree make both more credible. Where they don't, one of them was blind: that proves nothing
//! about the product, and it is told with what each of them has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lab_observe::{FlowRecord, NameKind, Observation};

use super::app_privacy_report::{AppPrivacyReport, Contact};
use crate::manifest::{Manifest, Talker};

/// How far the two clocks may be apart, in nanoseconds: a minute.
pub const CLOCK_SLACK_NS: u64 = 60_000_000_000;

/// What the two observers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// By app, in the order of their identifiers.
    pub apps: Vec<AppView>,
    /// Names that the capture saw contacted and the report gives to no app.
    pub only_captured: Vec<Captured>,
    /// Flows of the capture that nothing names: the report can't be held against them.
    pub nameless_flows: usize,
}

/// What the two say of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppView {
    /// Its bundle identifier.
    pub bundle: String,
    /// Domains that both saw, with the capture's evidence.
    pub both: Vec<Captured>,
    /// Domains that the phone says it contacted while the capture ran, and that the capture lacks.
    pub only_reported: Vec<Contact>,
    /// How many contacts are from before or after the capture.
    pub outside: usize,
    /// Contacts of this app that no declaration of the manifest admits; empty without a manifest.
    pub undeclared: Vec<Contact>,
}

/// A name in the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The name.
    pub name: String,
    /// The capture, as it was given.
    pub file: String,
    /// The frame that says the name first.
    pub frame: u64,
    /// How many flows it names.
    pub flows: usize,
}

impl Comparison {
    /// Whether each saw what the other saw.
    pub fn agrees(&self) -> bool {
        self.only_captured.is_empty() && self.apps.iter().all(|app| app.only_reported.is_empty())
    }

    /// Whether an app contacted what the manifest doesn't declare.
    pub fn has_undeclared(&self) -> bool {
        self.apps.iter().any(|app| !app.undeclared.is_empty())
    }
}

/// Compares them. With `bundles`, the others' contacts only explain what the capture saw.
pub fn compare(
    report: &AppPrivacyReport,
    captures: &[(String, Observation)],
    bundles: &[String],
    manifest: Option<&Manifest>,
) -> Comparison {
    let mut comparison = Comparison::default();
    // Contacted: the flow's own name. Mentioned: a look-up as well, which shows that the name was asked for.
    let mut contacted: BTreeMap<&str, Captured> = BTreeMap::new();
    let mut mentioned: BTreeMap<&str, Captured> = BTreeMap::new();
    // A report has the address where an app used no name.
    let mut addresses: BTreeMap<IpAddr, Captured> = BTreeMap::new();
    let reported_addresses: BTreeSet<IpAddr> = report.contacts.iter().filter_map(Contact::address).collect();
    let mut window: Option<(u64, u64)> = None;
    for (file, observation) in captures {
        for flow in &observation.flows {
            let (first, last) = window.unwrap_or((u64::MAX, 0));
            window = Some((first.min(flow.first_ns), last.max(flow.last_ns)));
            let named = contacts(flow);
            let is_lookup = flow.names_of(NameKind::DnsQuery).next().is_some();
            let server = flow.server.ip().to_canonical();
            note(&mut addresses, server, &server.to_string(), file, flow.frames[0]);
            if named.is_empty() && !is_lookup && !flow.link_control && !reported_addresses.contains(&server) {
                comparison.nameless_flows += 1;
            }
            for (name, frame) in &named {
                note(&mut contacted, *name, name, file, *frame);
            }
            for name in &flow.names {
                note(&mut mentioned, name.name.as_str(), &name.name, file, name.frame);
            }
        }
    }
    let within = |contact: &Contact| {
        window.is_some_and(|(first, last)| {
            contact.times_ns.1 >= first.saturating_sub(CLOCK_SLACK_NS)
                && contact.times_ns.0 <= last.saturating_add(CLOCK_SLACK_NS)
        })
    };
    let mut apps: BTreeMap<&str, AppView> = BTreeMap::new();
    for contact in report.contacts.iter().filter(|one| bundles.is_empty() || bundles.contains(&one.bundle)) {
        let app = apps.entry(&contact.bundle).or_insert_with(|| AppView {
            bundle: contact.bundle.clone(),
            both: Vec::new(),
            only_reported: Vec::new(),
            outside: 0,
            undeclared: Vec::new(),
        });
        let by_address = contact.address().and_then(|address| addresses.get(&address));
        match mentioned.get(contact.domain.as_str()).or(by_address) {
            Some(captured) => app.both.push(captured.clone()),
            None if within(contact) => app.only_reported.push(contact.clone()),
            None => app.outside += 1,
        }
        if manifest.is_some_and(|manifest| !declares(manifest, contact)) {
            app.undeclared.push(contact.clone());
        }
    }
    comparison.apps = apps.into_values().map(once_each).collect();
    let reported: BTreeSet<&str> = report.contacts.iter().map(|contact| contact.domain.as_str()).collect();
    comparison.only_captured = contacted
        .into_iter()
        .filter(|(name, _)| !reported.contains(name))
        .map(|(_, captured)| captured)
        .collect();
    comparison
}

/// The names by which the client contacted somebody, each with the frame that says it.
fn contacts(flow: &FlowRecord) -> Vec<(&str, u64)> {
    let best = flow.best_name();
    let asserted = flow.names.iter().filter(|name| name.kind.is_asserted());
    let named = flow.names.iter().filter(|name| Some(name.name.as_str()) == best);
    let mut names: Vec<(&str, u64)> =
        asserted.chain(named).map(|name| (name.name.as_str(), name.frame)).collect();
    names.sort_unstable();
    names.dedup_by_key(|(name, _)| *name);
    names
}

fn note<K: Ord>(seen: &mut BTreeMap<K, Captured>, key: K, name: &str, file: &str, frame: u64) {
    let new = || Captured { name: name.to_owned(), file: file.to_owned(), frame, flows: 0 };
    seen.entry(key).or_insert_with(new).flows += 1;
}

/// The app's contacts without repeats: a report may have a domain once for each context.
fn once_each(mut app: AppView) -> AppView {
    app.both.sort_by(|one, other| one.name.cmp(&other.name));
    app.both.dedup_by(|one, other| one.name == other.name);
    for contacts in [&mut app.only_reported, &mut app.undeclared] {
        contacts.sort_by(|one, other| (&one.domain, one.at).cmp(&(&other.domain, other.at)));
        contacts.dedup_by(|one, other| one.domain == other.domain);
    }
    app
}

/// Whether a declaration for the app names the domain.
fn declares(manifest: &Manifest, contact: &Contact) -> bool {
    manifest.endpoints.iter().filter(|one| one.talker == Talker::App).any(|one| match contact.address() {
        Some(address) => one.peer.covers_address(address),
        None => one.peer.covers_name(&contact.domain),
    })
}
