//! Who the server of a flow is, as far as evidence tells, and whether a declaration means that one.
//!
//! Names belong to the flow that shows them: an address satisfies only a declaration of addresses, and reverse DNS
//! nothing at all.

use std::net::IpAddr;

use lab_observe::{FlowRecord, Name, NameKind, Reason, State};

use crate::manifest::{Declaration, Evidence, Surroundings, canonical_host};

/// What the flows of a capture say about look-ups that this flow's capture can't show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// Everything that tells who the server is, in the form in which names are compared.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The other end's address.
    pub(super) address: IpAddr,
    /// What the client asserts. `None` stands for a name that no declaration can have, because it is no host's.
    pub(super) asserted: Vec<Option<String>>,
    /// For which names DNS gave the client this address.
    pub(super) looked_up: Vec<Option<String>>,
    /// What the server's certificate says.
    pub(super) certified: Vec<String>,
    /// DNS gave the client this address for every name that it asserts.
    corroborated: bool,
    /// Why nothing names it.
    hidden: Option<Reason>,
}

impl Server {
    /// Of a flow; `address` is the end that isn't the product's.
    pub(super) fn of(flow: &FlowRecord, address: IpAddr) -> Self {
        let canonical = |name: &Name| canonical_host(&name.name).ok();
        let asserted: Vec<_> = asserted(flow).map(canonical).collect();
        let looked: Vec<_> = looked_up(flow).map(canonical).collect();
        // An alias on the way to the address was given it as well as the name that was asked for. It vouches for itself
        // alone: the owner's declaration doesn't cover it.
        let aliases = looked_up(flow).flat_map(|answer| &answer.chain);
        let aliases: Vec<String> = aliases.filter_map(|alias| canonical_host(alias).ok()).collect();
        let vouched = |name: &Option<String>| {
            name.as_ref().is_some_and(|name| {
                looked.iter().flatten().any(|answer| answer == name) || aliases.contains(name)
            })
        };
        let unnamed = flow.state == State::Unresolved && looked.is_empty();
        // A wildcard names no host: any label stands for the one that it leaves open.
        let certified = flow.names_of(NameKind::CertSan).map(|name| name.replacen('*', "any", 1));
        let certified = certified.filter_map(|name| canonical_host(&name).ok());
        Self {
            address: address.to_canonical(),
            corroborated: !asserted.is_empty() && asserted.iter().all(vouched),
            certified: certified.collect(),
            hidden: flow.reason.filter(|_| unnamed),
            asserted,
            looked_up: looked,
        }
    }

    /// The strongest evidence for the server's name; `None` where nothing names it.
    pub(super) fn best_evidence(&self) -> Option<Evidence> {
        if self.corroborated {
            Some(Evidence::Corroborated)
        } else if !self.asserted.is_empty() {
            Some(Evidence::Sni)
        } else if !self.looked_up.is_empty() {
            Some(Evidence::Dns)
        } else {
            (!self.certified.is_empty()).then_some(Evidence::Cert)
        }
    }

    /// Every name that may find a declaration; what is asserted and was looked up as well, once.
    pub(super) fn every_name(&self) -> impl Iterator<Item = &str> {
        let looked_up = self.looked_up.iter().filter(|name| !self.asserted.contains(name));
        self.asserted.iter().chain(looked_up).flatten().chain(&self.certified).map(String::as_str)
    }

    /// Whether neither the client nor DNS names it.
    pub(super) fn is_unnamed(&self) -> bool {
        self.asserted.is_empty() && self.hidden.is_some()
    }

    /// Whether a name that a declaration of this evidence would do with may be there, and can't be seen.
    pub(super) fn hides(&self, wanted: Evidence, look_ups: LookUps) -> bool {
        if !self.is_unnamed() {
            return false;
        }
        match self.hidden {
            // The name was in bytes that can't be read. It alone is enough where the declaration says so; otherwise a
            // look-up has to stand beside it, and there was none.
            Some(Reason::Ech | Reason::Loss | Reason::BeforeCapture) => {
                matches!(wanted, Evidence::Sni | Evidence::Cert) || look_ups == LookUps::MaybeMissed
            }
            Some(Reason::HiddenDns | Reason::NoDnsSeen) => look_ups == LookUps::MaybeMissed,
            _ => false,
        }
    }

    /// Whether this is whom the declaration names, as far as names and addresses are there to tell.
    pub(super) fn is(&self, declaration: &Declaration, look_ups: LookUps, around: &Surroundings) -> Identity {
        let peer = &declaration.peer;
        if !peer.is_named() {
            let covers = peer.covers_address_in(self.address, around);
            return if covers { Identity::Shown(Evidence::Ip) } else { Identity::Other };
        }
        let covers = |name: &Option<String>| name.as_ref().is_some_and(|name| peer.covers_name(name));
        let wanted = declaration.evidence;
        if !self.asserted.is_empty() {
            // Every name that a flow asserts has to be one that the declaration covers: it is admitted whole or not at all.
            if !self.asserted.iter().all(covers) {
                return Identity::Other;
            }
            if self.corroborated {
                return Identity::Shown(Evidence::Corroborated);
            }
            return match (wanted, look_ups) {
                (Evidence::Corroborated | Evidence::Dns, LookUps::MaybeMissed) => {
                    Identity::Doubtful(Doubt::Uncorroborated)
                }
                (Evidence::Corroborated | Evidence::Dns, LookUps::AllSeen) => Identity::Pretended,
                (Evidence::Sni | Evidence::Cert | Evidence::Ip, _) => Identity::Shown(Evidence::Sni),
            };
        }
        // A certificate is told apart from the many names of a shared address, and by nothing else vouched for.
        if wanted == Evidence::Cert && self.certified.iter().any(|name| peer.covers_name(name)) {
            return Identity::Shown(Evidence::Cert);
        }
        let covered = self.looked_up.iter().filter(|name| covers(name)).count();
        match (covered, wanted) {
            (0, _) => Identity::Other,
            (covered, _) if covered < self.looked_up.len() => Identity::Doubtful(Doubt::Ambiguous),
            (_, Evidence::Corroborated) => Identity::Doubtful(Doubt::OnlyLookedUp),
            _ => Identity::Shown(Evidence::Dns),
        }
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
