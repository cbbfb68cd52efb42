//! DTLS (RFC 6347, RFC 9147): the ClientHello, in as many fragments as it came, the version that the server chose and,
//! up to 1.2, the names in its certificate.
//!
//! A session whose handshake was not seen is told by its records alone, and names nothing.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Conversation, Datagram, DatagramProtocol, Heard, Wake};
use super::pieces::{MAX_BYTES, Pieces, Taken};
use super::tls;
use super::tls::hello::{self, Carrier, ClientHello};
use super::tls::record::{CERTIFICATE, CLIENT_HELLO, HANDSHAKE, SERVER_HELLO};
use crate::record::NameKind;

/// DTLS.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(20, 24).or_between(26, 26), listen };

/// RFC 5246 §7.4, §6.2.1.
const SERVER_HELLO_DONE: u8 = 14;
const CHANGE_CIPHER_SPEC: u8 = 20;
/// RFC 6347 §4.3.1: type, version, epoch, sequence number, length.
const RECORD_HEADER: usize = 13;
/// Records of one datagram that are looked at.
const MAX_RECORDS: usize = 32;
/// Datagrams in which a handshake must come.
const MAX_DATAGRAMS: u8 = 64;
/// Datagrams of a server, behind a hello, of which the first ones hold no records; some may have changed places.
const MAX_STRANGE: u8 = 3;

/// Tells DTLS by records that fill the datagram to its end.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_dtls(datagram) {
        return Heard::No;
    }
    let mut handshake = Box::<Handshake>::default();
    match handshake.datagram(datagram, facts) {
        Heard::Open => Heard::With(handshake),
        heard => heard,
    }
}

/// Whether a datagram is made of whole records, the first of them of a handshake in the clear or of a session that goes on;
/// behind a ClientHello may be anything, for servers drop what is no record (RFC 6347 §4.1.2.7).
pub(super) fn is_dtls(datagram: &Datagram<'_>) -> bool {
    if begins_with_hello(datagram.bytes) {
        return true;
    }
    let mut rest = datagram.bytes;
    for number in 0..MAX_RECORDS {
        let Some(record) = Record::read(&mut rest) else { return number > 0 && datagram.cut };
        let is_sane = match record.kind {
            HANDSHAKE if record.epoch == 0 => matches!(record.body.first(), Some(0..=25)),
            // Change of cipher, alert, handshake, data, heartbeat; and the ACKs of 1.3.
            20..=24 | 26 => true,
            _ => false,
        };
        if !is_sane || (record.is_cut && !datagram.cut) {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// Whether a datagram begins with a whole record of a ClientHello, or of a piece of one, in the clear.
fn begins_with_hello(mut bytes: &[u8]) -> bool {
    let record = Record::read(&mut bytes);
    let record = record.filter(|record| record.kind == HANDSHAKE && record.epoch == 0 && !record.is_cut);
    let hello = record.and_then(|record| Fragment::read(&mut Fields(record.body)));
    hello.is_some_and(|hello| {
        let end = hello.offset as usize + hello.body.len();
        hello.kind == CLIENT_HELLO && !hello.body.is_empty() && end <= hello.length
    })
}

#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    kind: u8,
    epoch: u16,
    body: &'a [u8],
    is_cut: bool,
}

impl<'a> Record<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let mut fields = Fields(rest.get(..RECORD_HEADER)?);
        let (kind, version, epoch) = (fields.u8()?, fields.u16()?, fields.u16()?);
        let _sequence = fields.take(6)?;
        let length = usize::from(fields.u16()?);
        // The last is what OpenSSL spoke before there was a standard, and AnyConnect still does.
        if !matches!(version, 0xfeff | 0xfefd | 0x0100) || length == 0 {
            return None;
        }
        let behind = &rest[RECORD_HEADER..];
        let (body, after) = behind.split_at(length.min(behind.len()));
        *rest = after;
        Some(Self { kind, epoch, body, is_cut: body.len() < length })
    }
}

/// A handshake message that comes in fragments (RFC 6347 §4.2.3).
#[derive(Debug, Default)]
struct Message {
    number: u16,
    length: usize,
    pieces: Pieces,
}

impl Message {
    /// Takes a fragment; another message begins anew.
    fn take(&mut self, fragment: &Fragment<'_>, facts: &mut Facts<'_, '_>) {
        if self.number != fragment.number || self.length != fragment.length {
            self.pieces.clear(facts.context.budget);
            (self.number, self.length) = (fragment.number, fragment.length);
        }
        match self.pieces.add(fragment.offset, fragment.body, facts.context.budget) {
            Taken::Fine => {}
            Taken::Conflict => facts.doubt("dtls_fragment_conflict"),
            Taken::TooMuch => facts.doubt("dtls_fragments_too_many"),
        }
    }

    fn whole(&self) -> Option<&[u8]> {
        self.pieces.so_far().get(..self.length)
    }

    /// Whether it began, and is not whole.
    fn is_missing(&self) -> bool {
        !self.pieces.is_empty() && self.whole().is_none()
    }
}

#[derive(Debug, Clone, Copy)]
struct Fragment<'a> {
    kind: u8,
    length: usize,
    number: u16,
    offset: u64,
    body: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let kind = fields.u8()?;
        let length = fields.u24()? as usize;
        let number = fields.u16()?;
        let (offset, size) = (u64::from(fields.u24()?), fields.u24()? as usize);
        Some(Self { kind, length, number, offset, body: fields.take_lax(size) })
    }
}

/// A handshake as far as it stands in the clear.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// A relay passes it on: only its name is told, and what else it holds or lacks says nothing of the flow.
    passed_on: bool,
    datagrams: u8,
    hello: Message,
    certificate: Message,
    /// The side that said hello as a server: only its certificate names one.
    server: Option<usize>,
    /// The hello was told, or will never be.
    told: bool,
    /// The side whose hello it is.
    client: Option<usize>,
    /// Who sent records.
    seen: [bool; 2],
    /// Datagrams of the server that hold none, and are the first.
    strange: u8,
}

impl Handshake {
    /// One that a relay passes on.
    pub(super) fn passed_on() -> Self {
        Self { passed_on: true, ..Self::default() }
    }

    /// Another one behind this, which is over.
    pub(super) fn another(&self) -> Self {
        Self { passed_on: self.passed_on, ..Self::default() }
    }

    /// Whether anything was taken.
    pub(super) fn began(&self) -> bool {
        self.datagrams > 0
    }

    /// One side's records alone could be before anything; a whole hello is none by chance.
    pub(super) fn is_sure(&self) -> bool {
        self.client.is_some() || self.seen == [true; 2]
    }

    /// Takes a datagram; whether nothing more can be learnt.
    pub(super) fn take(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> bool {
        self.datagrams += 1;
        let mut over = self.datagrams >= MAX_DATAGRAMS;
        if over && !self.passed_on && !self.told && self.seen != [true; 2] {
            // As many that nobody answers may only be there to be looked at instead of those that follow.
            facts.doubt("dtls_without_hello");
        }
        let mut rest = datagram.bytes;
        for _ in 0..MAX_RECORDS {
            let Some(record) = Record::read(&mut rest) else { break };
            self.seen[datagram.side] = true;
            if record.kind != HANDSHAKE || record.epoch > 0 {
                // From here on it is encrypted, unless packets changed places.
                let is_answered = self.told || self.hello.pieces.is_empty();
                over |= record.kind != CHANGE_CIPHER_SPEC && is_answered && self.seen == [true; 2];
                continue;
            }
            let mut fields = Fields(record.body);
            while let Some(fragment) = Fragment::read(&mut fields) {
                over |= self.fragment(&fragment, datagram.side, facts);
            }
        }
        over |= self.is_refused(datagram.side, facts);
        if over {
            self.finish(facts);
        }
        over
    }

    /// Whether the server answers a hello with something else: then the hello may only have been there to show a name.
    fn is_refused(&mut self, side: usize, facts: &mut Facts<'_, '_>) -> bool {
        if self.passed_on || !self.told || self.client == Some(side) || self.seen[side] {
            return false;
        }
        self.strange += 1;
        if self.strange < MAX_STRANGE {
            return false;
        }
        facts.doubt("dtls_refused");
        true
    }

    fn fragment(&mut self, fragment: &Fragment<'_>, side: usize, facts: &mut Facts<'_, '_>) -> bool {
        match fragment.kind {
            CLIENT_HELLO if fragment.length <= MAX_BYTES => {
                if (self.hello.number, self.hello.length) != (fragment.number, fragment.length) {
                    self.leaves(facts);
                }
                self.hello.take(fragment, facts);
                if let Some(body) = self.hello.whole() {
                    self.tell(hello::parse_as(Carrier::Dtls, body, true), facts);
                    self.told = true;
                    self.client = Some(side);
                }
            }
            SERVER_HELLO | CERTIFICATE if self.passed_on => {}
            SERVER_HELLO => {
                self.server = Some(side);
                if hello::is_in_clear(fragment.body) {
                    facts.weird("dtls_without_encryption");
                    facts.becomes("dtls_null");
                }
                if let Some(version) = hello::chosen(fragment.body) {
                    facts.version(hello::version_word(version));
                }
            }
            CERTIFICATE if self.server == Some(side) && fragment.length <= MAX_BYTES => {
                self.certificate.take(fragment, facts);
                if let Some(body) = self.certificate.whole() {
                    tls::tell_certificate(body, true, facts);
                }
            }
            SERVER_HELLO_DONE => return self.told && self.server == Some(side),
            _ => {}
        }
        false
    }

    /// A hello that is left before it was whole, for another or for what is encrypted, may be the one that counts.
    fn leaves(&self, facts: &mut Facts<'_, '_>) {
        if !self.passed_on && self.hello.is_missing() {
            facts.doubt("dtls_hello_left");
        }
    }

    fn tell(&self, hello: ClientHello, facts: &mut Facts<'_, '_>) {
        if !self.passed_on {
            hello.tell(NameKind::Sni, facts);
        } else if let Some(name) = hello.sni {
            facts.escaped(NameKind::RelayedSni, name);
        }
    }

    /// What there is of a hello that never became whole; without any, it came before the capture.
    pub(super) fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        if self.told {
            self.leaves(facts);
        }
        let is_missing = self.began() && !std::mem::replace(&mut self.told, true);
        if is_missing && !self.passed_on {
            facts.lossy();
        }
        if is_missing && self.hello.length > 0 {
            self.tell(hello::parse_as(Carrier::Dtls, self.hello.pieces.so_far(), false), facts);
        }
        self.hello.pieces.clear(facts.context.budget);
        self.certificate.pieces.clear(facts.context.budget);
    }
}

impl Conversation for Handshake {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        let is_over = self.take(datagram, facts);
        if self.is_sure() {
            facts.recognised("dtls")
        } else {
            facts.suggested("dtls")
        }
        if is_over { Heard::With(Box::new(Spoken)) } else { Heard::Open }
    }

    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        Self::finish(self, facts);
    }
}

/// A session whose handshake is over. A server lets a client that lost it begin anew (RFC 6347 §4.2.8).
#[derive(Debug)]
struct Spoken;

impl Conversation for Spoken {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        match hello_in(datagram.bytes) {
            Some(bytes) => listen(&Datagram { bytes, ..*datagram }, facts),
            None => Heard::No,
        }
    }

    fn wake(&self) -> Wake {
        Wake::Records
    }
}

/// A datagram from its first record on that is a ClientHello's; servers step over what stands before it.
pub(super) fn hello_in(mut bytes: &[u8]) -> Option<&[u8]> {
    for _ in 0..MAX_RECORDS {
        if begins_with_hello(bytes) {
            return Some(bytes);
        }
        Record::read(&mut bytes)?;
    }
    None
}
