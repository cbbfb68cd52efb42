//! HTTP in clear text: who each request is for, as long as the connection lasts; and what becomes of the connection where a
//! request asks for a tunnel or another protocol.
//!
//! Of a server's answers only the head of one that decides that is read.

mod h2;
mod hpack;
mod request;

pub(crate) use h2::PROTOCOL as H2;
pub(super) use request::authority;
use request::{Change, Fact, Requests};

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;
use crate::record::NameKind;

/// HTTP/1.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol {
    begins: request::BEGINS.or(Begins::like(&[ANSWER])),
    probe,
    open: |_| Box::<Connection>::default(),
};

/// A longer head of an answer is given up.
const MAX_HEAD: usize = 16 * 1024;
/// Segments of a server among which an answer is looked for; bodies of earlier ones may come before it.
const MAX_ANSWERS: u8 = 16;
const ANSWER: &[u8] = b"HTTP/1.";

fn probe(opening: &Opening<'_>) -> Probe {
    match opening.side {
        CLIENT => request::probe(opening.bytes),
        _ if opening.bytes.starts_with(ANSWER) => Probe::Yes,
        _ => Probe::No,
    }
}

#[derive(Debug, Default)]
struct Connection {
    requests: Requests,
    /// What the last request asked for; the server's answer decides.
    asked: Option<Change>,
    /// Segments of the server that were no answer to that.
    answers: u8,
    /// The server's first answer was seen, where no request was.
    greeted: bool,
}

impl Connection {
    fn client(&mut self, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if let Some(change) = self.asked
            && self.requests.is_between()
        {
            // Whatever the answer was: a client that speaks HTTP again was refused, or not understood.
            match request::probe(bytes) {
                Probe::Yes => self.asked = None,
                Probe::More if !shown.last => return Step::Took(0),
                Probe::More | Probe::No => return becomes(change, 0, facts),
            }
        }
        let mut at = 0;
        while at < bytes.len() {
            let progress =
                self.requests.advance(&bytes[at..], shown.after_gap && at == 0, |fact| match fact {
                    Fact::Version(version) => facts.version(match version {
                        b"1.1" => "1.1",
                        b"1.0" => "1.0",
                        _ => "0.9",
                    }),
                    Fact::Host(host) => facts.name(NameKind::HttpHost, host),
                    Fact::Authority(host) => facts.name(NameKind::HttpAuthority, host),
                    Fact::Carries(what) => facts.carries(what),
                });
            if progress.foreign {
                return Step::NotMine;
            }
            if progress.lost {
                facts.doubt("http_malformed");
            }
            // A method alone may be another protocol's word; a line that was cut is given the benefit of the doubt.
            if self.requests.has_begun() || shown.last {
                facts.recognised("http");
            }
            at += progress.taken;
            if progress.change.is_some() {
                (self.asked, self.answers) = (progress.change, 0);
                if bytes.len() > at && self.requests.is_between() {
                    // A client that does not wait for the answer: what follows is shown again.
                    return Step::Took(at);
                }
            } else if progress.taken == 0 || at < bytes.len() {
                break;
            }
        }
        Step::Took(at)
    }

    fn server(&mut self, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("http");
        self.greeted = true;
        let Some(change) = self.asked else { return Step::Took(bytes.len()) };
        match answer(bytes) {
            Answer::Incomplete if !shown.last && bytes.len() < MAX_HEAD => Step::Took(0),
            // 100 to 199 but 101 come before the answer proper (RFC 9110 §15.2).
            Answer::Head { status: 100 | 102..=199, end } => Step::Took(end),
            Answer::Head { status: 200..=299, end } if change == Change::Tunnel => {
                becomes(change, end, facts)
            }
            Answer::Head { status: 101, end } if change != Change::Tunnel => becomes(change, end, facts),
            Answer::Head { .. } => {
                self.asked = None;
                Step::Took(bytes.len())
            }
            Answer::Incomplete | Answer::None => {
                self.answers += 1;
                Step::Took(bytes.len())
            }
        }
    }
}

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT || !self.greeted || (self.asked.is_some() && self.answers < MAX_ANSWERS)
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if side == CLIENT {
            self.greeted = true;
            self.client(bytes, shown, facts)
        } else {
            self.server(bytes, shown, facts)
        }
    }
}

/// The server agreed.
fn becomes(change: Change, taken: usize, facts: &mut Facts<'_, '_>) -> Step {
    if change == Change::WebSocket {
        facts.becomes("websocket");
        return Step::Done;
    }
    Step::Switch(taken)
}

/// What a server's bytes are.
enum Answer {
    Head { status: u16, end: usize },
    Incomplete,
    None,
}

/// RFC 9112 §4: a status line, and fields up to an empty line.
fn answer(bytes: &[u8]) -> Answer {
    if Probe::of_start(bytes, ANSWER) == Probe::No {
        return Answer::None;
    }
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Answer::Incomplete;
    };
    let status = bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match status {
        Some(status) => Answer::Head { status, end: end + 4 },
        None => Answer::None,
    }
}
