//! The header that a proxy puts before a connection which it hands on (HAProxy, "The PROXY protocol", versions 1 and 2).

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;

/// The header; behind it, whatever the proxy's client speaks.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[TEXT, BINARY]), probe, open: |_| Box::new(Header) };

const TEXT: &[u8] = b"PROXY ";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// A line of version 1 (§2.1).
const MAX_LINE: usize = 107;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side != CLIENT || !opening.from_start {
        return Probe::No;
    }
    if opening.bytes.starts_with(TEXT) { Probe::Yes } else { Probe::of_start(opening.bytes, BINARY) }
}

/// How long the header is, as far as that can be told.
fn length(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(TEXT) {
        return bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').map(|end| end + 1);
    }
    match bytes.get(14..16) {
        Some(&[high, low]) => Some(16 + (usize::from(high) << 8 | usize::from(low))),
        _ => None,
    }
}

#[derive(Debug)]
struct Header;

impl Dialogue for Header {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, _: &mut Facts<'_, '_>) -> Step {
        match length(bytes).filter(|_| side == CLIENT) {
            Some(length) if length <= bytes.len() => Step::Switch(length),
            None if bytes.len() > MAX_LINE => Step::NotMine,
            _ if shown.last => Step::NotMine,
            _ => Step::Took(0),
        }
    }
}
