//! TLS: the ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2), from records that may be split anyhow, and whole or cut.
//!
//! Decrypts nothing and verifies nothing.

use super::Fields;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::escape;
use crate::flow::{CLIENT, SERVER};
use crate::record::NameKind;

const RECORD_HANDSHAKE: u8 = 22;
const HANDSHAKE_CLIENT_HELLO: u8 = 1;
const HANDSHAKE_SERVER_HELLO: u8 = 2;
const EXT_SERVER_NAME: u16 = 0;
const EXT_ALPN: u16 = 16;
/// Encrypted ClientHello (RFC 9849).
const EXT_ECH: u16 = 0xfe0d;
/// Its forerunner (draft-ietf-tls-esni-02).
const EXT_ESNI: u16 = 0xffce;
const MAX_RECORDS: usize = 64;
const MAX_ALPN: usize = 16;
/// A longer name is no host's (RFC 1035 §2.3.4 allows 255).
const MAX_NAME: usize = 512;

/// What a ClientHello tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<String>,
    pub(crate) ech: bool,
    /// It ended before its own length did.
    pub(crate) cut: bool,
}

/// What a look for a ClientHello found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Hello(ClientHello),
    /// It goes on behind these bytes: nothing new can be told before there are so many.
    More(usize),
    No,
}

/// RFC 7858 §3.1.
const DOT_PORT: u16 = 853;

/// TLS from its hello on.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    probe: |opening| if opening.side == CLIENT { probe_client(opening.bytes) } else { Probe::No },
    open: |opening| Box::new(Hello { late: opening.late, need: 0 }),
};

/// Records without names: of a session whose beginning was not seen, or of a server whose client is silent.
pub(crate) const NAMELESS: StreamProtocol =
    StreamProtocol { probe: probe_nameless, open: |_| Box::<Nameless>::default() };

fn probe_nameless(opening: &Opening<'_>) -> Probe {
    let yes = match opening.side {
        CLIENT => !opening.late && is_nameless(opening.bytes),
        _ => probe_server(opening.bytes) == Probe::Yes || is_nameless(opening.bytes),
    };
    if yes { Probe::Yes } else { Probe::No }
}

/// Awaits a ClientHello.
#[derive(Debug)]
struct Hello {
    /// Something that is no TLS came before.
    late: bool,
    /// Bytes of the client that its hello needs, as far as is known.
    need: usize,
}

impl Dialogue for Hello {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, _: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if bytes.len() < self.need && !shown.last {
            return Step::Took(0);
        }
        match client_hello(bytes, shown.last) {
            Found::Hello(hello) => {
                tell(hello, self.late, facts);
                Step::Done
            }
            Found::More(need) => {
                self.need = need;
                Step::Took(0)
            }
            Found::No => Step::NotMine,
        }
    }
}

fn tell(hello: ClientHello, late: bool, facts: &mut Facts<'_, '_>) {
    // What came in clear before is the better word for a STARTTLS; its names tell of the TLS.
    facts.recognised("tls");
    if hello.ech {
        facts.hides_its_name();
    }
    if hello.cut {
        facts.weird("client_hello_cut");
        facts.unread();
        if hello.sni.is_none() {
            facts.lossy();
        }
    }
    if let Some(sni) = hello.sni {
        let kind = match (hello.ech, late) {
            (true, _) => NameKind::EchOuter,
            (false, true) => NameKind::StarttlsSni,
            (false, false) => NameKind::Sni,
        };
        facts.escaped(kind, sni);
    }
    if facts.ports()[1] == DOT_PORT || hello.alpn.iter().any(|alpn| alpn == "dot") {
        facts.hides_look_ups();
    }
    facts.alpn(hello.alpn);
}

/// One side's records alone are only a guess, for anyone can write five bytes before a clear text.
#[derive(Debug, Default)]
struct Nameless {
    seen: [bool; 2],
}

impl Dialogue for Nameless {
    fn wants(&self, side: usize) -> bool {
        !self.seen[side]
    }

    fn read(&mut self, side: usize, bytes: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let is_record = is_nameless(bytes) || (side == SERVER && probe_server(bytes) == Probe::Yes);
        if !is_record {
            self.seen[side] |= side == SERVER;
            return Step::NotMine;
        }
        self.seen[side] = true;
        if self.seen == [true; 2] {
            facts.recognised("tls");
            return Step::Done;
        }
        facts.suggested("tls");
        Step::Took(bytes.len())
    }
}

/// Could a TLS client's first bytes be these?
pub(crate) fn probe_client(bytes: &[u8]) -> Probe {
    probe(bytes, HANDSHAKE_CLIENT_HELLO)
}

/// Could a TLS server's first bytes be these?
pub(crate) fn probe_server(bytes: &[u8]) -> Probe {
    probe(bytes, HANDSHAKE_SERVER_HELLO)
}

fn probe(bytes: &[u8], handshake: u8) -> Probe {
    let fits = |at: usize, ok: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| ok(*byte));
    let plausible = fits(0, |byte| byte == RECORD_HANDSHAKE)
        && fits(1, |byte| byte == 3)
        && fits(2, |byte| byte <= 4)
        && bytes.get(5).is_none_or(|byte| *byte == handshake);
    match (plausible, bytes.len() >= 6) {
        (false, _) => Probe::No,
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
    }
}

/// Is this a record of a session whose beginning was not seen, or the hello of SSL 2 (RFC 5246 §E.2)? Neither has names.
pub(crate) fn is_nameless(bytes: &[u8]) -> bool {
    match *bytes {
        [20..=24, 3, 0..=4, high, low, ..] => {
            // RFC 8446 §5.2: a record is 2^14 + 256 bytes at most.
            let length = usize::from(high) << 8 | usize::from(low);
            length > 0 && length <= (1 << 14) + 256 && (bytes[0] == 23 || length < bytes.len() + 4096)
        }
        [0x80, length, 1, 0 | 3, 0 | 2..=3, 0, suites, ..] => {
            usize::from(length) + 2 == bytes.len() && suites.is_multiple_of(3) && suites < length
        }
        _ => false,
    }
}

/// Looks for a ClientHello in TLS records; with `last`, takes what there is of one.
pub(crate) fn client_hello(bytes: &[u8], last: bool) -> Found {
    if probe_client(bytes) == Probe::No {
        return Found::No;
    }
    let Some(&[a, b, c]) = bytes.get(6..9) else {
        return if last { Found::No } else { Found::More(9) };
    };
    let need = 4 + (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
    if need > crate::stream::MAX_HELD {
        return Found::No;
    }
    // Most hellos fill one record, and are read where they lie.
    let first_len = usize::from(bytes[3]) << 8 | usize::from(bytes[4]);
    if first_len >= need {
        return match bytes.get(5..5 + need) {
            Some(message) => Found::Hello(parse_hello(&message[4..], true)),
            None if last => Found::Hello(parse_hello(&bytes[9..], false)),
            None => Found::More(5 + need),
        };
    }
    let mut message = Vec::new();
    let mut rest = Fields(bytes);
    let mut behind = 0;
    for _ in 0..MAX_RECORDS {
        let at = bytes.len() - rest.0.len();
        behind = at + 5;
        let (Some(kind), Some(_version), Some(length)) = (rest.u8(), rest.u16(), rest.u16()) else { break };
        if kind != RECORD_HANDSHAKE {
            break;
        }
        let body = rest.take_lax(usize::from(length));
        message.extend_from_slice(body);
        if message.len() >= need {
            return Found::Hello(parse_hello(&message[4..need], true));
        }
        if body.len() < usize::from(length) {
            if !last {
                return Found::More(at + 5 + usize::from(length));
            }
            break;
        }
    }
    if rest.0.is_empty() && !last {
        return Found::More(behind.max(bytes.len() + 1));
    }
    match message.get(4..) {
        Some(body) => Found::Hello(parse_hello(body, false)),
        None => Found::No,
    }
}

/// Reads a ClientHello's body as far as it makes sense.
pub(crate) fn parse_hello(body: &[u8], whole: bool) -> ClientHello {
    let mut hello = ClientHello { cut: !whole, ..ClientHello::default() };
    if extensions(body, &mut hello).is_none() {
        hello.cut = true;
    }
    hello
}

fn extensions(body: &[u8], hello: &mut ClientHello) -> Option<()> {
    let mut fields = Fields(body);
    // Version and random.
    fields.take(34)?;
    let session = fields.u8()?;
    fields.take(usize::from(session))?;
    let suites = fields.u16()?;
    fields.take(usize::from(suites))?;
    let compressions = fields.u8()?;
    fields.take(usize::from(compressions))?;
    if fields.0.is_empty() {
        // Extensions are optional up to TLS 1.2.
        return Some(());
    }
    let length = usize::from(fields.u16()?);
    let mut extensions = Fields(fields.take_lax(length));
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let length = usize::from(extensions.u16()?);
        let value = extensions.take_lax(length);
        match kind {
            EXT_SERVER_NAME => {
                if let Some(name) = server_name(value) {
                    hello.sni.get_or_insert(name);
                }
            }
            EXT_ALPN => alpn(value, &mut hello.alpn),
            // The first byte tells the outer hello (0) from the inner (1).
            EXT_ECH => hello.ech |= value.first() == Some(&0),
            EXT_ESNI => hello.ech = true,
            _ => {}
        }
        if value.len() < length {
            return None;
        }
    }
    Some(())
}

/// RFC 6066 §3: a list of (type, length, name), of which type 0 is a host name.
fn server_name(value: &[u8]) -> Option<String> {
    let mut list = Fields(value);
    list.u16()?;
    while !list.0.is_empty() {
        let kind = list.u8()?;
        let length = list.u16()?;
        let name = list.take_lax(usize::from(length));
        if kind == 0 {
            // A hello that was cut inside of the name doesn't tell the name.
            return (name.len() == usize::from(length) && !name.is_empty())
                .then(|| escape::name(name, MAX_NAME));
        }
    }
    None
}

/// RFC 7301 §3.1.
fn alpn(value: &[u8], out: &mut Vec<String>) {
    let mut list = Fields(value);
    if list.u16().is_none() {
        return;
    }
    while let Some(length) = list.u8() {
        let Some(protocol) = list.take(usize::from(length)) else { return };
        // Values that only keep servers tolerant (RFC 8701) say nothing.
        let grease = matches!(protocol, [a, b] if a == b && a & 0x0f == 0x0a);
        if !grease && out.len() < MAX_ALPN {
            out.push(escape::text(protocol, 255));
        }
    }
}
