//! A seed held against a manifest that is already there: what one says and the other doesn't.
//!
//! It compares what is declared, not what was observed.

use std::collections::BTreeSet;

use super::seed::{Domain, Seed, SeedEndpoint, Statement};
use super::seed_yaml;
use crate::manifest::{Data, Declaration, Encryption, Manifest, Peer, Purpose, Talker, Transport};
use crate::yaml::Position;

/// Something that the source and the manifest don't agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// A stable word for its kind.
    pub word: &'static str,
    /// Where the source says it.
    pub source_at: Option<Position>,
    /// Where the manifest says otherwise; `None` where it says nothing.
    pub manifest_at: Option<Position>,
    /// What differs; it may quote the source, and nothing in it has to be escaped any more.
    pub message: String,
    /// A declaration to paste into the manifest, where that would settle it.
    pub paste: Option<String>,
}

/// All differences: endpoints in the order of the source, then its statements.
pub fn differences(seed: &Seed, manifest: &Manifest) -> Vec<Difference> {
    let mut differences = all(seed, manifest);
    for one in &mut differences {
        one.message = seed_yaml::harmless(&one.message);
    }
    differences
}

fn all(seed: &Seed, manifest: &Manifest) -> Vec<Difference> {
    let mut differences: Vec<Difference> =
        seed.endpoints.iter().filter_map(|endpoint| undeclared(endpoint, manifest)).collect();
    let talked: Vec<&Declaration> =
        manifest.endpoints.iter().filter(|one| one.talker == Talker::App).collect();
    let permits = Permits::of(seed);
    for declaration in &talked {
        differences.extend(permits.differs(declaration));
    }
    let mut collected: BTreeSet<Data> = BTreeSet::new();
    let declared: BTreeSet<Data> =
        talked.iter().flat_map(|one| one.statement.data.iter().flatten()).copied().collect();
    for statement in &seed.statements {
        match statement {
            Statement::ClearText { .. } => {}
            Statement::Collects { data: Some(data), at, .. } => {
                collected.insert(*data);
                if !declared.contains(data) {
                    differences.push(Difference {
                        word: "undeclared-data",
                        source_at: Some(*at),
                        manifest_at: None,
                        message: format!(
                            "{} is collected, and no declaration of the app has it in its `data`",
                            data.word()
                        ),
                        paste: None,
                    });
                }
            }
            Statement::Collects { kind, at, .. } => differences.push(Difference {
                word: "unknown-data",
                source_at: Some(*at),
                manifest_at: None,
                message: format!("{kind} is collected, and no word of the manifest is that"),
                paste: None,
            }),
            Statement::Tracks { domain, at } => {
                differences.extend(
                    talked
                        .iter()
                        .filter(|one| one.peer.covers_name(domain))
                        .filter_map(|one| other_purpose(one, domain, *at)),
                );
            }
        }
    }
    let says_data = seed.statements.iter().any(|one| matches!(one, Statement::Collects { .. }));
    for declaration in talked.iter().filter(|_| says_data) {
        for data in declaration.statement.data.iter().flatten().filter(|data| !collected.contains(data)) {
            differences.push(Difference {
                word: "uncollected-data",
                source_at: None,
                manifest_at: Some(declaration.at),
                message: format!(
                    "`{}` has the data {}, which the source doesn't say is collected",
                    declaration.id,
                    data.word()
                ),
                paste: None,
            });
        }
    }
    differences
}

/// An endpoint that no declaration admits whole.
fn undeclared(endpoint: &SeedEndpoint, manifest: &Manifest) -> Option<Difference> {
    let same_peer: Vec<&Declaration> = manifest
        .endpoints
        .iter()
        .filter(|one| one.talker == endpoint.talker && one.peer.covers_peer(&endpoint.peer))
        .collect();
    // Ports and transports that were guessed tell nothing.
    let certain = endpoint.ports_mark.is_none();
    let admits = |one: &&&Declaration| {
        !certain
            || one.transport == endpoint.transport
                && endpoint.ports.iter().all(|range| range.is_within(&one.ports))
    };
    if same_peer.iter().any(|one| admits(&one)) {
        return None;
    }
    let mut paste = String::new();
    seed_yaml::endpoint(&mut paste, endpoint);
    let ports: Vec<String> = endpoint.ports.iter().map(ToString::to_string).collect();
    let to = match (certain, endpoint.transport) {
        (true, Transport::Icmp) => format!("{} icmp", endpoint.peer),
        (true, transport) => format!("{} {}/{}", endpoint.peer, transport.word(), ports.join(",")),
        (false, _) => endpoint.peer.to_string(),
    };
    let talker = endpoint.talker.word();
    let message = match same_peer.first() {
        Some(one) => format!(
            "{}: {talker} → {to}; `{}` has the peer with other ports or another transport",
            endpoint.origin, one.id
        ),
        None => format!("{}: {talker} → {to} is not declared", endpoint.origin),
    };
    Some(Difference {
        word: "undeclared-endpoint",
        source_at: endpoint.at,
        manifest_at: same_peer.first().map(|one| one.at),
        message,
        paste: Some(paste),
    })
}

fn other_purpose(declaration: &Declaration, domain: &str, at: Position) -> Option<Difference> {
    let purpose = declaration.purpose?;
    if matches!(purpose, Purpose::Advertising | Purpose::Analytics) {
        return None;
    }
    Some(Difference {
        word: "other-purpose",
        source_at: Some(at),
        manifest_at: Some(declaration.at),
        message: format!(
            "{domain} tracks people by the source, and `{}` says it is for {}",
            declaration.id,
            purpose.word()
        ),
        paste: None,
    })
}

/// What the source says of clear text, the most particular domain first.
struct Permits<'a> {
    domains: Vec<(&'a Domain, bool, Position)>,
    base: Option<(bool, Position)>,
}

impl<'a> Permits<'a> {
    fn of(seed: &'a Seed) -> Permits<'a> {
        let mut permits = Permits { domains: Vec::new(), base: None };
        for statement in &seed.statements {
            match statement {
                Statement::ClearText { domain: Some(domain), permitted, at } => {
                    permits.domains.push((domain, *permitted, *at))
                }
                Statement::ClearText { domain: None, permitted, at } => {
                    permits.base = Some((*permitted, *at))
                }
                _ => {}
            }
        }
        // Android takes the longest domain that covers the host; the exact one before its like with subdomains.
        permits.domains.sort_by_key(|(domain, ..)| (std::cmp::Reverse(domain.name.len()), domain.subdomains));
        permits
    }

    fn differs(&self, declaration: &Declaration) -> Option<Difference> {
        if declaration.transport != Transport::Tcp
            || !matches!(declaration.peer, Peer::Host(_) | Peer::Suffix(_))
        {
            return None;
        }
        let found = self.domains.iter().find(|(domain, ..)| domain.covers(&declaration.peer));
        let (permitted, at) = found.map(|(_, permitted, at)| (*permitted, *at)).or(self.base)?;
        let required = declaration.encryption == Some(Encryption::Required);
        let (word, message) = match (permitted, required) {
            (true, true) => (
                "clear-text-permitted",
                format!(
                    "the app may speak clear text to {}, and `{}` requires encryption",
                    declaration.peer, declaration.id
                ),
            ),
            (false, false) => (
                "clear-text-forbidden",
                format!(
                    "the app may not speak clear text to {}, and `{}` doesn't require encryption",
                    declaration.peer, declaration.id
                ),
            ),
            _ => return None,
        };
        Some(Difference {
            word,
            source_at: Some(at),
            manifest_at: Some(declaration.at),
            message,
            paste: None,
        })
    }
}
