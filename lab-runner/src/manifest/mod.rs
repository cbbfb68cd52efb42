//! The privacy manifest: which endpoints the vendor declares, and what each of them may be used for.
//!
//! It holds declarations and answers what one of them covers; it never judges a run. [`Index`] finds the declarations
//! that may cover a flow; [`lint()`] asks what a person should look at again, and [`diff()`] what changed between two.

mod args;
mod budget;
mod build;
mod class;
mod country;
mod cover;
mod date;
mod declaration;
mod diff;
mod glob;
mod ids;
mod include;
mod index;
mod lint;
mod name;
mod peer;
mod ports;
mod read;
mod text;
mod words;

use std::path::PathBuf;
use std::time::Duration;

pub use crate::plan::Product;
pub use crate::yaml::Position;
pub use budget::{Budget, Span, size_text};
pub use build::{Applies, Build, Builds, applies};
pub(crate) use class::is_local;
pub use class::{Class, Surroundings};
pub use date::Date;
pub use diff::{Change, Difference, diff};
pub use glob::Glob;
pub use ids::Ids;
pub use index::{Index, Place};
pub use lint::lint;
pub use name::canonical_host;
pub(crate) use name::{is_public_suffix, is_under, registered_domain};
pub use peer::Peer;
pub use ports::PortRange;
pub use read::{ambient_schema, check_profile, problems_with_plan, schema};
pub(crate) use text::default_evidence;
pub use words::{
    Data, Ech, Encryption, Evidence, OnDoubt, OpenedBy, Purpose, Sni, Talker, TlsVersion, Transport,
};

/// The newest `format` of a manifest that this lab reads.
pub const FORMAT: u64 = 1;

/// A privacy manifest that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file's format, 1.
    pub format: u64,
    /// The product that it speaks of.
    pub product: Product,
    /// Where it says so.
    pub product_at: Position,
    /// The domains that the vendor owns, as names compare.
    pub domains: Vec<String>,
    /// The builds that it applies to.
    pub builds: Builds,
    /// Who gets data; ids are unique.
    pub controllers: Vec<Controller>,
    /// The declarations in the order of the file; ids are unique.
    pub endpoints: Vec<Declaration>,
    /// What the phone's system says anyway: the included files, each once, in the order in which they were met.
    pub ambient: Vec<Profile>,
    /// What doubt leads to.
    pub policy: Policy,
    /// The manifest's own path, as it was given.
    pub file: PathBuf,
    /// The manifest's text, for diagnostics and for its hash.
    pub source: String,
}

/// Whoever gets data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Unique within the manifest.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it has its seat, by ISO 3166-1.
    pub country: Option<String>,
    /// Whom to ask there.
    pub contact: Option<String>,
    /// The domains that it owns, as names compare.
    pub domains: Vec<String>,
    /// Where it stands in the manifest.
    pub at: Position,
}

/// An ambient profile: a versioned file of declarations for what the phone's system says anyway.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Unique within the manifest.
    pub id: String,
    /// The profile's own version.
    pub version: String,
    /// What it was taken from.
    pub description: Option<String>,
    /// Its declarations, all of the talker `os`, none required; ids are `<profile>/<id>`.
    pub endpoints: Vec<Declaration>,
    /// Its path from the manifest's folder, with `/`: what reports and verdicts name.
    pub written: String,
    /// Its path, for diagnostics.
    pub file: PathBuf,
    /// Its text, for diagnostics and for its hash.
    pub source: String,
}

/// What doubt leads to. A policy can only tighten: an undeclared endpoint fails whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// A flow that nothing names, where its look-up may have been missed.
    pub unresolved: OnDoubt,
    /// A flow to an address on which several names live.
    pub ambiguous: OnDoubt,
    /// Look-ups that can't be read.
    pub hidden_dns: OnDoubt,
    /// Packets that the capture lost.
    pub loss: OnDoubt,
}

/// One declared endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Unique within the manifest.
    pub id: String,
    /// Who may talk.
    pub talker: Talker,
    /// The library that talks, for people.
    pub sdk: Option<String>,
    /// To whom.
    pub peer: Peer,
    /// The ports, sorted, not overlapping. Empty only for ICMP. The peer's, or the product's own where the peer opens.
    pub ports: Vec<PortRange>,
    /// Over what.
    pub transport: Transport,
    /// In which protocol; `None` admits any.
    pub protocol: Option<String>,
    /// The phases in which it may happen; `None` admits all.
    pub phases: Option<Vec<String>>,
    /// Whether a run without it fails.
    pub required: bool,
    /// The least evidence that its identity needs.
    pub evidence: Evidence,
    /// Whether clear text is admitted. Always `Required` where `tls` or `sni` is there.
    pub encryption: Option<Encryption>,
    /// The least version of TLS.
    pub tls: Option<TlsVersion>,
    /// Whether an Encrypted Client Hello is a failure.
    pub ech_forbidden: bool,
    /// Whether a ClientHello without a server name is a failure.
    pub sni_required: bool,
    /// Who opens the flow.
    pub opened_by: OpenedBy,
    /// The most that it may be: one budget a span at most, in the order of [`Span::ALL`].
    pub budgets: Vec<Budget>,
    /// What it says beside that; nothing of it admits or refuses a flow.
    pub statement: Statement,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// Where the declaration stands in its file.
    pub at: Position,
    /// Where its peer stands.
    pub peer_at: Position,
    /// The declaration in one canonical line, the same for the same meaning: what snapshots and reports show.
    pub text: String,
}

/// What a declaration says to people.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statement {
    /// What makes it happen.
    pub trigger: Option<String>,
    /// How often.
    pub period: Option<Duration>,
    /// The personal data in it, sorted; an empty list says that there is none.
    pub data: Option<Vec<Data>>,
    /// The id of the controller who gets it.
    pub recipient: Option<String>,
    /// Where it goes, by ISO 3166-1.
    pub country: Option<String>,
    /// Whether the product needs it.
    pub necessity: Option<Necessity>,
    /// Why it has to be so.
    pub justification: Option<String>,
    /// When somebody looks again, and where that is written.
    pub review_by: Option<(Date, Position)>,
    /// Where more is written.
    pub reference: Option<String>,
}

/// Whether the product needs an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Necessity {
    /// It works without.
    Optional,
    /// This doesn't work without.
    RequiredFor(String),
}

impl Manifest {
    /// Every declaration in the order in which they count: the manifest's own, then each profile's.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.endpoints.iter().chain(self.ambient.iter().flat_map(|profile| &profile.endpoints))
    }

    /// The profile that a declaration is from; `None` for the manifest's own. Ids tell them apart.
    pub fn profile_of(&self, declaration: &Declaration) -> Option<&Profile> {
        let (profile, _) = declaration.id.split_once('/')?;
        self.ambient.iter().find(|known| known.id == profile)
    }

    /// What a judgement by this manifest depends on: its text and that of every file that it includes.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.source.as_str())
            .chain(self.ambient.iter().map(|profile| profile.source.as_str()))
    }

    /// A controller by its id.
    pub fn controller(&self, id: &str) -> Option<&Controller> {
        self.controllers.iter().find(|controller| controller.id == id)
    }
}
