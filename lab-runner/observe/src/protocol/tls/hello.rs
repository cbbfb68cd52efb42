//! The ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2, RFC 9147 §5.3) and the ServerHello's version.
//!
//! The same message comes over TCP, in QUIC and in DTLS; this reads its body, whole or cut. Values that only keep peers
//! tolerant (GREASE, RFC 8701) are no facts.

use std::borrow::Cow;

use super::ja4;
use crate::escape;
use crate::protocol::Fields;
use crate::protocol::doh;
use crate::protocol::facts::{Facts, MAX_NAME};
use crate::record::{NameKind, Word};

pub(super) const EXT_SERVER_NAME: u16 = 0;
pub(super) const EXT_SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const EXT_ALPN: u16 = 16;
const EXT_SUPPORTED_VERSIONS: u16 = 43;
/// Encrypted ClientHello (RFC 9849).
const EXT_ECH: u16 = 0xfe0d;
/// The same in draft-ietf-tls-esni-08 to 10, where there is no inner hello of this form.
const EXT_ECH_DRAFT_08: u16 = 0xfe08;
const EXT_ECH_DRAFT_10: u16 = 0xfe0a;
/// Its forerunner (draft-ietf-tls-esni-02).
const EXT_ESNI: u16 = 0xffce;
const MAX_ALPN: usize = 16;

/// What carries a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Quic,
    Dtls,
}

/// What a ClientHello tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<Word>,
    /// The real name is encrypted; what stands in the clear is there to mislead.
    pub(crate) ech: bool,
    /// It ended before its own length did.
    pub(crate) cut: bool,
    /// The highest version that it offers.
    pub(crate) version: Option<u16>,
    /// Its fingerprint, unless it was cut.
    pub(crate) ja4: Option<String>,
}

/// Reads the body of a ClientHello over TCP as far as it makes sense.
pub(crate) fn parse(body: &[u8], whole: bool) -> ClientHello {
    parse_as(Carrier::Tcp, body, whole)
}

/// Reads the body of a ClientHello: what follows the handshake message's length.
pub(crate) fn parse_as(carrier: Carrier, body: &[u8], whole: bool) -> ClientHello {
    let mut hello = ClientHello { cut: true, ..ClientHello::default() };
    let Some(parts) = Parts::read(carrier, body) else { return hello };
    hello.cut = !whole || parts.cut;
    hello.version = Some(parts.offered());
    for (kind, value) in parts.extensions() {
        match kind {
            EXT_SERVER_NAME => {
                if let Some(name) = server_name(value) {
                    hello.sni.get_or_insert(name);
                }
            }
            EXT_ALPN => hello.alpn.extend(
                protocols(value).filter(|protocol| !is_grease_alpn(protocol)).take(MAX_ALPN).map(alpn_word),
            ),
            // The first byte tells the outer hello (0) from the inner (1).
            EXT_ECH => hello.ech |= value.first() == Some(&0),
            EXT_ECH_DRAFT_08..=EXT_ECH_DRAFT_10 | EXT_ESNI => hello.ech = true,
            _ => {}
        }
    }
    if !hello.cut {
        hello.ja4 = Some(ja4::fingerprint(carrier, &parts));
    }
    hello
}

impl ClientHello {
    /// Tells it all: the name as `kind`, or as an untrusted outer one, and whether look-ups hide behind it.
    pub(crate) fn tell(self, kind: NameKind, facts: &mut Facts<'_, '_>) {
        if self.ech {
            facts.hides_its_name();
        }
        if self.cut {
            facts.doubt("client_hello_cut");
            if self.sni.is_none() {
                facts.lossy();
            }
        }
        let to_resolver = self.alpn.iter().any(|alpn| matches!(alpn.as_str(), "dot" | "doq"))
            || self.sni.as_deref().is_some_and(doh::is_resolver)
            || doh::answers_at(facts.server(), facts.ports()[1]);
        if to_resolver {
            facts.hides_look_ups();
        }
        if let Some(version) = self.version {
            facts.version(version_word(version));
        }
        if let Some(ja4) = self.ja4 {
            facts.ja4(ja4);
        }
        facts.alpn(self.alpn);
        if let Some(sni) = self.sni {
            facts.escaped(if self.ech { NameKind::EchOuter } else { kind }, sni);
        }
    }
}

/// A hello's parts, where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// The version before there was an extension for it.
    legacy_version: u16,
    suites: &'a [u8],
    extensions: &'a [u8],
    /// An extension, or the list of them, ends before its length does.
    cut: bool,
}

impl<'a> Parts<'a> {
    fn read(carrier: Carrier, body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let legacy_version = fields.u16()?;
        let _random = fields.take(32)?;
        let session = fields.u8()?;
        fields.take(usize::from(session))?;
        if carrier == Carrier::Dtls {
            let cookie = fields.u8()?;
            fields.take(usize::from(cookie))?;
        }
        let suites = fields.u16()?;
        let suites = fields.take(usize::from(suites))?;
        let compressions = fields.u8()?;
        fields.take(usize::from(compressions))?;
        // Extensions are optional up to TLS 1.2.
        let length = if fields.0.is_empty() { 0 } else { usize::from(fields.u16()?) };
        let extensions = fields.take_lax(length);
        let mut parts = Self { legacy_version, suites, extensions, cut: false };
        let told: usize = parts.extensions().map(|(_, value)| 4 + value.len()).sum();
        parts.cut = told < length;
        Some(parts)
    }

    /// Extensions with their values, up to the first that is cut; of that one, what there is.
    pub(super) fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut fields = Fields(self.extensions);
        std::iter::from_fn(move || {
            let (kind, length) = (fields.u16()?, fields.u16()?);
            Some((kind, fields.take_lax(usize::from(length))))
        })
    }

    /// Cipher suites, without those that only keep servers tolerant.
    pub(super) fn suites(&self) -> impl Iterator<Item = u16> + use<'a> {
        pairs(self.suites)
    }

    /// The highest version offered (RFC 8446 §4.2.1; in DTLS lower numbers are higher versions).
    pub(super) fn offered(&self) -> u16 {
        let listed = self.extensions().find(|(kind, _)| *kind == EXT_SUPPORTED_VERSIONS);
        let versions = listed.map(|(_, value)| pairs(value.get(1..).unwrap_or(&[])));
        let rank = |version: &u16| if version >> 8 == 0xfe { !version } else { *version };
        versions.and_then(|versions| versions.max_by_key(rank)).unwrap_or(self.legacy_version)
    }
}

/// Numbers of two bytes, without GREASE.
pub(super) fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> + use<'_> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).filter(|number| !is_grease(*number))
}

/// RFC 8701 §2: both bytes are the same, and end in 0xA.
pub(super) fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// RFC 6066 §3: a list of (type, length, name), of which type 0 is a host name.
fn server_name(value: &[u8]) -> Option<String> {
    let mut list = Fields(value);
    list.u16()?;
    while !list.0.is_empty() {
        let kind = list.u8()?;
        let length = usize::from(list.u16()?);
        let name = list.take_lax(length);
        if kind == 0 {
            // A hello that was cut inside of the name doesn't tell the name.
            return (name.len() == length && !name.is_empty()).then(|| escape::name(name, MAX_NAME));
        }
    }
    None
}

/// RFC 7301 §3.1: the protocols offered, as they are.
pub(super) fn protocols(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut list = Fields(value.get(2..).unwrap_or(&[]));
    std::iter::from_fn(move || {
        let length = list.u8()?;
        list.take(usize::from(length))
    })
}

/// A protocol as it is told; those that nearly all offer are only pointed at.
fn alpn_word(protocol: &[u8]) -> Word {
    match protocol {
        b"h2" => "h2".into(),
        b"h3" => "h3".into(),
        b"http/1.1" => "http/1.1".into(),
        _ => escape::text(protocol, 255).into(),
    }
}

/// RFC 8701 §2: values that only keep servers tolerant.
fn is_grease_alpn(protocol: &[u8]) -> bool {
    matches!(protocol, [a, b] if is_grease(u16::from_be_bytes([*a, *b])))
}

/// The version that a ServerHello chose (RFC 8446 §4.1.3); `None` where it is cut before it tells.
pub(crate) fn chosen(body: &[u8]) -> Option<u16> {
    let mut fields = Fields(body);
    let legacy_version = fields.u16()?;
    let _random = fields.take(32)?;
    let session = fields.u8()?;
    fields.take(usize::from(session))?;
    let _suite_and_compression = fields.take(3)?;
    if fields.0.is_empty() {
        return Some(legacy_version);
    }
    let length = fields.u16()?;
    let mut extensions = Fields(fields.take(usize::from(length))?);
    while !extensions.0.is_empty() {
        let (kind, length) = (extensions.u16()?, extensions.u16()?);
        let mut value = Fields(extensions.take(usize::from(length))?);
        if kind == EXT_SUPPORTED_VERSIONS {
            return value.u16();
        }
    }
    Some(legacy_version)
}

/// A ServerHello's random where it asks for another ClientHello (RFC 8446 §4.1.3: the SHA-256 of "HelloRetryRequest").
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Whether a ServerHello asks for another ClientHello, whose name is the one that counts.
pub(crate) fn is_retry(body: &[u8]) -> bool {
    body.get(2..).is_some_and(|rest| rest.starts_with(&RETRY))
}

/// Cipher suites that authenticate and do not encrypt (IANA, "TLS Cipher Suites": those with NULL; RFC 9150 for TLS 1.3).
const NULL_SUITES: [u16; 23] = [
    0x0000, 0x0001, 0x0002, 0x002c, 0x002d, 0x002e, 0x003b, 0x00b0, 0x00b1, 0x00b4, 0x00b5, 0x00b8, 0x00b9,
    0xc001, 0xc006, 0xc00b, 0xc010, 0xc015, 0xc039, 0xc03a, 0xc03b, 0xc0b4, 0xc0b5,
];

/// Whether a ServerHello chose to encrypt nothing.
pub(crate) fn is_in_clear(body: &[u8]) -> bool {
    // Version and random; the session's length; the suite.
    let session = body.get(34).map_or(0, |length| usize::from(*length));
    let suite = body.get(35 + session..).and_then(|rest| rest.first_chunk());
    suite.is_some_and(|suite| NULL_SUITES.contains(&u16::from_be_bytes(*suite)))
}

/// The word for a version's number (IANA has no registry; RFC 8446 §4.2.1 and its forerunners give them).
pub(crate) fn version_word(version: u16) -> Cow<'static, str> {
    Cow::Borrowed(match version {
        0x0002 => "ssl2",
        0x0300 => "ssl3",
        0x0301 => "1.0",
        0x0302 => "1.1",
        0x0303 => "1.2",
        0x0304 => "1.3",
        0xfeff => "dtls1.0",
        0xfefd => "dtls1.2",
        0xfefc => "dtls1.3",
        _ if version >> 8 == 0x7f => return Cow::Owned(format!("1.3-draft-{}", version & 0xff)),
        _ => return Cow::Owned(format!("0x{version:04x}")),
    })
}
