//! SSH (RFC 4253 §4.2): the line with which each side says what it is.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::escape;
use crate::flow::SERVER;
use crate::record::NameKind;

/// SSH.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[START]), probe, open: |_| Box::<Banners>::default() };

/// RFC 4253 §4.2.
const MAX_LINE: usize = 255;
const START: &[u8] = b"SSH-";

fn probe(opening: &Opening<'_>) -> Probe {
    Probe::of_start(opening.bytes, START)
}

#[derive(Debug, Default)]
struct Banners {
    seen: [bool; 2],
}

impl Dialogue for Banners {
    fn wants(&self, side: usize) -> bool {
        !self.seen[side]
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("ssh");
        let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n');
        if end.is_none() && bytes.len() < MAX_LINE && !shown.last {
            return Step::Took(0);
        }
        self.seen[side] = true;
        let line = bytes[..end.unwrap_or(0)].trim_ascii_end();
        if let Some(says) = line.strip_prefix(START) {
            if side == SERVER {
                let version = says.split(|byte| *byte == b'-').next().unwrap_or(&[]);
                facts.version(escape::text(version, 16));
            }
            facts.name(if side == SERVER { NameKind::Greeting } else { NameKind::Helo }, line);
        }
        if self.seen == [true; 2] { Step::Done } else { Step::Took(bytes.len()) }
    }
}
