//! What a judgement says: `verdict.json`. Plain data in roles and run-relative times, without paths, run ids or tool
//! versions; reports and the snapshot are made from it and decide nothing.

use std::fmt;
use std::net::IpAddr;

use lab_observe::{Name, Reason};
use serde::{Deserialize, Serialize};

use super::policy;
use crate::manifest::{Evidence, Talker as Declared};
use crate::observation::{Since, Talker};
use crate::plan::Product;

/// The version of `verdict.json`.
pub const FORMAT: u32 = 1;

/// How a run ended. The worst one of all that was found counts: the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that had to be seen was seen, and everything seen was admitted.
    Pass,
    /// Something could not be seen, or evidence is missing.
    Inconclusive,
    /// The bench broke: the run says nothing about the product.
    BenchFault,
    /// The product did what it must not, or didn't do what it must.
    Fail,
}

impl Outcome {
    /// The exit status. A changed snapshot (5) and an interruption (130) are the caller's to add.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Pass => 0,
            Outcome::Fail => 1,
            Outcome::Inconclusive => 3,
            Outcome::BenchFault => 4,
        }
    }

    /// The word in records.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Inconclusive => "inconclusive",
            Outcome::BenchFault => "bench-fault",
            Outcome::Fail => "fail",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// [`FORMAT`].
    pub format: u32,
    /// The worst of the findings; pass where there is none.
    pub outcome: Outcome,
    /// The plan's name.
    pub plan: String,
    /// The product.
    pub product: Product,
    /// The manifest, as the plan names it.
    pub manifest: String,
    /// `virtual` or `real`, from the event log; `unknown` where it doesn't say.
    pub bench: String,
    /// Whether endpoints are held against the manifest. Where not, they are only listed.
    pub endpoints_asserted: bool,
    /// How many repeats the run had to have.
    pub repeats: u32,
    /// Every attempt that was made.
    pub attempts: Vec<AttemptSummary>,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// Every endpoint that was seen.
    pub endpoints: Vec<Endpoint>,
    /// What included profiles declare of the phone's system, and how much of it was seen.
    #[serde(default)]
    pub ambient: Vec<Ambient>,
    /// Declarations that nothing used.
    pub unused: Vec<Unused>,
}

impl Verdict {
    /// Whether the run shows all that the product does: nothing was in doubt, and every step was carried out. Where it
    /// doesn't, an endpoint that did not show up is not gone. What endpoints did wrong takes nothing away from that.
    pub fn shows_everything(&self) -> bool {
        self.findings.iter().all(|finding| {
            let of_endpoints = finding.endpoint.is_some() || finding.rule == REQUIRED_MISSING;
            // A doubt stays one, whatever a policy makes of it.
            finding.severity == Outcome::Fail && of_endpoints && !policy::tightens(&finding.rule)
        })
    }
}

/// The rule for a required declaration that never showed up.
pub(super) const REQUIRED_MISSING: &str = "required-missing";

/// One attempt at a repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptSummary {
    /// Its number.
    pub number: u32,
    /// Its repeat.
    pub repeat: u32,
    /// A later attempt replaced it; what it saw counts all the same.
    pub retried: bool,
    /// The fault of the bench for which it was replaced.
    pub fault: Option<String>,
    /// How many flows were judged.
    pub flows: u64,
}

/// One thing that keeps a run from passing. The same thing seen again only counts up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable word in kebab case: which rule was broken.
    pub rule: String,
    /// What it makes of the run.
    pub severity: Outcome,
    /// The finding in one line.
    pub title: String,
    /// How often it was seen.
    pub count: u64,
    /// In which attempts.
    pub attempts: Vec<u32>,
    /// In how many repeats, and of how many: k/N.
    pub seen_in: [u32; 2],
    /// When it was first seen, in seconds since its attempt began.
    pub t: Option<f64>,
    /// The last stimulus before that.
    pub since: Option<Since>,
    /// The phase.
    pub phase: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// Who talked.
    pub talker: Option<Talker>,
    /// To whom: `203.0.113.66:443`.
    pub endpoint: Option<String>,
    /// The far end's address, where it isn't the product's own.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// Who it belongs to, by the databases that the user supplied. No verdict depends on it.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// Over what.
    pub transport: Option<String>,
    /// The capture in which `frames` count.
    pub capture: Option<String>,
    /// First and last frame of the first flow that shows it.
    pub frames: Option<[u64; 2]>,
    /// Packets of all flows that show it: from the client, from the server.
    pub packets: Option<[u64; 2]>,
    /// Bytes of all flows that show it: from the client, from the server.
    pub bytes: Option<[u64; 2]>,
    /// Evidence for names, of the first flow that shows it.
    #[serde(default)]
    pub names: Vec<Name>,
    /// The declaration's place (`privacy-manifest.yaml:12`), or `no declaration`.
    pub manifest: Option<String>,
    /// The declarations that came nearest, and what stood between.
    #[serde(default)]
    pub considered: Vec<Considered>,
    /// Where a declaration would go, where there is none: the line before which it stands.
    #[serde(default)]
    pub would_go: Option<String>,
    /// A declaration that a person can paste there, if this is meant to happen.
    #[serde(default)]
    pub suggestion: Option<String>,
    /// Everything else that backs it, in words.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
}

impl Finding {
    /// About the run as a whole, found outside of judgement.
    pub fn of_run(rule: &str, severity: Outcome, title: String) -> Self {
        Self {
            rule: rule.into(),
            severity,
            title,
            count: 1,
            attempts: Vec::new(),
            seen_in: [0, 0],
            t: None,
            since: None,
            phase: None,
            step: None,
            talker: None,
            endpoint: None,
            address: None,
            owners: Vec::new(),
            transport: None,
            capture: None,
            frames: None,
            packets: None,
            bytes: None,
            names: Vec::new(),
            manifest: None,
            considered: Vec::new(),
            would_go: None,
            suggestion: None,
            evidence: Vec::new(),
            help: None,
        }
    }
}

/// A declaration that a flow was held against, and what stood between the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// Which.
    pub declaration: DeclarationRef,
    /// The declaration in a line.
    pub text: String,
    /// What stood between, in words; each a reason of its own.
    pub but: Vec<String>,
}

/// What a database says about an address. A statement of its date, no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The number of the autonomous system that announces the address.
    pub asn: Option<u32>,
    /// Whose that is.
    pub name: Option<String>,
    /// The country, by ISO 3166-1.
    pub country: Option<String>,
    /// The database's file.
    pub database: String,
    /// The day on which it was built, `2026-11-22`.
    pub date: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.asn.map(|asn| format!("AS{asn}"));
        let who: Vec<&str> = [number.as_deref(), self.name.as_deref()].into_iter().flatten().collect();
        let parts = [who.join(" "), self.country.clone().unwrap_or_default()];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        write!(f, "{} ({} of {})", parts.join(", "), self.database, self.date)
    }
}

/// What the manifest makes of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A declaration admits it.
    Declared,
    /// One might, were the evidence there.
    Doubtful,
    /// None could.
    Undeclared,
}

/// How well a flow was protected, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Readable, or not known to be anything else.
    Clear,
    /// Guessed from the port; no byte says so.
    Guessed,
    /// A protocol that encrypts.
    Encrypted,
    /// No connection came about, so that nothing was sent.
    NothingSent,
}

/// What makes two flows the same endpoint, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What the manifest makes of it.
    pub status: Status,
    /// The rule that it broke, where it did.
    pub rule: Option<String>,
    /// Who talks.
    pub talker: crate::observation::Role,
    /// To whom.
    pub endpoint: String,
    /// Over what.
    pub transport: String,
    /// What is spoken.
    pub app: String,
    /// The names by which it is known, sorted; what the client asserts, else what DNS said.
    pub names: Vec<String>,
    /// The weakest evidence seen for its identity; `None` without any name.
    pub evidence: Option<Evidence>,
    /// Why it has no name.
    pub reason: Option<Reason>,
    /// The declaration that admits it, or might.
    pub declaration: Option<DeclarationRef>,
    /// The phases in which it was seen, in the plan's order.
    pub phases: Vec<String>,
    /// The weakest protection seen.
    pub protection: Protection,
    /// Flows.
    pub flows: u64,
    /// Packets: from the client, from the server.
    pub packets: [u64; 2],
    /// Bytes: from the client, from the server.
    pub bytes: [u64; 2],
    /// In how many repeats, and of how many.
    pub seen_in: [u32; 2],
    /// First seen, in seconds since its attempt began.
    pub t: f64,
    /// The last stimulus before that.
    pub since: Option<Since>,
    /// The first frame that shows it.
    pub frame: u64,
}

/// A declaration by its id and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeclarationRef {
    /// Its id.
    pub id: String,
    /// `privacy-manifest.yaml:12`.
    pub place: String,
}

/// An included profile, and what it admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ambient {
    /// Its id.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// Its file, as the manifest names it.
    pub file: String,
    /// Rows of the verdict's endpoints that it admits.
    pub endpoints: u64,
    /// Their flows.
    pub flows: u64,
    /// Their bytes: from the client, from the server.
    pub bytes: [u64; 2],
}

/// A declaration that nothing used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Which.
    pub declaration: DeclarationRef,
    /// Who was to talk.
    pub talker: Declared,
    /// The declaration's own line.
    pub text: String,
    /// A run without it fails.
    pub required: bool,
}
