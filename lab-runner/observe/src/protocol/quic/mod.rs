//! QUIC (RFC 9000, RFC 9001, RFC 9369), its drafts, and Google's forerunners: the name in the ClientHello of the client's
//! first packets.
//!
//! The hello may be cut into pieces over several packets in any order. After a Retry, a negotiation of the version or a
//! packet lost the client begins again with other keys, and so does this. Nothing behind the Initial packets is readable.
//!
//! Which hello counts is the server's to say: until it goes on from one, others are read as well, and so is the first of
//! any connection that begins later on the same flow.

mod crypto;
mod google;
mod header;
mod initial;
mod paths;
mod version;

use self::header::{Kind, Long, Packet};
use self::initial::Keys;
pub(crate) use self::paths::Paths;
use self::version::Version;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard, Wake};
use super::pieces::{Pieces, Taken};
use super::tls::hello::{self, Carrier, ClientHello};
use crate::context::Context;
use crate::flow::SERVER;
use crate::record::NameKind;

/// QUIC.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

/// RFC 9250 §4.1.1.
const DOQ_PORT: u16 = 853;
/// RFC 9000 §14.1: a client fills its first datagram up to this, in bytes.
const MIN_FIRST: usize = 1200;
/// Datagrams in which a hello must come, and of its client's that are opened behind one until the server goes on from it.
const MAX_DATAGRAMS: u8 = 32;
/// Packets of one datagram that are looked at.
const MAX_PACKETS: usize = 32;
/// Keys that are made until the server goes on from a hello.
const MAX_KEYS: u8 = 12;
/// Datagrams of a server, behind a hello, of which the first ones are no QUIC; some may have changed places.
const MAX_STRANGE: u8 = 3;

/// Tells QUIC by a version that exists and a header that fits it.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let Context { paths, hot, frame, .. } = &mut *facts.context;
    if let Some(name) = paths.find(datagram.bytes, || hot.ends()[SERVER], *frame) {
        facts.recognised("quic");
        if let Some(name) = name {
            facts.escaped(NameKind::QuicSni, name.to_string());
        }
        return Heard::Done;
    }
    if !is_quic(datagram) {
        return Heard::No;
    }
    if datagram.ports[1] == DOQ_PORT {
        facts.hides_look_ups();
    }
    let mut connection = Box::<Connection>::default();
    match connection.datagram(datagram, facts) {
        Heard::Done => Heard::Done,
        _ => Heard::With(connection),
    }
}

/// Whether a connection begins with a datagram, by a first packet in it that is no other protocol's by chance.
pub(crate) fn begins(datagram: &Datagram<'_>) -> bool {
    let first = datagram.bytes.first().is_some_and(|first| *first >= 0xc0);
    first
        && (datagram.bytes.len() >= MIN_FIRST || datagram.cut)
        && Packet::read(datagram.bytes).is_some_and(|packet| packet.kind == Kind::Initial && packet.is_whole)
}

fn is_quic(datagram: &Datagram<'_>) -> bool {
    let bytes = datagram.bytes;
    if header::google(bytes).or_else(|| header::google_long(bytes)).is_some() {
        return true;
    }
    let Some(long) = Long::read(bytes) else { return false };
    match Version::of(long.number) {
        Some(Version::Ietf { .. }) => {
            Packet::read(bytes).is_some_and(|packet| datagram.cut || packet.is_whole)
        }
        // A server that doesn't know the version answers only to what could be a first datagram.
        Some(Version::Reserved) => bytes.len() >= MIN_FIRST || datagram.cut,
        Some(Version::Google) => false,
        None => long.is_negotiation(),
    }
}

/// A connection that begins.
#[derive(Debug, Default)]
struct Connection {
    datagrams: u8,
    keys_made: u8,
    /// The version and the keys that opened the client's last packet.
    keys: Option<(u32, Keys)>,
    /// The side that sent it.
    client: Option<usize>,
    /// The connection id that the keys follow from; in another version, others do (RFC 9369 §4.1).
    origin: Vec<u8>,
    /// The server has sent the client back to begin again: with a Retry, or with other versions.
    sent_back: bool,
    crypto: Pieces,
    /// Bytes of it that were read: a server may ask for another hello behind the first (RFC 8446 §4.1.4).
    read: usize,
    /// The server's name, unless it is an outer one.
    name: Option<String>,
    /// A hello was read. Until the server has taken it up, others may follow that count instead.
    told: bool,
    /// The server has gone on from the hello.
    answered: bool,
    /// Whether the connection will be known again from another address.
    noted: bool,
    /// Whose datagrams begin with a long header.
    seen: [bool; 2],
    /// Datagrams of the server that don't, and are the first.
    strange: u8,
    /// Packets came that could not be opened: the hello may have been among them, or before them.
    sealed: bool,
}

impl Conversation for Connection {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        self.datagrams += u8::from(!self.told);
        self.seen[datagram.side] |= is_quic(datagram);
        let is_over = self.take(datagram, facts) || self.is_refused(datagram, facts);
        // One side's header alone could be before anything; a hello that its own id opens is none by chance.
        if self.told || self.client.is_some() || self.seen == [true; 2] {
            facts.recognised("quic");
        } else {
            facts.suggested("quic");
        }
        if is_over || self.is_too_much(facts) {
            self.finish(facts);
            return Heard::Done;
        }
        Heard::Open
    }

    fn reads_quic(&self) -> bool {
        true
    }

    fn wake(&self) -> Wake {
        let is_answered = self.told && self.seen == [true; 2];
        if is_answered { Wake::LongHeader } else { Wake::Any }
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        if self.told {
            self.leaves(facts);
        } else if self.sealed || self.client.is_some() {
            facts.lossy();
            if let Some((number, _)) = self.keys
                && let Some(body) = self.crypto.so_far().get(crypto::HEADER..)
            {
                tell(hello::parse_as(Carrier::Quic, body, false), number, facts);
            }
        }
        self.ends(facts);
    }
}

impl Connection {
    /// Whether nothing more can be learnt.
    fn take(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> bool {
        let bytes = datagram.bytes;
        if let Some((number, rest)) = header::google(bytes).or_else(|| header::google_long(bytes)) {
            return self.google(number, rest, facts);
        }
        let mut rest = bytes;
        let by_client = self.client.is_none_or(|client| client == datagram.side);
        for _ in 0..MAX_PACKETS {
            let Some(packet) = Packet::read(rest) else { break };
            rest = packet.behind;
            self.sent_back |= !by_client && packet.kind == Kind::Retry;
            if packet.kind == Kind::Initial && by_client {
                self.initial(&packet, datagram, facts);
                continue;
            }
            if !by_client && !self.answered && begins_as_well(&packet) {
                facts.doubt("quic_both_begin");
            }
            if !self.told {
                self.sealed |= packet.kind != Kind::Retry;
            } else if !by_client && !self.answered {
                self.heard(&packet, facts);
            }
        }
        match Long::read(rest) {
            Some(long) if long.number == 0 => self.sent_back |= !by_client && long.is_negotiation(),
            Some(_) if Packet::read(rest).is_some() => facts.doubt("quic_packets_too_many"),
            Some(long) if self.told && rest.len() == bytes.len() && Version::of(long.number).is_none() => {
                facts.doubt("quic_version_unknown");
            }
            _ => {}
        }
        false
    }

    /// Takes a packet of the server, behind a hello.
    fn heard(&mut self, packet: &Packet<'_>, facts: &mut Facts<'_, '_>) {
        facts.version(version::word(packet.header.number));
        if packet.kind != Kind::Retry && !std::mem::replace(&mut self.noted, true) {
            let (ends, frame) = (facts.context.ends(), facts.context.frame);
            if !facts.context.paths.note(packet.header.scid, ends, self.name.as_deref(), frame) {
                facts.weird("quic_paths_full");
            }
        }
        // It has the keys of a handshake, so it has the whole hello and is content with it.
        if packet.kind == Kind::Handshake {
            self.leaves(facts);
            (self.answered, self.datagrams, self.keys_made) = (true, 0, 0);
            self.crypto.clear(facts.context.budget);
            self.read = 0;
        }
    }

    /// Whether a client sends more beginnings than are looked at: the one that counts may follow.
    fn is_too_much(&mut self, facts: &mut Facts<'_, '_>) -> bool {
        let is_too_much = self.datagrams >= MAX_DATAGRAMS || (self.told && self.keys_made >= MAX_KEYS);
        if is_too_much && self.told {
            facts.doubt("quic_begins_too_often");
        }
        is_too_much
    }

    /// A hello that had begun is left for another, or the server goes on without it: it may be the one that counts.
    fn leaves(&self, facts: &mut Facts<'_, '_>) {
        if self.crypto.end() > self.read {
            facts.doubt("quic_hello_left");
        }
    }

    /// Whether the server answers a hello with something else: then the hello may only have been there to show a name.
    fn is_refused(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> bool {
        if !self.told || self.answered || self.client == Some(datagram.side) || self.seen[datagram.side] {
            return false;
        }
        self.strange += 1;
        if self.strange < MAX_STRANGE {
            return false;
        }
        facts.doubt("quic_refused");
        true
    }

    fn google(&mut self, number: u32, rest: &[u8], facts: &mut Facts<'_, '_>) -> bool {
        facts.version(version::word(number));
        let Some(hello) = google::hello(rest) else { return false };
        match hello.sni {
            Some(name) => facts.name(NameKind::QuicSni, name),
            None if !hello.whole => facts.lossy(),
            None => {}
        }
        self.ends(facts);
        true
    }

    /// All that the client says is told: what was kept for that goes.
    fn ends(&mut self, facts: &mut Facts<'_, '_>) {
        self.told = true;
        self.keys = None;
        self.crypto.clear(facts.context.budget);
    }

    fn initial(&mut self, packet: &Packet<'_>, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) {
        let number = packet.header.number;
        let Some(frames) = self.open(packet, facts) else {
            self.sealed = true;
            if self.client.is_none() {
                tell_version(number, facts);
            }
            return;
        };
        let google = Version::has_google_frames(number);
        let crypto::Read { taken, whole } =
            crypto::take(&frames, google, &mut self.crypto, facts.context.budget);
        if !whole {
            facts.doubt("quic_frame_unknown");
        }
        if self.answered {
            if self.crypto.is_empty() {
                // It only acknowledges.
                return;
            }
            // Another connection, if not a late copy of the hello.
            (self.answered, self.noted, self.told, self.sealed) = (false, false, false, false);
        }
        self.datagrams += u8::from(self.told);
        self.client = Some(datagram.side);
        tell_version(number, facts);
        match taken {
            Taken::Fine => {}
            Taken::Conflict => facts.doubt("quic_crypto_conflict"),
            Taken::TooMuch => facts.doubt("quic_crypto_too_much"),
        }
        loop {
            match crypto::hello(self.crypto.so_far().get(self.read..).unwrap_or(&[])) {
                Ok(Some(body)) => {
                    self.read += crypto::HEADER + body.len();
                    let hello = hello::parse_as(Carrier::Quic, body, true);
                    self.name = hello.sni.clone().filter(|_| !hello.ech);
                    tell(hello, number, facts);
                    self.told = true;
                }
                Ok(None) => return,
                Err(()) if self.crypto.so_far().starts_with(b"CHLO") => {
                    self.google(number, &frames, facts);
                    return;
                }
                Err(()) => {
                    facts.doubt("quic_without_hello");
                    self.ends(facts);
                    return;
                }
            }
        }
    }

    /// The frames of a packet, with the keys that opened the one before or those that its own connection id gives.
    fn open(&mut self, packet: &Packet<'_>, facts: &mut Facts<'_, '_>) -> Option<Vec<u8>> {
        let header = &packet.header;
        if let Some((number, keys)) = &mut self.keys {
            if *number == header.number {
                if let Some(frames) = keys.open(packet.bytes, packet.number_at) {
                    return Some(frames);
                }
            } else if let Some((keys, frames)) = unseal(packet, &self.origin) {
                self.keys = Some((header.number, keys));
                if std::mem::take(&mut self.sent_back) {
                    self.begins_again(facts);
                }
                return Some(frames);
            }
        }
        if self.keys_made >= MAX_KEYS {
            return None;
        }
        self.keys_made += 1;
        let (keys, frames) = unseal(packet, header.dcid)?;
        self.keys = Some((header.number, keys));
        self.origin = header.dcid.to_vec();
        if !std::mem::take(&mut self.sent_back) {
            self.leaves(facts);
        }
        self.begins_again(facts);
        Some(frames)
    }

    /// Its client sends its hello from the first byte on.
    fn begins_again(&mut self, facts: &mut Facts<'_, '_>) {
        self.crypto.clear(facts.context.budget);
        self.read = 0;
    }
}

/// The frames of a client's packet, with the keys that follow from a connection id.
fn unseal(packet: &Packet<'_>, dcid: &[u8]) -> Option<(Keys, Vec<u8>)> {
    Version::of(packet.header.number)?.salts().find_map(|(salt, second)| {
        let mut keys = Keys::new(salt, second, dcid)?;
        let frames = keys.open(packet.bytes, packet.number_at)?;
        Some((keys, frames))
    })
}

/// Whether a packet of the server's side is a client's first. Those have ids of 8 bytes and more (RFC 9000 §7.2).
fn begins_as_well(packet: &Packet<'_>) -> bool {
    let dcid = packet.header.dcid;
    packet.kind == Kind::Initial && dcid.len() >= 8 && unseal(packet, dcid).is_some()
}

/// Notes what the hello says; the version is QUIC's.
fn tell(hello: ClientHello, number: u32, facts: &mut Facts<'_, '_>) {
    // What drafts called it.
    if hello.alpn.iter().any(|protocol| protocol.starts_with("doq-")) {
        facts.hides_look_ups();
    }
    ClientHello { version: None, ..hello }.tell(NameKind::QuicSni, facts);
    tell_version(number, facts);
}

/// Notes the version, if it is one that can be spoken.
fn tell_version(number: u32, facts: &mut Facts<'_, '_>) {
    if let Some(Version::Ietf { .. } | Version::Google) = Version::of(number) {
        facts.version(version::word(number));
    }
}
