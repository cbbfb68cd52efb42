//! Where protocols tell what they find on a flow.
//!
//! Only notes; whether they name a flow is decided in [`crate::state`] once it is over.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::context::Context;
use crate::escape;
use crate::flow::{CLIENT, Flow, SERVER, UNKNOWN};
use crate::hash::Hasher;
use crate::protocol::dns::message::Message;
use crate::record::{Name, NameKind, Word};

/// A longer name is no host's (RFC 1035 §2.3.4 allows 255).
pub(super) const MAX_NAME: usize = 512;
/// Names in a certificate that are sought among those that were told, one by one; more are looked up.
const FEW_NAMES: usize = 24;

/// A flow, as its protocols may write to it.
pub(crate) struct Facts<'a, 'c> {
    pub(crate) flow: &'a mut Flow,
    pub(crate) context: &'a mut Context<'c>,
}

impl Facts<'_, '_> {
    /// The flow's bytes tell what is spoken; a guess gives way, a protocol that was told before does not.
    pub(crate) fn recognised(&mut self, app: &'static str) {
        self.flow.recognised(app);
    }

    /// What is spoken from here on instead of what was told before.
    pub(crate) fn becomes(&mut self, app: &'static str) {
        self.flow.app = app;
        self.flow.guessed = false;
        self.flow.evidence().version = None;
    }

    /// One side's bytes alone suggest what is spoken.
    pub(crate) fn suggested(&mut self, app: &'static str) {
        self.flow.suggested(app);
    }

    /// Whether nothing is known of what is spoken, or only a guess.
    pub(crate) fn is_unknown(&self) -> bool {
        self.flow.app == UNKNOWN || self.flow.guessed
    }

    /// A name in the words of the wire; empty ones and those told before are left out.
    pub(crate) fn name(&mut self, kind: NameKind, bytes: &[u8]) {
        self.escaped(kind, escape::name(bytes, MAX_NAME));
    }

    /// A name that was already made printable.
    pub(crate) fn escaped(&mut self, kind: NameKind, name: impl AsRef<str> + Into<String>) {
        self.question(kind, name, None);
    }

    /// A name that was already made printable and is asked for, and the type if it is none of an address.
    pub(crate) fn question(
        &mut self,
        kind: NameKind,
        name: impl AsRef<str> + Into<String>,
        qtype: Option<&str>,
    ) {
        // The same is told again and again.
        if !self.flow.evidence().has(kind, name.as_ref(), qtype) {
            let name = Name::new(kind, name, self.context.frame);
            self.keep(Name { qtype: qtype.map(Into::into), ..name });
        }
    }

    /// Keeps a name that is new, where there is room.
    fn keep(&mut self, name: Name) {
        if name.name.is_empty() {
            return;
        }
        let evidence = self.flow.evidence();
        let bytes = size_of::<Name>() + name.name.len() + name.qtype.as_ref().map_or(0, String::len);
        if evidence.has_room() && self.context.room.take(bytes) {
            evidence.name(name);
        } else {
            evidence.dropped += 1;
        }
    }

    /// Takes room for bytes that a parser keeps to the flow's end; false where there is none, and the stream is given up.
    #[must_use]
    pub(crate) fn has_room_for(&mut self, bytes: usize) -> bool {
        let fits = self.context.room.take(bytes);
        self.context.room.evicted += u64::from(!fits);
        fits
    }

    /// The names in a server's certificate, which may be many, and how many more there are; `whole` where it was seen to
    /// its end.
    pub(crate) fn certified<'n>(
        &mut self,
        names: impl Iterator<Item = &'n [u8]>,
        addresses: impl Iterator<Item = IpAddr>,
        left: u64,
        whole: bool,
    ) {
        let frame = self.context.frame;
        let evidence = self.flow.evidence();
        let before = evidence.dropped;
        evidence.dropped += left;
        let names = names.map(|name| escape::name(name, MAX_NAME));
        let names: Vec<String> = names.chain(addresses.map(|address| address.to_string())).collect();
        if names.len() <= FEW_NAMES {
            for name in names {
                self.escaped(NameKind::CertSan, name);
            }
        } else {
            let told = evidence.names.iter().filter(|name| name.kind == NameKind::CertSan);
            let mut known: HashSet<String, Hasher> = told.map(|name| name.name.clone()).collect();
            for name in names {
                if !known.contains(&name) {
                    known.insert(name.clone());
                    self.keep(Name::new(NameKind::CertSan, name, frame));
                }
            }
        }
        let evidence = self.flow.evidence();
        evidence.certified_in_part |= !whole || evidence.dropped > before;
    }

    /// Whether the same was heard on this flow of late, and told all that it tells.
    pub(super) fn has_heard(&self, bytes: &[u8]) -> bool {
        self.context.repeats.has(&(self.context.key(), self.flow.first_frame), bytes)
    }

    /// These bytes, if they are heard again on this flow, tell nothing new.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        // Each name that doesn't fit counts.
        if !self.flow.has_dropped() {
            self.context.repeats.keep((self.context.key(), self.flow.first_frame), bytes);
        }
    }

    /// An answer to this flow's client holds keys for Encrypted Client Hello to a name that it asked for.
    pub(crate) fn has_keys(&mut self, name: &str) {
        let asked = |known: &&mut Name| {
            matches!(known.qtype.as_deref(), Some("HTTPS" | "SVCB")) && known.name == name
        };
        if let Some(known) = self.flow.evidence().names.iter_mut().find(asked) {
            known.ech = true;
        }
    }

    /// The application protocols that the client offers.
    pub(crate) fn alpn(&mut self, offered: Vec<Word>) {
        if !offered.is_empty() && self.flow.evidence().alpn.is_empty() {
            self.flow.evidence().alpn = offered;
        }
    }

    /// The version that is spoken, or offered until the server chose; the last word counts.
    pub(crate) fn version(&mut self, version: impl Into<std::borrow::Cow<'static, str>>) {
        self.flow.evidence().version = Some(version.into());
    }

    /// The client's TLS fingerprint (JA4).
    pub(crate) fn ja4(&mut self, ja4: String) {
        self.flow.evidence().ja4.get_or_insert(ja4);
    }

    /// The flow carries something that identifies its user or device; the value itself is never kept.
    pub(crate) fn carries(&mut self, what: &'static str) {
        let carries = &mut self.flow.evidence().carries;
        if !carries.contains(&what) {
            carries.push(what);
        }
    }

    /// The real name is encrypted (ECH, ESNI).
    pub(crate) fn hides_its_name(&mut self) {
        self.flow.ech = true;
    }

    /// Look-ups of this client are hidden from here on (DoT, DoH, DoQ).
    pub(crate) fn hides_look_ups(&mut self) {
        self.context.names.hides(self.context.ends()[CLIENT].0, self.flow.client_mac);
    }

    /// The client asks a resolver.
    pub(crate) fn uses_look_ups(&mut self) {
        self.context.names.asked(self.context.ends()[CLIENT].0, self.flow.client_mac);
    }

    /// The client was given an answer.
    pub(crate) fn was_told(&mut self, message: &Message) {
        self.context.names.answered(
            self.context.ends()[CLIENT].0,
            self.flow.client_mac,
            message,
            self.context.frame,
        );
    }

    /// An oddity, by its word; kept with this frame, for the flow and for the capture.
    pub(crate) fn weird(&mut self, word: &'static str) {
        self.weird_in(self.context.frame, word);
    }

    /// The same of another frame.
    pub(crate) fn weird_in(&mut self, frame: u64, word: &'static str) {
        self.flow.evidence().weird(word, frame);
        self.context.oddities.note(word, frame);
    }

    /// An oddity behind which there may be more than the names tell.
    pub(crate) fn doubt(&mut self, word: &'static str) {
        self.weird(word);
        self.unread();
    }

    /// Payload that claimed to be of a parsed protocol could not be read: there may be more than the names tell.
    pub(crate) fn unread(&mut self) {
        self.flow.unread = true;
    }

    /// Bytes that might have told a name are missing.
    pub(crate) fn lossy(&mut self) {
        self.flow.lossy = true;
    }

    /// The client's port and the server's.
    pub(crate) fn ports(&self) -> [u16; 2] {
        self.context.ports()
    }

    /// The server's address.
    pub(crate) fn server(&self) -> IpAddr {
        self.context.ends()[SERVER].0.ip()
    }

    /// Whether the flow's opening was captured.
    pub(crate) fn opening_seen(&self) -> bool {
        self.flow.opening_seen
    }
}
