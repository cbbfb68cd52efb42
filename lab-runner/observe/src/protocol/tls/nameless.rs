//! TLS whose client does not begin with a hello: a session whose beginning was not seen, and the hello of SSL 2, which have
//! no names; or an alert and the like, behind which a hello comes all the same.

use super::{Session, record};
use crate::flow::{CLIENT, SERVER};
use crate::protocol::begins::Begins;
use crate::protocol::doh;
use crate::protocol::facts::Facts;
use crate::protocol::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};

/// Records without names, told where nothing better is.
pub(crate) const NAMELESS: StreamProtocol = StreamProtocol {
    begins: Begins::between(20, 24).or_between(0x80, 0x80),
    probe,
    open: |opening| Box::new(Nameless { late: opening.late, ..Nameless::default() }),
};

fn probe(opening: &Opening<'_>) -> Probe {
    // Behind a clear text, five bytes of a client say too little.
    let yes = (opening.side == SERVER || !opening.late) && is_nameless(opening.bytes);
    if yes { Probe::Yes } else { Probe::No }
}

/// Is this a record of a session whose beginning was not seen, or the hello of SSL 2 (RFC 5246 §E.2)? Neither has names.
pub(super) fn is_nameless(bytes: &[u8]) -> bool {
    match *bytes {
        [20..=24, 3, 0..=4, high, low, ..] => {
            let length = usize::from(high) << 8 | usize::from(low);
            length > 0 && length <= record::MAX_LENGTH && (bytes[0] == 23 || length < bytes.len() + 4096)
        }
        [0x80, length, 1, 0 | 3, 0 | 2..=3, 0, suites, ..] => {
            usize::from(length) + 2 == bytes.len() && suites.is_multiple_of(3) && suites < length
        }
        _ => false,
    }
}

/// Records before a hello that are stepped over, and the longest of them.
const MAX_BEFORE: u8 = 8;
const LONGEST_BEFORE: u8 = 64;
/// Bytes by which a hello is told from an encrypted record of the same kind.
const HELLO: usize = 11;

/// Is this a record with a hello's beginning?
fn is_hello(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [record::HANDSHAKE, 3, 0..=4, high, low, record::CLIENT_HELLO, 0, _, _, 3, 0..=4, ..] if [*high, *low] > [0, 4]
    )
}

/// Could fewer bytes be one's?
fn may_be_hello(bytes: &[u8]) -> bool {
    let like = [record::HANDSHAKE, 3, 0, 0, 0, record::CLIENT_HELLO, 0, 0, 0, 3];
    let fixed = [0, 1, 5, 6, 9];
    bytes.len() < HELLO && fixed.iter().all(|at| bytes.get(*at).is_none_or(|byte| *byte == like[*at]))
}

/// What stands behind records of a client.
enum Behind {
    /// A hello, from there on.
    Hello(usize),
    /// From there on, more bytes would tell.
    More(usize),
    Nothing,
}

/// One side's records alone are only a guess, for anyone can write five bytes before a clear text.
#[derive(Debug, Default)]
struct Nameless {
    /// Something that is no TLS came before.
    late: bool,
    seen: [bool; 2],
    /// Records of the client that were stepped over.
    stepped: u8,
    /// All that the client has sent was stepped over.
    awaits_hello: bool,
    /// A hello came.
    session: Option<Session>,
}

impl Nameless {
    /// Steps over short records of a client.
    fn step_over(&mut self, bytes: &[u8], last: bool) -> Behind {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if self.stepped > 0 || self.seen[SERVER] {
                if is_hello(rest) {
                    return Behind::Hello(at);
                }
                if !last && may_be_hello(rest) {
                    return Behind::More(at);
                }
            }
            let [20 | 21 | 24, 3, 0..=4, 0, length @ 1..=LONGEST_BEFORE, body @ ..] = rest else {
                let is_cut =
                    rest.len() < record::HEADER && matches!(rest, [20 | 21 | 24] | [20 | 21 | 24, 3, ..]);
                return if is_cut && !last { Behind::More(at) } else { Behind::Nothing };
            };
            let length = usize::from(*length);
            if self.stepped >= MAX_BEFORE || (body.len() < length && last) {
                return Behind::Nothing;
            }
            if body.len() < length {
                return Behind::More(at);
            }
            self.stepped += 1;
            at += record::HEADER + length;
        }
    }
}

impl Dialogue for Nameless {
    fn wants(&self, side: usize) -> bool {
        match &self.session {
            Some(session) => session.wants(side),
            None => !self.seen[side] || (side == CLIENT && self.awaits_hello),
        }
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if let Some(session) = &mut self.session {
            return session.read(side, bytes, shown, facts);
        }
        let mut taken = bytes.len();
        if side == CLIENT {
            let behind = self.step_over(bytes, shown.last);
            self.awaits_hello = matches!(behind, Behind::More(_));
            let begins_otherwise = matches!(bytes, [20..=24, ..]) && !matches!(behind, Behind::Hello(0));
            if begins_otherwise
                && !self.seen[CLIENT]
                && !self.late
                && !shown.after_gap
                && facts.opening_seen()
            {
                facts.doubt("tls_without_hello");
            }
            match behind {
                Behind::Hello(at) => {
                    let mut session = Session::new(false, false);
                    let step = session.read(side, &bytes[at..], shown, facts);
                    self.session = (step != Step::NotMine).then_some(session);
                    return match step {
                        Step::Took(taken) => Step::Took(at + taken),
                        Step::Switch(taken) => Step::Switch(at + taken),
                        Step::Done | Step::NotMine => step,
                    };
                }
                Behind::More(at) => taken = at,
                Behind::Nothing => {}
            }
        }
        if !self.awaits_hello && !is_nameless(bytes) {
            self.seen[side] |= side == SERVER;
            return Step::NotMine;
        }
        if side == CLIENT && bytes.first() == Some(&0x80) {
            facts.version("ssl2");
        }
        self.seen[side] = true;
        if self.seen == [true; 2] && !self.awaits_hello {
            facts.recognised("tls");
            if doh::answers_at(facts.server(), facts.ports()[1]) {
                facts.hides_look_ups();
            }
            return Step::Done;
        }
        facts.suggested("tls");
        Step::Took(taken)
    }
}
