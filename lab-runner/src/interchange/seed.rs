//! The beginning of a manifest, as far as another format goes. It holds what the source says, and marks what it doesn't.

use std::fmt;
use std::net::IpAddr;

use super::Format;
use super::seed_yaml;
use crate::manifest::{Data, Peer, PortRange, Talker, Transport, canonical_host, is_public_suffix, is_under};
use crate::yaml::Position;

/// Everything that a format knows of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// Where it comes from.
    pub format: Format,
    /// The source's own name, such as a MUD URL; empty where it has none.
    pub title: String,
    /// Who makes the product.
    pub vendor: Said,
    /// What the product is.
    pub model: Said,
    /// Who gets data, as far as the source names them; ids are unique.
    pub controllers: Vec<SeedController>,
    /// Endpoints, in the order of the source; ids are unique.
    pub endpoints: Vec<SeedEndpoint>,
    /// Statements about traffic that are no endpoint by themselves.
    pub statements: Vec<Statement>,
    /// What the source says and a manifest can't hold.
    pub notes: Notes,
}

/// A value, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The source.
    Source(String),
    /// The person who imports it.
    Told(String),
    /// Nobody.
    Unknown,
}

impl Said {
    /// What was told goes before what the source says.
    pub fn of(told: Option<&str>, source: Option<&str>) -> Said {
        match (told, source) {
            (Some(told), _) => Said::Told(told.to_owned()),
            (None, Some(source)) if !source.trim().is_empty() => Said::Source(source.to_owned()),
            _ => Said::Unknown,
        }
    }
}

/// What the person who imports says beside the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Who talks, for formats that don't say.
    pub talker: Option<Talker>,
    /// Who makes the product.
    pub vendor: Option<String>,
    /// What the product is.
    pub model: Option<String>,
}

/// Whoever gets data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedController {
    /// Its id, as a manifest may hold it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its country, as the source writes it.
    pub country: Option<String>,
    /// Whom to ask there.
    pub contact: Option<String>,
}

/// One endpoint of a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedEndpoint {
    /// Its id, as a manifest may hold it.
    pub id: String,
    /// What in the source it comes from.
    pub origin: String,
    /// Where it stands there, where that is known.
    pub at: Option<Position>,
    /// Who talks.
    pub talker: Talker,
    /// Why the talker is known, where the source doesn't say it.
    pub talker_mark: Option<String>,
    /// To whom.
    pub peer: Peer,
    /// Over what.
    pub transport: Transport,
    /// On which ports; none for ICMP.
    pub ports: Vec<PortRange>,
    /// What is doubtful about the ports.
    pub ports_mark: Option<String>,
    /// Further keys of the declaration, in the order in which they are written.
    pub keys: Vec<Key>,
    /// Keys that only a person can fill in.
    pub unsaid: Vec<&'static str>,
}

/// A further key of a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub key: &'static str,
    /// Its value, as YAML in one line.
    pub value: String,
    /// What is doubtful about it.
    pub mark: Option<String>,
}

impl Key {
    /// A key that the source says.
    pub fn sure(key: &'static str, value: impl Into<String>) -> Key {
        Key { key, value: value.into(), mark: None }
    }

    /// A key with a doubt.
    pub fn marked(key: &'static str, value: impl Into<String>, mark: impl Into<String>) -> Key {
        Key { key, value: value.into(), mark: Some(mark.into()) }
    }
}

/// The peer that a source names by a text: an address, a host, or a domain with everything under it.
///
/// # Errors
/// In words: no manifest can name it.
pub(super) fn peer_of(text: &str, subdomains: bool) -> Result<Peer, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Peer::Cidr(address.into()));
    }
    let name = canonical_host(text)?;
    if name == "localhost" || name.ends_with(".localhost") {
        return Err(format!("{name} is the device itself (RFC 6761)"));
    }
    if !subdomains {
        return Ok(Peer::Host(name));
    }
    // As a manifest has it: whoever declares a public suffix declares the world.
    if is_public_suffix(&name) {
        return Err(format!("{name} is a public suffix: everything under it is anybody's"));
    }
    Ok(Peer::Suffix(name))
}

/// Something that a source says about traffic without declaring an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Whether clear text is permitted.
    ClearText {
        /// To this domain; `None`: to all that nothing else names.
        domain: Option<Domain>,
        /// Whether it is.
        permitted: bool,
        /// Where the source says so.
        at: Position,
    },
    /// The app collects data of this kind.
    Collects {
        /// The kind, in words.
        kind: String,
        /// The same as a manifest's word, where there is one.
        data: Option<Data>,
        /// What for, in the source's own words.
        purposes: Vec<String>,
        /// Where the source says so.
        at: Position,
    },
    /// Traffic to this domain is used to track people.
    Tracks {
        /// The domain.
        domain: String,
        /// Where the source says so.
        at: Position,
    },
}

/// A domain, alone or with everything under it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain {
    /// Its canonical name.
    pub name: String,
    /// Whether everything under it is meant as well.
    pub subdomains: bool,
}

impl Domain {
    /// Whether the domain covers a host, or all of a declared suffix.
    pub fn covers(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Host(host) => *host == self.name || self.subdomains && is_under(host, &self.name),
            Peer::Suffix(suffix) => self.subdomains && is_under(suffix, &self.name),
            _ => false,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subdomains {
            write!(f, "{} and everything under it", self.name)
        } else {
            f.write_str(&self.name)
        }
    }
}

/// What a source says and a manifest can't hold: sentences, as many as a person reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    sentences: Vec<String>,
    more: usize,
}

impl Notes {
    /// The most that are kept; the rest are counted.
    const MOST: usize = 200;
    /// The most characters of one.
    const LONGEST: usize = 300;

    /// Adds one.
    pub fn add(&mut self, sentence: &str) {
        if self.sentences.len() < Self::MOST {
            self.sentences.push(short(sentence, Self::LONGEST));
        } else {
            self.more += 1;
        }
    }

    /// Adds those of the keys that were not understood.
    pub(super) fn add_ignored(&mut self, what: &str, ignored: &super::foreign::Ignored) {
        for path in &ignored.paths {
            self.add(&format!("{what}: {path}"));
        }
        self.more += ignored.count - ignored.paths.len();
    }

    /// The sentences, and one that counts those that were not kept.
    pub fn all(&self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.sentences.iter().cloned().chain(more)
    }
}

/// A text's beginning.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Seed {
    /// The seed as a manifest that a person completes: what the source doesn't say stands in comments that begin
    /// with `# ?`.
    pub fn to_yaml(&self) -> String {
        seed_yaml::render(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_on_label_boundaries_and_never_more_than_it_says() {
        let host = |name: &str| Peer::Host(name.into());
        let exact = Domain { name: "a.example".into(), subdomains: false };
        let all = Domain { name: "a.example".into(), subdomains: true };
        assert!(exact.covers(&host("a.example")) && !exact.covers(&host("b.a.example")));
        assert!(all.covers(&host("b.a.example")) && !all.covers(&host("ba.example")));
        assert!(!exact.covers(&Peer::Suffix("a.example".into())));
    }
}
