//! The privacy manifest: which endpoints the vendor declares, and what each of them may be used for.
//!
//! It holds declarations and answers what one of them covers; it never judges a run.

mod args;
mod peer;
mod read;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::plan::Product;
pub use crate::yaml::Position;
pub use peer::{Peer, PortRange, canonical_host};
pub use read::{problems_with_plan, schema};

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
    /// The declarations in the order of the file; ids are unique.
    pub endpoints: Vec<Declaration>,
    /// The manifest's own path, as it was given.
    pub file: PathBuf,
    /// The manifest's text, for diagnostics and for its hash.
    pub source: String,
}

/// One declared endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Unique within the manifest.
    pub id: String,
    /// Who may talk.
    pub talker: Talker,
    /// To whom.
    pub peer: Peer,
    /// The ports, sorted, not overlapping. Empty only for ICMP.
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
    /// Whether clear text is admitted.
    pub encryption: Option<Encryption>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// Where the declaration stands in the manifest.
    pub at: Position,
    /// The declaration in one canonical line, the same for the same meaning: what snapshots and reports show.
    pub text: String,
}

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Talker {
    /// The watch itself.
    Watch,
    /// The companion app.
    App,
    /// The phone's operating system.
    Os,
}

/// What a declaration's ports are ports of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP, and so QUIC.
    Udp,
    /// ICMP and ICMPv6; no ports.
    Icmp,
}

/// The least evidence that an endpoint's identity needs, strongest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The client asserted the name, and a DNS answer gave it this address for it.
    #[default]
    Corroborated,
    /// A DNS answer alone.
    Dns,
    /// A name that the client asserted alone.
    Sni,
    /// The address alone.
    Ip,
}

/// What a declaration asks of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Clear text is a failure.
    Required,
}

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the words are their own explanation
pub enum Purpose {
    CoreFunction,
    Account,
    FirmwareUpdate,
    AppUpdate,
    TimeSync,
    Push,
    ConnectivityCheck,
    NatTraversal,
    CrashReport,
    Analytics,
    Advertising,
    CloudBackup,
    Support,
    Content,
    Security,
}

impl Talker {
    /// The word for it in a manifest.
    pub fn word(self) -> &'static str {
        match self {
            Talker::Watch => "watch",
            Talker::App => "app",
            Talker::Os => "os",
        }
    }
}

impl Transport {
    /// The word for it in a manifest.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Icmp => "icmp",
        }
    }
}

impl Evidence {
    /// The word for it in a manifest.
    pub fn word(self) -> &'static str {
        match self {
            Evidence::Corroborated => "corroborated",
            Evidence::Dns => "dns",
            Evidence::Sni => "sni",
            Evidence::Ip => "ip",
        }
    }
}
