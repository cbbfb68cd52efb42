//! SOCKS 4, 4a and 5 (RFC 1928): the host that a proxy is asked for; behind it, whatever is spoken with that host.
//!
//! Few bytes, so one side's alone prove nothing: the proxy's answer, or a request that follows a greeting, does.

use std::net::IpAddr;

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::escape;
use crate::flow::{CLIENT, SERVER};
use crate::record::NameKind;

/// SOCKS.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    begins: Begins::with(&[4, 5]),
    probe,
    open: |opening| Box::new(Proxy { stage: stage(opening.bytes), offered: Vec::new(), target: None }),
};

/// Methods of authentication that are offered at most.
const MAX_METHODS: usize = 16;
/// A longer user name, or host's name, is none.
const MAX_TEXT: usize = 255;
const CONNECT: u8 = 1;
const NO_METHOD: u8 = 0xff;

fn probe(opening: &Opening<'_>) -> Probe {
    let told = opening.side == CLIENT
        && opening.from_start
        && match opening.bytes {
            [5, count, methods @ ..] => {
                usize::from(*count) == methods.len() && (1..=MAX_METHODS).contains(&methods.len())
            }
            [4, ..] => old_request(opening.bytes).is_some(),
            _ => false,
        };
    if told { Probe::Yes } else { Probe::No }
}

fn stage(bytes: &[u8]) -> Stage {
    if bytes.first() == Some(&4) { Stage::OldRequest } else { Stage::Greeting }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client offers methods.
    Greeting,
    /// The server takes one of them.
    Method,
    /// The client says who it is, or what it wants.
    Request,
    OldRequest,
    /// The server says whether it did it.
    Reply,
    OldReply,
}

#[derive(Debug)]
struct Proxy {
    stage: Stage,
    /// Methods of authentication, [`MAX_METHODS`] at most.
    offered: Vec<u8>,
    /// The host that was asked for, until it is sure that this is SOCKS.
    target: Option<String>,
}

/// A request's host.
struct Request {
    host: String,
    has_user: bool,
    connects: bool,
    length: usize,
}

/// SOCKS 4 and 4a: command, port, address, user, and a host where the address is 0.0.0.x.
fn old_request(bytes: &[u8]) -> Option<Request> {
    let mut fields = Fields(bytes);
    let (version, command, port) = (fields.u8()?, fields.u8()?, fields.u16()?);
    let address: [u8; 4] = fields.take(4)?.try_into().ok()?;
    let user = terminated(&mut fields)?;
    let host = match address {
        [0, 0, 0, last] if last > 0 => escape::name(terminated(&mut fields)?, MAX_TEXT),
        _ => IpAddr::from(address).to_string(),
    };
    let is_one = version == 4 && matches!(command, 1 | 2) && port > 0 && fields.0.is_empty();
    is_one.then_some(Request {
        host,
        has_user: !user.is_empty(),
        connects: command == CONNECT,
        length: bytes.len(),
    })
}

fn terminated<'a>(fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    let end = fields.0.iter().take(MAX_TEXT + 1).position(|byte| *byte == 0)?;
    let text = fields.take(end)?;
    fields.u8()?;
    text.iter().all(u8::is_ascii_graphic).then_some(text)
}

/// RFC 1928 §4: command, and an address of one of three kinds.
fn request(bytes: &[u8]) -> Option<Request> {
    let mut fields = Fields(bytes);
    let (version, command, reserved) = (fields.u8()?, fields.u8()?, fields.u8()?);
    if version != 5 || !matches!(command, 1..=3) || reserved != 0 {
        return None;
    }
    let host = address(&mut fields)?;
    let length = bytes.len() - fields.0.len();
    Some(Request { host, has_user: false, connects: command == CONNECT, length })
}

/// RFC 1928 §5, with the port behind it.
fn address(fields: &mut Fields<'_>) -> Option<String> {
    let host = match fields.u8()? {
        1 => IpAddr::from(<[u8; 4]>::try_from(fields.take(4)?).ok()?).to_string(),
        3 => {
            let length = fields.u8()?;
            escape::name(fields.take(usize::from(length))?, MAX_TEXT)
        }
        4 => IpAddr::from(<[u8; 16]>::try_from(fields.take(16)?).ok()?).to_string(),
        _ => return None,
    };
    fields.u16()?;
    Some(host)
}

impl Proxy {
    fn asks(&mut self, request: Request, next: Stage, facts: &mut Facts<'_, '_>) -> Step {
        if request.has_user {
            facts.carries("user_name");
        }
        self.target = Some(request.host);
        self.stage = next;
        if request.connects { Step::Took(request.length) } else { self.agreed(facts, Step::Done) }
    }

    /// It is SOCKS, and the proxy does what it was asked for, or would.
    fn agreed(&mut self, facts: &mut Facts<'_, '_>, step: Step) -> Step {
        facts.recognised("socks");
        if let Some(host) = self.target.take() {
            facts.escaped(NameKind::SocksHost, host);
        }
        step
    }

    fn client(&mut self, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        match self.stage {
            Stage::Greeting => {
                self.stage = Stage::Method;
                self.offered = bytes.iter().skip(2).take(MAX_METHODS).copied().collect();
                Step::Took(bytes.len())
            }
            Stage::OldRequest => match old_request(bytes) {
                Some(request) => self.asks(request, Stage::OldReply, facts),
                None => Step::NotMine,
            },
            // The answer to the greeting may not have been captured.
            Stage::Method | Stage::Request => {
                if let Some(request) = request(bytes) {
                    facts.recognised("socks");
                    facts.version("5");
                    return self.asks(request, Stage::Reply, facts);
                }
                match bytes {
                    // RFC 1929 §2: a user's name and password.
                    [1, user, ..] if *user > 0 && self.stage == Stage::Request => {
                        facts.carries("credentials");
                        Step::Took(bytes.len())
                    }
                    [5, ..] if bytes.len() < 4 + MAX_TEXT && !shown.last => Step::Took(0),
                    _ => Step::NotMine,
                }
            }
            // A client that goes on was served, whatever was seen of the reply.
            Stage::Reply => self.agreed(facts, Step::Switch(0)),
            Stage::OldReply => Step::NotMine,
        }
    }

    fn server(&mut self, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        match (self.stage, bytes) {
            (Stage::Method, [5]) if !shown.last => Step::Took(0),
            (Stage::Method, [5, NO_METHOD]) => self.agreed(facts, Step::Done),
            (Stage::Method, [5, method]) if self.offered.contains(method) => {
                facts.recognised("socks");
                facts.version("5");
                self.stage = Stage::Request;
                Step::Took(2)
            }
            // An answer to a user's name and password.
            (Stage::Request, [1, _]) => Step::Took(2),
            (Stage::Reply, [5, 0, 0, ..]) => {
                let mut fields = Fields(bytes.get(3..).unwrap_or(&[]));
                match address(&mut fields) {
                    Some(_) => self.agreed(facts, Step::Switch(bytes.len() - fields.0.len())),
                    None if !shown.last && bytes.len() < 4 + MAX_TEXT => Step::Took(0),
                    None => self.agreed(facts, Step::Done),
                }
            }
            (Stage::Reply, [5, ..]) => self.agreed(facts, Step::Done),
            (Stage::OldReply, [0, code @ 90..=93, ..]) if bytes.len() >= 8 => {
                facts.version("4");
                self.agreed(facts, if *code == 90 { Step::Switch(8) } else { Step::Done })
            }
            _ => Step::NotMine,
        }
    }
}

impl Dialogue for Proxy {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if side == SERVER { self.server(bytes, shown, facts) } else { self.client(bytes, shown, facts) }
    }
}
