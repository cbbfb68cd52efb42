//! TLS from its hello on: the name that the client asks for, the version that the server chooses, and, up to TLS 1.2, the
//! names in the server's certificate.
//!
//! Decrypts nothing and verifies nothing. After that the flow is answered.

mod certificate;
pub(crate) mod hello;
mod ja4;
mod nameless;
pub(super) mod record;

use std::net::IpAddr;

pub(crate) use hello::{ClientHello, parse as parse_hello};
pub(crate) use nameless::NAMELESS;

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::{CLIENT, SERVER};
use crate::record::NameKind;
use crate::stream::MAX_HELD;

/// Bytes of a server in which its certificate must come; chains take some 5 KiB.
const MAX_FLIGHT: usize = MAX_HELD / 2;
/// Bytes that are read of a ClientHello which claims to be longer than any.
const MAX_START: usize = 4096;
/// TLS 1.3 encrypts certificates (RFC 8446 §2).
const TLS_1_3: u16 = 0x0304;

/// TLS from its hello on.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    begins: Begins::with(&[record::HANDSHAKE]),
    probe,
    open: |opening| Box::new(Session::new(opening.late, opening.side != CLIENT)),
};

fn probe(opening: &Opening<'_>) -> Probe {
    let message = if opening.side == CLIENT { record::CLIENT_HELLO } else { record::SERVER_HELLO };
    record::probe(opening.bytes, message)
}

/// Could a client begin TLS with these bytes?
pub(crate) fn probe_client(bytes: &[u8]) -> Probe {
    record::probe(bytes, record::CLIENT_HELLO)
}

/// One connection's handshake.
#[derive(Debug)]
struct Session {
    /// Something that is no TLS came before.
    late: bool,
    /// Whose part is known, or given up.
    over: [bool; 2],
    /// The server said hello, and its client did not yet.
    unasked: bool,
    /// Whether bytes of the server were looked at.
    answered: bool,
    /// The server asked for another hello.
    retried: bool,
    /// Bytes of the client behind its hello; another may follow before the server has said enough.
    behind: usize,
    /// Bytes of either side below which there is nothing new.
    need: [usize; 2],
}

impl Session {
    fn new(late: bool, unasked: bool) -> Self {
        Self { late, over: [false; 2], unasked, answered: false, retried: false, behind: 0, need: [0; 2] }
    }

    fn client(&mut self, bytes: &[u8], last: bool, facts: &mut Facts<'_, '_>) -> Step {
        // Before a second hello comes a change of cipher (RFC 8446 §D.4), or data that the server steps over (§4.2.10).
        let others = if self.retried { record::others(bytes) } else { 0 };
        match client_hello(&bytes[others..], last) {
            Found::Hello(mut hello) => {
                // What came in clear before is the better word for a STARTTLS; its names tell of the TLS.
                facts.recognised("tls");
                if let Some(version) = hello.version.take() {
                    self.tell_version(version, facts);
                }
                hello.tell(if self.late { NameKind::StarttlsSni } else { NameKind::Sni }, facts);
                self.ends(CLIENT, bytes)
            }
            Found::More(need) => {
                self.need[CLIENT] = need;
                Step::Took(others)
            }
            Found::No if self.retried => {
                let rest = &bytes[others..];
                if !last && record::is_record(rest) && rest.first() != Some(&record::HANDSHAKE) {
                    self.need[CLIENT] = rest.len() + 1;
                    return Step::Took(others);
                }
                facts.doubt("tls_without_hello");
                self.ends(CLIENT, bytes)
            }
            // Its hello was lost.
            Found::No if self.unasked && nameless::is_nameless(bytes) => {
                facts.recognised("tls");
                self.ends(CLIENT, bytes)
            }
            Found::No => Step::NotMine,
        }
    }

    fn server(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if self.unasked {
            facts.suggested("tls");
        }
        let first = !std::mem::replace(&mut self.answered, true);
        if first && !record::is_record(bytes) {
            if !self.late && !shown.after_gap && facts.opening_seen() {
                // A hello that no server of TLS takes may only have been there to show a name.
                facts.doubt("tls_refused");
            }
            return self.ends(side, bytes);
        }
        let mut scratch = std::mem::take(facts.context.scratch);
        let step = self.flight(side, bytes, shown, &mut scratch, facts);
        *facts.context.scratch = scratch;
        step
    }

    fn flight(
        &mut self,
        side: usize,
        bytes: &[u8],
        shown: Shown,
        scratch: &mut Vec<u8>,
        facts: &mut Facts<'_, '_>,
    ) -> Step {
        let flight =
            record::handshake(bytes, scratch, |joined| matches!(read_flight(joined), Flight::Read { .. }));
        let room = |more_at: &usize| !shown.last && *more_at <= MAX_FLIGHT;
        let read = read_flight(flight.bytes);
        let whole = matches!(read, Flight::Read { .. });
        match (read, flight.more_at.filter(room)) {
            (Flight::Cut { missing, .. }, Some(more_at)) if bytes.len() + missing <= MAX_FLIGHT => {
                self.need[side] = more_at.max(bytes.len() + missing);
                Step::Took(0)
            }
            (Flight::Read { version, certificate } | Flight::Cut { version, certificate, .. }, _) => {
                let mut messages = record::messages(flight.bytes);
                let hello = messages.find(|message| message.kind == record::SERVER_HELLO);
                if hello.is_some_and(|hello| hello::is_in_clear(hello.body)) {
                    facts.weird("tls_without_encryption");
                    if !self.late && !self.unasked {
                        facts.becomes("tls_null");
                    }
                }
                if hello.is_some_and(|hello| hello::is_retry(hello.body)) {
                    if self.behind >= MAX_FLIGHT {
                        facts.doubt("tls_without_hello");
                    }
                    (self.over[CLIENT], self.retried, self.need[CLIENT]) = (false, true, 0);
                }
                if let Some(version) = version {
                    self.tell_version(version, facts);
                }
                if let Some(certificate) = certificate {
                    tell_certificate(certificate, whole, facts);
                }
                self.ends(side, bytes)
            }
        }
    }

    fn tell_version(&self, version: u16, facts: &mut Facts<'_, '_>) {
        let word = hello::version_word(version);
        // Of another protocol, "1.3" would be that one's version.
        facts.version(if self.late { format!("tls{word}").into() } else { word });
    }

    /// Nothing more is needed of this side.
    fn ends(&mut self, side: usize, bytes: &[u8]) -> Step {
        self.over[side] = true;
        if self.over == [true; 2] { Step::Done } else { Step::Took(bytes.len()) }
    }
}

impl Dialogue for Session {
    fn wants(&self, side: usize) -> bool {
        // Another hello may follow the first, and must follow on from it.
        !self.over[side] || (side == CLIENT && !self.over[SERVER] && self.behind < MAX_FLIGHT)
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        // It may be asked for by a server that the capture doesn't have.
        if self.over[side] && side == CLIENT && probe_client(&bytes[record::others(bytes)..]) == Probe::Yes {
            (self.over[CLIENT], self.retried, self.need[CLIENT]) = (false, true, 0);
        }
        if self.over[side] {
            self.behind += if side == CLIENT { bytes.len() } else { 0 };
            return Step::Took(bytes.len());
        }
        if bytes.len() < self.need[side] && !shown.last {
            return Step::Took(0);
        }
        if side == CLIENT {
            self.client(bytes, shown.last, facts)
        } else {
            self.server(side, bytes, shown, facts)
        }
    }
}

/// What a look for a ClientHello found.
enum Found {
    Hello(ClientHello),
    /// It goes on behind these bytes: nothing new can be told before there are so many.
    More(usize),
    No,
}

/// Looks for a ClientHello in records; with `last`, takes what there is of one.
fn client_hello(bytes: &[u8], last: bool) -> Found {
    if probe_client(bytes) == Probe::No {
        return Found::No;
    }
    let is_whole = |joined: &[u8]| record::messages(joined).next().is_some_and(|hello| hello.missing == 0);
    let mut scratch = Vec::new();
    let joined = record::handshake(bytes, &mut scratch, is_whole);
    let hello = record::messages(joined.bytes).next();
    let missing = hello.map_or(0, |hello| hello.missing);
    let more_at = joined.more_at.map(|more_at| more_at.max(bytes.len() + missing)).filter(|_| !last);
    match (hello, more_at) {
        // Every hello since SSL 3 begins with this number; other protocols may have the five bytes before it.
        (Some(hello), _) if hello.body.first().is_some_and(|major| *major != 3) => Found::No,
        // Too long to be put together: what comes early in it tells most.
        (Some(hello), Some(_)) if hello.body.len() + hello.missing > MAX_HELD => {
            match bytes.len() < MAX_START {
                true => Found::More(MAX_START),
                false => Found::Hello(parse_hello(hello.body, false)),
            }
        }
        (Some(hello), _) if hello.missing == 0 => Found::Hello(parse_hello(hello.body, true)),
        (_, Some(more_at)) if more_at <= MAX_HELD => Found::More(more_at),
        (Some(hello), _) => Found::Hello(parse_hello(hello.body, false)),
        (None, _) => Found::No,
    }
}

/// What a server's first messages tell.
enum Flight<'a> {
    /// All that they are going to.
    Read { version: Option<u16>, certificate: Option<&'a [u8]> },
    /// There may be more; of the message that is incomplete so many bytes are missing.
    Cut { version: Option<u16>, certificate: Option<&'a [u8]>, missing: usize },
}

fn read_flight(bytes: &[u8]) -> Flight<'_> {
    let mut version = None;
    for message in record::messages(bytes) {
        let missing = message.missing;
        match message.kind {
            record::SERVER_HELLO => {
                version = hello::chosen(message.body);
                if missing == 0 && version.is_none_or(|version| version >= TLS_1_3) {
                    return Flight::Read { version, certificate: None };
                }
            }
            record::CERTIFICATE if missing == 0 => {
                return Flight::Read { version, certificate: Some(message.body) };
            }
            record::CERTIFICATE => return Flight::Cut { version, certificate: Some(message.body), missing },
            // Before a certificate comes nothing else: the session is resumed, or has none.
            _ => return Flight::Read { version, certificate: None },
        }
        if missing > 0 {
            return Flight::Cut { version, certificate: None, missing };
        }
    }
    Flight::Cut { version, certificate: None, missing: 0 }
}

/// Tells what a Certificate message says, `whole` or cut.
pub(crate) fn tell_certificate(message: &[u8], whole: bool, facts: &mut Facts<'_, '_>) {
    let Some(certificate) = certificate::first(message) else { return };
    let names = certificate.subject.iter().chain(&certificate.names).copied();
    let addresses = certificate.addresses.iter().filter_map(|address| match **address {
        [a, b, c, d] => Some(IpAddr::from([a, b, c, d])),
        _ => <[u8; 16]>::try_from(*address).ok().map(IpAddr::from),
    });
    facts.certified(names, addresses, certificate.left, whole);
    if certificate.is_tors() {
        facts.becomes("tor");
    }
}
