//! Whether a declaration admits a flow: one flow, one declaration, and what stands between them.
//!
//! It says what is so; which finding comes of it is decided in `wording`.

use lab_observe::{FlowRecord, L4, NameKind, Reason};

use super::identity::{Doubt, Identity, asserted};
use super::verdict::Protection;
use crate::manifest::{Declaration, Encryption, Evidence, OpenedBy, Talker, TlsVersion, Transport};
use crate::observation::{AttributedFlow, Confidence, Role, Sides};

/// A condition of a declaration, beside its identity, that a flow breaks: no evidence could change that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    Phase,
    Talker,
    ClearText,
    OldTls,
    Ech,
    NoSni,
    Protocol,
}

/// A condition that can't be told from what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsure {
    Talker,
    Encryption,
    Tls,
    Protocol,
}

/// What stands between a flow and a declaration whose transport, port and opener fit.
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
    /// None could admit it. `Some`: this one would, on another port or transport, or opened by the other side.
    Undeclared(Option<&'m Declaration>),
}

impl<'m> Ruling<'m> {
    /// How near it is to admission. The first declaration of the best rank counts.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Ruling::Undeclared(None) => 0,
            Ruling::Undeclared(Some(_)) => 1,
            Ruling::Pretended(_) => 2,
            Ruling::Broken(..) => 3,
            Ruling::Doubtful(..) => 4,
            Ruling::Admitted(..) => 5,
        }
    }

    /// The declaration that it is about.
    pub(super) fn declaration(&self) -> Option<&'m Declaration> {
        match self {
            Ruling::Admitted(declaration, _)
            | Ruling::Doubtful(declaration, _)
            | Ruling::Broken(declaration, _)
            | Ruling::Pretended(declaration) => Some(*declaration),
            Ruling::Undeclared(_) => None,
        }
    }
}

/// What one declaration makes of a flow; `identity` is how far the flow's server is whom it names.
pub(super) fn one<'m>(
    declaration: &'m Declaration,
    flow: &AttributedFlow<'_>,
    sides: &Sides,
    identity: Identity,
) -> Ruling<'m> {
    if identity == Identity::Other {
        return Ruling::Undeclared(None);
    }
    if !reaches(declaration, flow) {
        let shown = matches!(identity, Identity::Shown(_));
        return Ruling::Undeclared(shown.then_some(declaration));
    }
    let fit = fit(declaration, flow, sides, identity);
    match (fit.identity, fit.breaches.first()) {
        (Identity::Other, _) => Ruling::Undeclared(None),
        (Identity::Pretended, _) => Ruling::Pretended(declaration),
        // What can't be seen is held against nobody who couldn't admit it anyway.
        (Identity::Doubtful(Doubt::Hidden), Some(_)) => Ruling::Undeclared(None),
        (_, Some(breach)) => Ruling::Broken(declaration, *breach),
        (Identity::Shown(evidence), None) if fit.unsure.is_empty() => Ruling::Admitted(declaration, evidence),
        (Identity::Shown(_) | Identity::Doubtful(_), None) => Ruling::Doubtful(declaration, fit),
    }
}

/// What a declaration calls a flow's transport; `None` where none can be declared.
pub(super) fn transport(flow: &FlowRecord) -> Option<Transport> {
    match flow.l4 {
        L4::Tcp => Some(Transport::Tcp),
        L4::Udp => Some(Transport::Udp),
        L4::Icmp | L4::Icmpv6 => Some(Transport::Icmp),
        L4::Other(_) => None,
    }
}

/// Whether transport, port and opener are the declared ones. The ports are those of whoever was called.
pub(super) fn reaches(declaration: &Declaration, flow: &AttributedFlow<'_>) -> bool {
    let opened_by = if flow.talker.role == Role::Services { OpenedBy::Peer } else { OpenedBy::Product };
    let port = flow.record.server.port();
    declaration.opened_by == opened_by
        && Some(declaration.transport) == transport(flow.record)
        && (declaration.transport == Transport::Icmp
            || declaration.ports.iter().any(|ports| ports.contains(port)))
}

/// Everything beside transport, port and opener.
pub(super) fn fit(
    declaration: &Declaration,
    flow: &AttributedFlow<'_>,
    sides: &Sides,
    identity: Identity,
) -> Fit {
    let mut fit = Fit { identity, breaches: Vec::new(), unsure: Vec::new() };
    if !in_phase(declaration, &flow.phase) {
        fit.breaches.push(Breach::Phase);
    }
    let talks = match declaration.opened_by {
        OpenedBy::Product => talks(declaration.talker, flow),
        OpenedBy::Peer => answers(declaration.talker, flow, sides),
    };
    match talks {
        Some(true) => {}
        Some(false) => fit.breaches.push(Breach::Talker),
        None => fit.unsure.push(Unsure::Talker),
    }
    encryption(declaration, flow.record, &mut fit);
    if let Some(protocol) = &declaration.protocol {
        let record = flow.record;
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

/// The same for a flow that somebody outside opened: whether the declared talker is the one who was called. On a phone,
/// nothing in the packets tells the app from the system.
fn answers(declared: Talker, flow: &AttributedFlow<'_>, sides: &Sides) -> Option<bool> {
    let record = flow.record;
    match (sides.role(record.server.ip(), record.server_mac)?, declared) {
        ("watch", declared) => Some(declared == Talker::Watch),
        ("phone", Talker::Watch) => Some(false),
        _ => None,
    }
}

fn encryption(declaration: &Declaration, flow: &FlowRecord, fit: &mut Fit) {
    let protection = protection(flow);
    if protection == Protection::NothingSent {
        return;
    }
    if declaration.encryption == Some(Encryption::Required) {
        match protection {
            Protection::Encrypted | Protection::NothingSent => {}
            Protection::Guessed => fit.unsure.push(Unsure::Encryption),
            Protection::Clear => fit.breaches.push(Breach::ClearText),
        }
    }
    if let Some(least) = declaration.tls {
        match tls_version(flow) {
            Some(Some(version)) if version >= least => {}
            Some(_) => fit.breaches.push(Breach::OldTls),
            None => fit.unsure.push(Unsure::Tls),
        }
    }
    if declaration.ech_forbidden && flow.ech {
        fit.breaches.push(Breach::Ech);
    }
    if declaration.sni_required && !named_in_hello(flow) {
        // A ClientHello that was read leaves its fingerprint.
        let read = flow.ja4.is_some() && !matches!(flow.reason, Some(Reason::Loss | Reason::BeforeCapture));
        if read { fit.breaches.push(Breach::NoSni) } else { fit.unsure.push(Unsure::Tls) }
    }
}

fn named_in_hello(flow: &FlowRecord) -> bool {
    let of_hello = [NameKind::Sni, NameKind::QuicSni, NameKind::StarttlsSni];
    asserted(flow).any(|name| of_hello.contains(&name.kind))
}

/// The version of TLS: `None` where it wasn't seen, `Some(None)` for what is older than any or none at all.
fn tls_version(flow: &FlowRecord) -> Option<Option<TlsVersion>> {
    match flow.app.as_str() {
        // RFC 9001 section 4.2: QUIC is never less than TLS 1.3.
        "quic" => Some(Some(TlsVersion::V1_3)),
        "tls" | "dtls" => {
            let written = flow.version.as_deref()?;
            // A draft of a version is not that version.
            Some(TlsVersion::ALL.iter().copied().find(|version| version.word() == written))
        }
        _ if protection(flow) == Protection::Clear => None,
        _ => Some(None),
    }
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
    if flow.silent || (flow.l4 == L4::Tcp && !flow.answered) {
        Protection::NothingSent
    } else if encrypts && !flow.guessed {
        Protection::Encrypted
    } else if encrypts {
        Protection::Guessed
    } else {
        Protection::Clear
    }
}
