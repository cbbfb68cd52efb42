//! Records of a session whose beginning was not seen, and the hello of SSL 2: TLS without names.

use super::record;
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
