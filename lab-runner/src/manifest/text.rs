//! A declaration in one canonical line.

use super::words::{Encryption, Evidence, OpenedBy};
use super::{Declaration, Peer, PortRange};

/// The declaration in one line; everything that changes what it admits is in it, and nothing else.
pub(super) fn canonical_text(declaration: &Declaration) -> String {
    let mut text =
        format!("{} → {} {}", declaration.talker.word(), declaration.peer, declaration.transport.word());
    let ports: Vec<String> = declaration.ports.iter().map(PortRange::to_string).collect();
    if !ports.is_empty() {
        text.push('/');
        text.push_str(&ports.join(","));
    }
    if let Some(protocol) = &declaration.protocol {
        text.push(' ');
        text.push_str(protocol);
    }
    let mut add = |part: &str| {
        text.push_str(", ");
        text.push_str(part);
    };
    if declaration.opened_by == OpenedBy::Peer {
        add("opened by the peer");
    }
    if declaration.encryption == Some(Encryption::Required) {
        add("encrypted");
    }
    if let Some(least) = declaration.tls {
        add(&format!("TLS {} at least", least.word()));
    }
    if declaration.ech_forbidden {
        add("no ECH");
    }
    if declaration.sni_required {
        add("with SNI");
    }
    if declaration.evidence != default_evidence(&declaration.peer) {
        add(&format!("evidence {}", declaration.evidence.word()));
    }
    if let Some(phases) = &declaration.phases {
        add(&format!("in {}", phases.join(" ")));
    }
    for budget in &declaration.budgets {
        add(&format!("at most {budget}"));
    }
    if declaration.required {
        add("required");
    }
    text
}

/// The least evidence that a peer's identity needs where the declaration doesn't say: NTP carries no name, and an
/// address is told by itself.
pub(crate) fn default_evidence(peer: &Peer) -> Evidence {
    match peer {
        Peer::Host(_) | Peer::Suffix(_) | Peer::Glob(_) => Evidence::Corroborated,
        Peer::Class(class) if class.is_named() => Evidence::Dns,
        Peer::Cidr(_) | Peer::Class(_) => Evidence::Ip,
    }
}
