//! Records of a session whose beginning was not seen, and the hello of SSL 2: TLS without names.

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
    open: |_| Box::<Nameless>::default(),
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

/// Is this a record with a whole hello's beginning? Behind other records the same kind may hold what is encrypted.
fn is_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [record::HANDSHAKE, 3, 0..=4, _, _, record::CLIENT_HELLO, 0, _, _, 3, 0..=4, ..])
}

/// Records of a client behind which a hello may yet come.
const MAX_BEFORE: u8 = 4;

/// One side's records alone are only a guess, for anyone can write five bytes before a clear text.
#[derive(Debug, Default)]
struct Nameless {
    seen: [bool; 2],
    /// Whole records of the client, which are all that it has sent.
    records: u8,
    /// A hello came all the same, behind an alert or the like.
    session: Option<Session>,
}

impl Nameless {
    /// How far whole records of a client go, and whether a hello stands behind them.
    fn records(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let [20..=24, 3, 0..=4, high, low, ref rest @ ..] = bytes[at..] {
            let length = usize::from(high) << 8 | usize::from(low);
            if self.records > 0 && is_hello(&bytes[at..]) {
                return (at, true);
            }
            if self.records >= MAX_BEFORE || length > rest.len() {
                self.records = MAX_BEFORE;
                break;
            }
            self.records += 1;
            at += record::HEADER + length;
        }
        (at, false)
    }
}

impl Dialogue for Nameless {
    fn wants(&self, side: usize) -> bool {
        match &self.session {
            Some(session) => session.wants(side),
            None => !self.seen[side] || (side == CLIENT && (1..MAX_BEFORE).contains(&self.records)),
        }
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if let Some(session) = &mut self.session {
            return session.read(side, bytes, shown, facts);
        }
        let (at, is_hello) = if side == CLIENT { self.records(bytes) } else { (0, false) };
        if is_hello {
            let session = self.session.insert(Session::new(false, false));
            return match session.read(side, &bytes[at..], shown, facts) {
                Step::Took(taken) => Step::Took(at + taken),
                Step::Switch(taken) => Step::Switch(at + taken),
                Step::Done | Step::NotMine => Step::Done,
            };
        }
        if !is_nameless(bytes) {
            self.seen[side] |= side == SERVER;
            return Step::NotMine;
        }
        if side == CLIENT && bytes.first() == Some(&0x80) {
            facts.version("ssl2");
        }
        self.seen[side] = true;
        if self.seen == [true; 2] {
            facts.recognised("tls");
            if doh::answers_at(facts.server(), facts.ports()[1]) {
                facts.hides_look_ups();
            }
            return Step::Done;
        }
        facts.suggested("tls");
        Step::Took(bytes.len())
    }
}
