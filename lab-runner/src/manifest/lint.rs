//! What a person should look at again in a manifest that is right: nothing here changes a verdict.
//!
//! It reads no clock: today is given. Some of the rules are RFC 9726's (BCP 241) for devices that declare their peers:
//! no IP literals, and names that the vendor owns.

use std::collections::HashMap;

use super::class::{Class, is_local};
use super::cover::admits_all;
use super::name::is_under;
use super::words::{Encryption, Evidence, Transport};
use super::{Date, Declaration, Index, Manifest, Peer};
use crate::yaml::{Diagnostic, Position};

/// The most remarks that are kept: nobody reads more, and each costs a walk to its line.
const MOST: usize = 200;

/// The most pairs of declarations that are compared: thousands that all cover one another are no vendor's.
const MOST_PAIRS: usize = 2_000_000;

/// Protocols that never run over UDP, as `lab observe` calls them.
const NEVER_UDP: [&str; 4] = ["tls", "http", "ssh", "dot"];
/// Protocols that never run over TCP.
const NEVER_TCP: [&str; 10] =
    ["quic", "dtls", "ntp", "doq", "dhcp", "mdns", "ssdp", "llmnr", "wireguard", "coap"];
/// Protocols without encryption of their own.
const CLEAR: [&str; 8] = ["http", "dns", "ntp", "dhcp", "mdns", "ssdp", "llmnr", "stun"];
/// Protocols that carry no name of the server.
const NAMELESS: [&str; 4] = ["ntp", "stun", "dhcp", "wireguard"];

/// Everything that is worth a look, in the order of the files. Each message begins with a word in brackets that stays
/// the same from version to version: `expired-review`, `ip-literal`, `foreign-name`, `no-domains`, `never-matches`,
/// `shadowed`, `no-purpose`, `no-recipient`.
pub fn lint(manifest: &Manifest, today: Date) -> Vec<Diagnostic> {
    let index = Index::of(manifest);
    let mut remarks = Remarks { manifest, found: Vec::new(), covering: HashMap::new(), pairs: 0 };
    let owners = manifest.domains.len()
        + manifest.controllers.iter().map(|controller| controller.domains.len()).sum::<usize>();
    if owners == 0 && manifest.endpoints.iter().any(|declaration| anchor(&declaration.peer).is_some()) {
        remarks.add(
            None,
            manifest.product_at,
            "[no-domains] nothing says which domains the vendor owns, so names can't be held against them",
            "add `domains: […]` to the product and to the controllers",
        );
    }
    for declaration in manifest.declarations() {
        if remarks.found.len() >= MOST {
            break;
        }
        remarks.expired(declaration, today);
        remarks.never_matches(declaration);
        remarks.shadowed(declaration, &index);
        // What a phone's system says is no choice of the vendor's.
        if manifest.profile_of(declaration).is_none() {
            remarks.whose(declaration, owners > 0);
            remarks.unsaid(declaration);
        }
    }
    let mut found = remarks.found;
    found.sort_by_key(|remark| (remark.file != manifest.file, remark.file.clone(), remark.at));
    found
}

struct Remarks<'m> {
    manifest: &'m Manifest,
    found: Vec<Diagnostic>,
    /// Whom a peer is covered by: many declarations may share one.
    covering: HashMap<&'m Peer, Vec<&'m Declaration>>,
    pairs: usize,
}

impl<'m> Remarks<'m> {
    fn add(
        &mut self,
        of: Option<&Declaration>,
        at: Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let profile = of.and_then(|declaration| self.manifest.profile_of(declaration));
        let (file, text) = match profile {
            Some(profile) => (&profile.file, &profile.source),
            None => (&self.manifest.file, &self.manifest.source),
        };
        self.found.push(Diagnostic::warning(file, text, at, message).help(help));
    }

    fn expired(&mut self, declaration: &Declaration, today: Date) {
        if let Some((date, at)) = declaration.statement.review_by
            && date < today
        {
            let message =
                format!("[expired-review] `{}` was to be looked at again by {date}", declaration.id);
            self.add(
                Some(declaration),
                at,
                message,
                "look whether it still has to be, and set the next date",
            );
        }
    }

    fn never_matches(&mut self, declaration: &Declaration) {
        let protocol = declaration.protocol.as_deref().unwrap_or_default();
        let is = |list: &[&str]| list.contains(&protocol);
        let transport = declaration.transport;
        let (message, help) = match transport {
            Transport::Udp if is(&NEVER_UDP) => {
                (format!("{protocol} never runs over UDP"), "write `transport: tcp`")
            }
            Transport::Tcp if is(&NEVER_TCP) => {
                (format!("{protocol} never runs over TCP"), "write `transport: udp`")
            }
            _ if declaration.encryption == Some(Encryption::Required) && is(&CLEAR) => (
                format!("{protocol} is never encrypted"),
                "name the protocol that it runs in, such as tls, or remove `encryption`, `tls` and `sni`",
            ),
            _ if declaration.peer.is_named()
                && declaration.evidence == Evidence::Corroborated
                && (transport == Transport::Icmp || is(&NAMELESS)) =>
            {
                let what = if transport == Transport::Icmp { "ICMP" } else { protocol };
                (
                    format!("{what} carries no name, and `evidence: corroborated` asks for one"),
                    "write `evidence: dns`",
                )
            }
            _ => return,
        };
        let message = format!("[never-matches] `{}` can't admit anything: {message}", declaration.id);
        self.add(Some(declaration), declaration.at, message, help);
    }

    fn shadowed(&mut self, declaration: &'m Declaration, index: &Index<'m>) {
        if self.pairs > MOST_PAIRS {
            return;
        }
        let peer = &declaration.peer;
        let covering = self.covering.entry(peer).or_insert_with(|| index.covering_peer(peer));
        self.pairs += covering.len();
        let mut before = covering.iter().take_while(|other| other.id != declaration.id);
        let earlier = before.find(|other| admits_all(other, declaration)).copied();
        if let Some(earlier) = earlier {
            let message = format!(
                "[shadowed] `{}` is never used: `{}`, in line {}, admits all of it before",
                declaration.id, earlier.id, earlier.at.line
            );
            self.add(
                Some(declaration),
                declaration.at,
                message,
                "put the narrower one first, or remove one of them",
            );
        }
    }

    fn whose(&mut self, declaration: &Declaration, owners: bool) {
        if declaration.statement.justification.is_some() {
            return;
        }
        let manifest = self.manifest;
        match &declaration.peer {
            Peer::Cidr(net) if !is_local(net.network()) && !net.network().is_multicast() => {
                let message = format!("[ip-literal] `{}` is declared by its address, {net}", declaration.id);
                let help = "declare its name (RFC 9726), or say in `justification` why it has none";
                self.add(Some(declaration), declaration.peer_at, message, help);
            }
            peer => {
                let Some(anchor) = anchor(peer) else { return };
                let recipient =
                    declaration.statement.recipient.as_deref().and_then(|id| manifest.controller(id));
                let recipients = match recipient {
                    Some(recipient) => std::slice::from_ref(recipient),
                    None => manifest.controllers.as_slice(),
                };
                let mut owned = manifest
                    .domains
                    .iter()
                    .chain(recipients.iter().flat_map(|controller| &controller.domains));
                if owners && !owned.any(|domain| is_under(&anchor, domain)) {
                    let of = recipient.map_or("a controller", |recipient| recipient.id.as_str());
                    let message = format!(
                        "[foreign-name] `{}`: {anchor} is under no domain of the vendor or of {of}",
                        declaration.id
                    );
                    let help = "name its owner as a controller with its `domains` and as `recipient`, or say why in `justification`";
                    self.add(Some(declaration), declaration.peer_at, message, help);
                }
            }
        }
    }

    fn unsaid(&mut self, declaration: &Declaration) {
        if declaration.purpose.is_none() {
            let message = format!("[no-purpose] `{}` doesn't say what it is for", declaration.id);
            let help = "add `purpose`, such as account or firmware-update; `lab schema manifest` lists them";
            self.add(Some(declaration), declaration.at, message, help);
        }
        // What stays in the client's own network has nobody who gets it.
        if declaration.statement.recipient.is_none() && !matches!(declaration.peer, Peer::Class(_)) {
            let message = format!("[no-recipient] `{}` doesn't say who gets the data", declaration.id);
            let help = "add the company to `controllers`, and its id as `recipient`";
            self.add(Some(declaration), declaration.at, message, help);
        }
    }
}

/// The name that everything that a peer covers stands under; none for what is no company's.
fn anchor(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Host(name) | Peer::Suffix(name) => Some(name.clone()),
        Peer::Glob(glob) => Some(glob.tail()),
        Peer::Cidr(_) | Peer::Class(Class::NtpPool | Class::Lan | Class::Multicast) => None,
        Peer::Class(Class::Gateway | Class::DnsResolver) => None,
    }
}
