//! Whether a declaration admits a flow: one flow, one declaration, and what stands between them.
//!
//! It says what is so; which finding comes of it is decided in `flows`.

use lab_observe::{FlowRecord, L4, Name, NameKind, Reason, State};

use super::verdict::Protection;
use crate::manifest::{Declaration, Encryption, Evidence, Manifest, Peer, Talker, Transport, canonical_host};
use crate::observation::{AttributedFlow, Confidence, Role};

/// What the flows of a capture say about look-ups that this flow's capture can't show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookUps {
    /// All of the client's look-ups were seen: an address without one never had one.
    AllSeen,
    /// Some may have been missed.
    MaybeMissed,
}

/// How far a flow's evidence reaches to what a declaration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// It is what the declaration names, by this evidence, which is enough.
    Shown(Evidence),
    /// It would be, were the evidence there.
    Doubtful(Doubt),
    /// The client asserts a declared name to an address that was never given for it, and no look-up can have been missed.
    Pretended,
    /// It is something else.
    Other,
}

/// Why an identity is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The client asserts the name, and the look-up may have been missed.
    Uncorroborated,
    /// DNS gave the address for the name, and the client asserts none where the declaration asks for that.
    OnlyLookedUp,
    /// Several names live on the address, one of them declared.
    Ambiguous,
    /// What would name it is hidden or lost.
    Hidden,
}

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
pub(super) fn rule<'m>(manifest: &'m Manifest, flow: &AttributedFlow<'_>, look_ups: LookUps) -> Ruling<'m> {
    let mut best = Ruling::Undeclared(None);
    // What somebody outside opened is declared by nobody: declarations say whom the product talks to.
    if flow.talker.role == Role::Services {
        return best;
    }
    for declaration in &manifest.endpoints {
        let found = if transport_and_port(declaration, flow.record) {
            ruling(declaration, fit(declaration, flow, look_ups))
        } else if matches!(identity(declaration, flow.record, look_ups), Identity::Shown(_)) {
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

fn transport_and_port(declaration: &Declaration, flow: &FlowRecord) -> bool {
    let transport = match flow.l4 {
        L4::Tcp => Transport::Tcp,
        L4::Udp => Transport::Udp,
        L4::Icmp | L4::Icmpv6 => return declaration.transport == Transport::Icmp,
        L4::Other(_) => return false,
    };
    declaration.transport == transport
        && declaration.ports.iter().any(|ports| ports.contains(flow.server.port()))
}

fn fit(declaration: &Declaration, flow: &AttributedFlow<'_>, look_ups: LookUps) -> Fit {
    let record = flow.record;
    let mut fit =
        Fit { identity: identity(declaration, record, look_ups), breaches: Vec::new(), unsure: Vec::new() };
    let phases = declaration.phases.as_ref();
    if phases.is_some_and(|phases| !phases.contains(&flow.phase)) {
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

/// Whether the declared talker is the one who talked; `None` where that can't be told. The system never counts as the
/// app, and nobody unknown counts as anybody.
fn talks(declared: Talker, flow: &AttributedFlow<'_>) -> Option<bool> {
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
pub(super) fn protection(flow: &FlowRecord) -> Protection {
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

/// The names that the client asserts. The server's own address, written where a name belongs, names nothing, and the
/// outer name of an Encrypted Client Hello is made to mislead.
pub(super) fn asserted(flow: &FlowRecord) -> impl Iterator<Item = &Name> {
    let own = flow.server.ip();
    flow.names.iter().filter(move |name| {
        name.kind.is_asserted() && name.kind != NameKind::EchOuter && name.name.parse() != Ok(own)
    })
}

/// The names for which DNS gave this client the server's address.
pub(super) fn looked_up(flow: &FlowRecord) -> impl Iterator<Item = &Name> {
    flow.names.iter().filter(|name| name.kind == NameKind::Dns)
}

fn vouched(flow: &FlowRecord, name: &str) -> bool {
    let same = |answer: &str| canonical_host(answer).is_ok_and(|answer| Ok(answer) == canonical_host(name));
    looked_up(flow).any(|answer| same(&answer.name) || answer.chain.iter().any(|alias| same(alias)))
}

fn identity(declaration: &Declaration, flow: &FlowRecord, look_ups: LookUps) -> Identity {
    let peer = &declaration.peer;
    if matches!(peer, Peer::Cidr(_)) {
        let covers = peer.covers_address(flow.server.ip());
        return if covers { Identity::Shown(Evidence::Ip) } else { Identity::Other };
    }
    let wanted = declaration.evidence;
    if asserted(flow).next().is_some() {
        // Every name that a flow asserts has to be one that the declaration covers: it is admitted whole or not at all.
        if !asserted(flow).all(|name| peer.covers_name(&name.name)) {
            return Identity::Other;
        }
        if best_evidence(flow) == Some(Evidence::Corroborated) {
            return Identity::Shown(Evidence::Corroborated);
        }
        return match (wanted, look_ups) {
            (Evidence::Sni | Evidence::Ip, _) => Identity::Shown(Evidence::Sni),
            (_, LookUps::MaybeMissed) => Identity::Doubtful(Doubt::Uncorroborated),
            (_, LookUps::AllSeen) => Identity::Pretended,
        };
    }
    let covered = looked_up(flow).filter(|name| peer.covers_name(&name.name)).count();
    if covered > 0 {
        return if covered < looked_up(flow).count() {
            Identity::Doubtful(Doubt::Ambiguous)
        } else if wanted == Evidence::Corroborated {
            Identity::Doubtful(Doubt::OnlyLookedUp)
        } else {
            Identity::Shown(Evidence::Dns)
        };
    }
    let unnamed = flow.state == State::Unresolved && looked_up(flow).next().is_none();
    let doubtful = match flow.reason {
        _ if !unnamed => false,
        // The name was in bytes that can't be read. It alone is enough where the declaration says so; otherwise a look-up
        // has to stand beside it, and there was none.
        Some(Reason::Ech | Reason::Loss | Reason::BeforeCapture) => {
            wanted == Evidence::Sni || look_ups == LookUps::MaybeMissed
        }
        Some(Reason::HiddenDns | Reason::NoDnsSeen) => look_ups == LookUps::MaybeMissed,
        _ => false,
    };
    if doubtful { Identity::Doubtful(Doubt::Hidden) } else { Identity::Other }
}

/// The strongest evidence for the server's name; `None` where nothing names it.
pub(super) fn best_evidence(flow: &FlowRecord) -> Option<Evidence> {
    let mut names = asserted(flow).peekable();
    if names.peek().is_none() {
        return looked_up(flow).next().map(|_| Evidence::Dns);
    }
    Some(if names.all(|name| vouched(flow, &name.name)) { Evidence::Corroborated } else { Evidence::Sni })
}

/// Whether any declaration names this host.
pub(super) fn declares_name(manifest: &Manifest, name: &str) -> bool {
    manifest.endpoints.iter().any(|declaration| declaration.peer.covers_name(name))
}
