//! HTTP/1 requests (RFC 9112): their heads, as long as the connection lasts.
//!
//! Steps over bodies by their declared length; never looks into one.

use crate::protocol::begins::Begins;
use crate::protocol::interface::Probe;

/// Methods of IANA's registry (RFC 9110 §16.1), and some more.
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
    b"UNLINK ",
    b"ACL ",
    b"BASELINE-CONTROL ",
    b"BIND ",
    b"CHECKIN ",
    b"LABEL ",
    b"MKACTIVITY ",
    b"MKCALENDAR ",
    b"MKREDIRECTREF ",
    b"MKWORKSPACE ",
    b"ORDERPATCH ",
    b"REBIND ",
    b"UNBIND ",
    b"UNCHECKOUT ",
    b"UPDATE ",
    b"UPDATEREDIRECTREF ",
    b"VERSION-CONTROL ",
    // Nobody registered them, but they are in use: Exchange, Remote Desktop, SSTP, BITS, caches, streams.
    b"BCOPY ",
    b"BDELETE ",
    b"BITS_POST ",
    b"BMOVE ",
    b"BPROPFIND ",
    b"BPROPPATCH ",
    b"POLL ",
    b"PURGE ",
    b"RDG_IN_DATA ",
    b"RDG_OUT_DATA ",
    b"RPC_CONNECT ",
    b"SOURCE ",
    b"SSTP_DUPLEX_POST ",
    b"X-MS-ENUMATTS ",
];
/// How a request may begin.
pub(super) const BEGINS: Begins = Begins::like(METHODS).or(Begins::with(b"\r\n"));
const MAX_EMPTY_LINES: usize = 16;
/// A longer line is given up.
const MAX_LINE: usize = 32 * 1024;

/// A fact from a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    /// The version in the request line: `1.0`, `1.1`.
    Version(&'a [u8]),
    /// The Host header, without its port.
    Host(&'a [u8]),
    /// The authority of the request line (absolute form, or CONNECT), without its port.
    Authority(&'a [u8]),
    /// What identifies the user, by its word; never its value.
    Carries(&'static str),
}

/// What a request asks the connection to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A tunnel to the host that CONNECT names (RFC 9110 §9.3.6).
    Tunnel,
    /// RFC 6455.
    WebSocket,
    /// Another protocol of the Upgrade header (RFC 9110 §7.8): `h2c`, `TLS/1.0`.
    Other,
}

/// What came of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes that are done with.
    pub(super) taken: usize,
    /// A request ended here that asks for a change.
    pub(super) change: Option<Change>,
    /// What was seen so far is no HTTP's.
    pub(super) foreign: bool,
    /// Bytes behind a request make no sense, and were left out.
    pub(super) lost: bool,
}

/// Could an HTTP client's bytes begin so?
pub(super) fn probe(bytes: &[u8]) -> Probe {
    // Empty lines may come before (RFC 9112 §2.2); servers take several.
    let mut rest = bytes;
    for _ in 0..MAX_EMPTY_LINES {
        rest = match rest {
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
            b"\r" => return Probe::More,
            _ => break,
        };
    }
    Probe::of_starts(rest, METHODS.iter().copied())
}

/// Where in a request a stream stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    place: Place,
    /// Bytes of the present line that were already searched for its end.
    searched: usize,
    length: u64,
    chunked: bool,
    connect: bool,
    upgrade: Option<Change>,
    /// A request was seen.
    begun: bool,
    /// Bytes are missing, or made no sense: the next request is looked for.
    searching: bool,
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
    /// Whether a request was seen.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether what comes next is a request, and not the rest of one.
    pub(super) fn is_between(&self) -> bool {
        self.place == Place::RequestLine
    }

    /// Takes bytes and tells facts, up to the end of them or of a request that asks for a change.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        after_gap: bool,
        mut tell: impl FnMut(Fact<'_>),
    ) -> Progress {
        if after_gap {
            self.begin_anew();
        }
        let took = |taken| Progress { taken, change: None, foreign: false, lost: false };
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
                    return self.gives_up(bytes.len());
                }
                self.searched = rest.len();
                return took(at);
            };
            self.searched = 0;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            let was_head = self.place == Place::Headers;
            if !self.line(line, &mut tell) {
                return self.gives_up(bytes.len());
            }
            at += end + 1;
            if was_head && self.place != Place::Headers {
                let change = if self.connect { Some(Change::Tunnel) } else { self.upgrade };
                if change.is_some() {
                    return Progress { change, ..took(at) };
                }
            }
        }
        took(at)
    }

    fn begin_anew(&mut self) {
        *self = Self { begun: self.begun, searching: true, ..Self::default() };
    }

    /// No request, or none that a server would take: begins anew with the next segment.
    fn gives_up(&mut self, taken: usize) -> Progress {
        let (foreign, lost) = (!self.begun, self.begun && !self.searching);
        self.begin_anew();
        Progress { taken, change: None, foreign, lost }
    }

    /// False where the line can't be part of a request.
    fn line(&mut self, line: &[u8], tell: &mut impl FnMut(Fact<'_>)) -> bool {
        match self.place {
            Place::RequestLine if line.is_empty() => {}
            Place::RequestLine => {
                // Other protocols have methods of the same names; a line without a version is HTTP/0.9's, which only gets.
                let version =
                    line.rsplit(|byte| *byte == b' ').next().and_then(|last| last.strip_prefix(b"HTTP/"));
                if probe(line) != Probe::Yes || (version.is_none() && !line.starts_with(b"GET ")) {
                    return false;
                }
                let connect = line.starts_with(b"CONNECT ");
                *self = Self { place: Place::Headers, connect, begun: true, ..Self::default() };
                if let Some(version) = version {
                    tell(Fact::Version(version));
                }
                let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or(&[]);
                if let Some(authority) = authority(target, self.connect) {
                    tell(Fact::Authority(authority));
                }
            }
            Place::Headers if line.is_empty() => {
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
            let is_socket = value.to_ascii_lowercase().starts_with(b"websocket");
            self.upgrade = Some(if is_socket { Change::WebSocket } else { Change::Other });
        } else if field.eq_ignore_ascii_case(b"authorization")
            || field.eq_ignore_ascii_case(b"proxy-authorization")
        {
            tell(Fact::Carries("authorization"));
        } else if field.eq_ignore_ascii_case(b"cookie") {
            tell(Fact::Carries("cookie"));
        }
    }
}

/// The host in a request's target (RFC 9112 §3.2).
pub(in crate::protocol) fn authority(target: &[u8], connect: bool) -> Option<&[u8]> {
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
pub(super) fn without_port(value: &[u8]) -> &[u8] {
    if value.first() == Some(&b'[') {
        return value[1..].split(|byte| *byte == b']').next().unwrap_or(&[]);
    }
    value.split(|byte| *byte == b':').next().unwrap_or(&[])
}
