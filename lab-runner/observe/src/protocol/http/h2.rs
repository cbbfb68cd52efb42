//! HTTP/2 in clear text (RFC 9113), begun by prior knowledge or by an upgrade: the `:authority` of every request.
//!
//! Reads the client's frames of fields; steps over all others.

use super::hpack::Decoder;
use crate::flow::CLIENT;
use crate::protocol::Fields;
use crate::protocol::begins::Begins;
use crate::protocol::facts::Facts;
use crate::protocol::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::record::NameKind;
use crate::stream::MAX_HELD;

/// HTTP/2.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[PREFACE]), probe, open: |_| Box::<Connection>::default() };

/// RFC 9113 §3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// Frames over which the fields of one request are spread; four of the usual size fill what a stream holds.
const MAX_FRAMES: usize = 16;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side == CLIENT { Probe::of_start(opening.bytes, PREFACE) } else { Probe::No }
}

#[derive(Debug, Default)]
struct Connection {
    begun: bool,
    fields: Decoder,
    /// The most that the table of fields ever held, in bytes.
    held: usize,
    /// Bytes of a frame's payload that are still to come and tell nothing.
    skip: usize,
    /// Bytes below which there is no whole block of fields.
    need: usize,
}

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        if side != CLIENT {
            return Step::Took(bytes.len());
        }
        let mut at = 0;
        if !self.begun {
            facts.recognised("http");
            facts.version("2");
            self.begun = true;
            at = PREFACE.len().min(bytes.len());
        }
        if shown.after_gap {
            // Neither where a frame begins nor what the table holds is known any more.
            facts.lossy();
            facts.doubt("http2_gap");
            return Step::Done;
        }
        if bytes.len() < self.need && !shown.last {
            return Step::Took(at);
        }
        self.need = 0;
        loop {
            let skipped = self.skip.min(bytes.len() - at);
            (self.skip, at) = (self.skip - skipped, at + skipped);
            match block(&bytes[at..]) {
                Block::Other(length) => {
                    self.skip = length;
                }
                Block::Fields { block, length } => {
                    if self
                        .fields
                        .decode(&block, |host| {
                            facts.name(NameKind::HttpAuthority, super::request::without_port(host))
                        })
                        .is_none()
                    {
                        return gives_up(facts);
                    }
                    let more = self.fields.size().saturating_sub(self.held);
                    if more > 0 && !facts.has_room_for(more) {
                        facts.lossy();
                        facts.unread();
                        return Step::Done;
                    }
                    self.held += more;
                    at += length;
                }
                Block::Needs(need) if need > MAX_HELD => return gives_up(facts),
                Block::Needs(need) => {
                    self.need = need;
                    return Step::Took(at);
                }
                Block::Malformed => return gives_up(facts),
            }
        }
    }
}

fn gives_up(facts: &mut Facts<'_, '_>) -> Step {
    facts.doubt("http2_malformed");
    Step::Done
}

/// What begins at a frame's start.
enum Block {
    /// A frame of so many bytes that holds no fields.
    Other(usize),
    /// A request's or trailer's fields, put together from all their frames, which take so many bytes.
    Fields {
        block: Vec<u8>,
        length: usize,
    },
    /// So many bytes are needed to tell.
    Needs(usize),
    Malformed,
}

/// RFC 9113 §4.1, §6.2, §6.10.
fn block(bytes: &[u8]) -> Block {
    let mut block = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_FRAMES {
        let mut rest = Fields(&bytes[at..]);
        let (Some(length), Some(kind), Some(flags), Some(_stream)) =
            (rest.u24(), rest.u8(), rest.u8(), rest.take(4))
        else {
            return Block::Needs(at + HEADER);
        };
        let length = length as usize;
        match (at, kind) {
            (0, HEADERS) | (1.., CONTINUATION) => {}
            (0, _) => return Block::Other(HEADER + length),
            _ => return Block::Malformed,
        }
        let Some(payload) = rest.take(length) else { return Block::Needs(at + HEADER + length) };
        let fragment = if kind == HEADERS { unpadded(payload, flags) } else { Some(payload) };
        let Some(fragment) = fragment else { return Block::Malformed };
        block.extend_from_slice(fragment);
        at += HEADER + length;
        if flags & END_HEADERS != 0 {
            return Block::Fields { block, length: at };
        }
    }
    Block::Malformed
}

/// What is left of a HEADERS frame without padding and priority.
fn unpadded(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let mut rest = Fields(payload);
    let padding = if flags & PADDED != 0 { usize::from(rest.u8()?) } else { 0 };
    if flags & PRIORITY != 0 {
        rest.take(5)?;
    }
    rest.take(rest.0.len().checked_sub(padding)?)
}
