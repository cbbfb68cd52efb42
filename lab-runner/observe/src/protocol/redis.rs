//! Redis (its "RESP protocol specification"): a client's first command, an array of texts.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;

/// Redis.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(b"*"), probe, open: |_| Box::new(Command) };

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == CLIENT && command(opening.bytes).is_some() { Probe::Yes } else { Probe::No }
}

/// The command in `*<count>` `$<length>` `<command>`, a line each.
fn command(bytes: &[u8]) -> Option<&[u8]> {
    let mut lines = bytes.get(..64.min(bytes.len()))?.split(|byte| *byte == b'\n');
    let mut line = || lines.next()?.strip_suffix(b"\r");
    number(line()?.strip_prefix(b"*")?)?;
    let length = number(line()?.strip_prefix(b"$")?)?;
    let command = line()?;
    (command.len() == length && command.iter().all(u8::is_ascii_alphanumeric)).then_some(command)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| (1..64).contains(number))
}

#[derive(Debug)]
struct Command;

impl Dialogue for Command {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, _: usize, bytes: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("redis");
        if command(bytes).is_some_and(|command| command.eq_ignore_ascii_case(b"AUTH")) {
            facts.carries("credentials");
        }
        Step::Done
    }
}
