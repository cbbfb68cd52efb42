//! HTTP/1 requests (RFC 9112): the Host of each of them, as long as the connection lasts.
//!
//! Steps over bodies by their declared length; never looks into one.

use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;
use crate::record::NameKind;

const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PATCH ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"REPORT ",
    b"SUBSCRIBE ",
    b"UNSUBSCRIBE ",
    b"NOTIFY ",
    b"SEARCH ",
    b"DESCRIBE ",
    b"RPC_IN_DATA ",
    b"RPC_OUT_DATA ",
    b"MERGE ",
    b"CHECKOUT ",
    b"LINK ",
];
/// A longer line is given up.
const MAX_LINE: usize = 16 * 1024;

/// A fact from a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact<'a> {
    /// The Host header, without its port.
    Host(&'a [u8]),
    /// The authority of the request line (absolute form, or CONNECT), without its port.
    Authority(&'a [u8]),
    /// After this request the stream is another protocol's: CONNECT, or an upgrade.
    Switches,
}

/// HTTP/1.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { probe: probe_either, open: |_| Box::<Requests>::default() };

fn probe_either(opening: &Opening<'_>) -> Probe {
    match opening.side {
        CLIENT => probe(opening.bytes),
        _ if opening.bytes.starts_with(b"HTTP/1.") => Probe::Yes,
        _ => Probe::No,
    }
}

impl Dialogue for Requests {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("http");
        if side != CLIENT {
            return Step::Took(bytes.len());
        }
        let mut switches = false;
        let taken = self.advance(bytes, shown.after_gap, |fact| match fact {
            Fact::Host(host) => facts.name(NameKind::HttpHost, host),
            Fact::Authority(host) => facts.name(NameKind::HttpAuthority, host),
            Fact::Switches => switches = true,
        });
        // What follows may be TLS to the host that CONNECT asked for.
        if switches { Step::Switch(taken) } else { Step::Took(taken) }
    }
}

/// Could an HTTP client's bytes begin so?
pub(crate) fn probe(bytes: &[u8]) -> Probe {
    let mut more = false;
    for method in METHODS {
        if bytes.len() >= method.len() {
            if bytes.starts_with(method) {
                return Probe::Yes;
            }
        } else if method.starts_with(bytes) {
            more = true;
        }
    }
    if more { Probe::More } else { Probe::No }
}

/// Where in a request a stream stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    place: Place,
    /// Bytes of the present line that were already searched for its end.
    searched: usize,
    length: u64,
    chunked: bool,
    connect: bool,
    upgrade: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    RequestLine,
    Headers,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailer,
}

impl Requests {
    /// Takes bytes and tells facts; returns how many bytes it is done with.
    pub(crate) fn advance(&mut self, bytes: &[u8], after_gap: bool, mut tell: impl FnMut(Fact<'_>)) -> usize {
        if after_gap {
            *self = Self::default();
        }
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Place::Body(left) | Place::Chunk(left) = &mut self.place {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= taken as u64;
                at += taken;
                match self.place {
                    Place::Body(0) => self.place = Place::RequestLine,
                    Place::Chunk(0) => self.place = Place::ChunkSize,
                    _ => {}
                }
                continue;
            }
            let from = self.searched.min(rest.len());
            let Some(end) = rest[from..].iter().position(|byte| *byte == b'\n').map(|end| from + end) else {
                if rest.len() > MAX_LINE || (self.place == Place::RequestLine && probe(rest) == Probe::No) {
                    // No request, or none that a server would take: begin anew with the next segment.
                    *self = Self::default();
                    return bytes.len();
                }
                self.searched = rest.len();
                return at;
            };
            self.searched = 0;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            at += end + 1;
            if !self.line(line, &mut tell) {
                *self = Self::default();
                return bytes.len();
            }
        }
        at
    }

    /// False where the line can't be part of a request.
    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Fact<'_>)) -> bool {
        match self.place {
            Place::RequestLine if line.is_empty() => {}
            Place::RequestLine => {
                if probe(line) != Probe::Yes {
                    return false;
                }
                *self =
                    Self { place: Place::Headers, connect: line.starts_with(b"CONNECT "), ..Self::default() };
                let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or(&[]);
                if let Some(authority) = authority(target, self.connect) {
                    tell(Fact::Authority(authority));
                }
            }
            Place::Headers if line.is_empty() => {
                if self.connect || self.upgrade {
                    tell(Fact::Switches);
                }
                self.place = match (self.chunked, self.length) {
                    (true, _) => Place::ChunkSize,
                    (false, 0) => Place::RequestLine,
                    (false, length) => Place::Body(length),
                };
            }
            Place::Headers => self.header(line, tell),
            Place::ChunkSize if line.is_empty() => {}
            Place::ChunkSize => {
                let digits = line.split(|byte| matches!(byte, b';' | b' ')).next().unwrap_or(&[]);
                let size =
                    std::str::from_utf8(digits).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
                match size {
                    None => return false,
                    Some(0) => self.place = Place::Trailer,
                    Some(size) => self.place = Place::Chunk(size),
                }
            }
            Place::Trailer if line.is_empty() => self.place = Place::RequestLine,
            Place::Trailer | Place::Body(_) | Place::Chunk(_) => {}
        }
        true
    }

    fn header(&mut self, line: &[u8], tell: &mut impl FnMut(Fact<'_>)) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (field, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if field.eq_ignore_ascii_case(b"host") {
            let host = without_port(value);
            if !host.is_empty() {
                tell(Fact::Host(host));
            }
        } else if field.eq_ignore_ascii_case(b"content-length") {
            self.length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        } else if field.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        } else if field.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        }
    }
}

/// The host in a request's target (RFC 9112 §3.2).
fn authority(target: &[u8], connect: bool) -> Option<&[u8]> {
    let authority = if connect {
        target
    } else {
        let scheme = target.windows(3).take(10).position(|window| window == b"://")?;
        target[scheme + 3..].split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()?
    };
    // User information before an `@` is a secret.
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    Some(without_port(host)).filter(|host| !host.is_empty())
}

/// `host`, `host:port` or `[v6]:port`.
pub(crate) fn without_port(value: &[u8]) -> &[u8] {
    if value.first() == Some(&b'[') {
        return value[1..].split(|byte| *byte == b']').next().unwrap_or(&[]);
    }
    value.split(|byte| *byte == b':').next().unwrap_or(&[])
}
