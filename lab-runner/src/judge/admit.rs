//! Whether a declaration admits a flow: one flow, one declaration, and what stands between them.
//!
//! It says what is so; which finding comes of it is decided in `wording`.

use lab_observe::{FlowRecord, L4};

use super::identity::{Doubt, Identity, LookUps, Server};
use super::verdict::Protection;
use crate::manifest::{Declaration, Encryption, Evidence, Manifest, Talker, Transport};
use crate::observation::{AttributedFlow, Confidence, Role};

/// A condition of a declaration, beside its identity, that a flow breaks: no evidence could change that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    Phase,
    Talker,
    ClearText,
    Protocol,
}

/// A condition that can't be told from what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsure {
    Talker,
    Encryption,
    Protocol,
}

/// What stands between a flow and a declaration whose transport and port fit.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub(super) identity: Identity,
    pub(super) breaches: Vec<Breach>,
    pub(super) unsure: Vec<Unsure>,
}

impl Fit {
    /// The reason why it is no more than a doubt, where it is.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        match self.identity {
            Identity::Doubtful(doubt) => Some(doubt),
            _ => None,
        }
    }
}

/// What the manifest makes of a flow.
#[derive(Debug, Clone)]
pub(super) enum Ruling<'m> {
    /// This declaration, the first in the file, admits it whole.
    Admitted(&'m Declaration, Evidence),
    /// This one might, were the evidence there.
    Doubtful(&'m Declaration, Fit),
    /// This one names it, and it breaks the declaration's conditions.
    Broken(&'m Declaration, Breach),
    /// It asserts this one's name to an address that was never given for it.
    Pretended(&'m Declaration),
    /// None could admit it. `Some`: this one would, on another port or transport.
    Undeclared(Option<&'m Declaration>),
}

/// Holds a flow against every declaration.
pub(super) fn rule<'m>(
    manifest: &'m Manifest,
    flow: &AttributedFlow<'_>,
    server: &Server,
    look_ups: LookUps,
) -> Ruling<'m> {
    let mut best = Ruling::Undeclared(None);
    // What somebody outside opened is declared by nobody: declarations say whom the product talks to.
    if flow.talker.role == Role::Services {
        return best;
    }
    for declaration in &manifest.endpoints {
        let identity = server.is(declaration, look_ups);
        let found = if transport_and_port(declaration, flow.record) {
            ruling(declaration, fit(declaration, flow, identity))
        } else if matches!(identity, Identity::Shown(_)) {
            Ruling::Undeclared(Some(declaration))
        } else {
            continue;
        };
        if rank(&found) > rank(&best) {
            best = found;
        }
    }
    best
}

/// How near a ruling is to admission. The first declaration of the best rank counts.
fn rank(ruling: &Ruling<'_>) -> u8 {
    match ruling {
        Ruling::Undeclared(None) => 0,
        Ruling::Undeclared(Some(_)) => 1,
        Ruling::Pretended(_) => 2,
        Ruling::Broken(..) => 3,
        Ruling::Doubtful(..) => 4,
        Ruling::Admitted(..) => 5,
    }
}

fn ruling(declaration: &Declaration, fit: Fit) -> Ruling<'_> {
    match (fit.identity, fit.breaches.first()) {
        (Identity::Other, _) => Ruling::Undeclared(None),
        (Identity::Pretended, _) => Ruling::Pretended(declaration),
        (_, Some(breach)) => Ruling::Broken(declaration, *breach),
        (Identity::Shown(evidence), None) if fit.unsure.is_empty() => Ruling::Admitted(declaration, evidence),
        (Identity::Shown(_) | Identity::Doubtful(_), None) => Ruling::Doubtful(declaration, fit),
    }
}

pub(super) fn transport_and_port(declaration: &Declaration, flow: &FlowRecord) -> bool {
    let transport = match flow.l4 {
        L4::Tcp => Transport::Tcp,
        L4::Udp => Transport::Udp,
        L4::Icmp | L4::Icmpv6 => return declaration.transport == Transport::Icmp,
        L4::Other(_) => return false,
    };
    declaration.transport == transport
        && declaration.ports.iter().any(|ports| ports.contains(flow.server.port()))
}

pub(super) fn fit(declaration: &Declaration, flow: &AttributedFlow<'_>, identity: Identity) -> Fit {
    let record = flow.record;
    let mut fit = Fit { identity, breaches: Vec::new(), unsure: Vec::new() };
    if !in_phase(declaration, &flow.phase) {
        fit.breaches.push(Breach::Phase);
    }
    match talks(declaration.talker, flow) {
        Some(true) => {}
        Some(false) => fit.breaches.push(Breach::Talker),
        None => fit.unsure.push(Unsure::Talker),
    }
    if declaration.encryption == Some(Encryption::Required) {
        match protection(record) {
            Protection::Encrypted | Protection::NothingSent => {}
            Protection::Guessed => fit.unsure.push(Unsure::Encryption),
            Protection::Clear => fit.breaches.push(Breach::ClearText),
        }
    }
    if let Some(protocol) = &declaration.protocol {
        let speaks = speaks(protocol, &record.app);
        match protection(record) {
            Protection::NothingSent => {}
            _ if !speaks => fit.breaches.push(Breach::Protocol),
            _ if record.guessed => fit.unsure.push(Unsure::Protocol),
            _ => {}
        }
    }
    fit
}

/// Whether the declaration is for this phase.
pub(super) fn in_phase(declaration: &Declaration, phase: &str) -> bool {
    declaration.phases.as_ref().is_none_or(|phases| phases.iter().any(|one| one == phase))
}

/// Whether the declared talker is the one who talked; `None` where that can't be told. The system never counts as the
/// app, and nobody unknown counts as anybody.
pub(super) fn talks(declared: Talker, flow: &AttributedFlow<'_>) -> Option<bool> {
    let talker = &flow.talker;
    if talker.role == Role::Unknown || talker.confidence == Confidence::None {
        return None;
    }
    let same = match declared {
        Talker::App => talker.role == Role::App,
        Talker::Os => talker.role == Role::Os,
        Talker::Watch => talker.role == Role::Watch,
    };
    Some(same)
}

fn speaks(declared: &str, app: &str) -> bool {
    match declared {
        "https" => matches!(app, "tls" | "quic"),
        other => other == app,
    }
}

/// How well a flow was protected, as far as its bytes tell.
pub(crate) fn protection(flow: &FlowRecord) -> Protection {
    let encrypts = matches!(flow.app.as_str(), "tls" | "quic" | "dtls" | "ssh" | "dot" | "doq" | "wireguard");
    if flow.l4 == L4::Tcp && !flow.answered {
        Protection::NothingSent
    } else if encrypts && !flow.guessed {
        Protection::Encrypted
    } else if encrypts {
        Protection::Guessed
    } else {
        Protection::Clear
    }
}
