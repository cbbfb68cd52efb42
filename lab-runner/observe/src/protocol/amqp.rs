//! AMQP 0-9-1 (its specification §4.2) and 1.0 (OASIS AMQP 1.0 part 2): the version, and the host that 1.0 names.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::text::tls_begins;
use crate::flow::CLIENT;
use crate::link::be32;
use crate::record::NameKind;

/// AMQP.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[START]), probe, open: |_| Box::<Connection>::default() };

const START: &[u8] = b"AMQP";
const HEADER: usize = 8;
/// A longer frame of 1.0 opens nothing.
const MAX_FRAME: usize = 4096;
/// Frames of a client among which the one is that opens the connection.
const MAX_FRAMES: u8 = 8;
/// Descriptors of 1.0 (part 2 §2.7.1, part 5 §5.3.3.2), in which the host is the second and the third field.
const OPEN: u8 = 0x10;
const SASL_INIT: u8 = 0x41;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side != CLIENT {
        return Probe::No;
    }
    match opening.bytes.first_chunk() {
        Some(header) if version(header).is_some() => Probe::Yes,
        None if Probe::of_start(opening.bytes, START) != Probe::No => Probe::More,
        _ => Probe::No,
    }
}

/// The version in a protocol header.
fn version(header: &[u8; HEADER]) -> Option<&'static str> {
    match header {
        [b'A', b'M', b'Q', b'P', 0 | 2 | 3, 1, 0, 0] => Some("1.0"),
        [b'A', b'M', b'Q', b'P', 0, 0, 9, 1] => Some("0-9-1"),
        [b'A', b'M', b'Q', b'P', 1, 1, 0, 9] => Some("0-9"),
        [b'A', b'M', b'Q', b'P', 1, 1, 0, 10] => Some("0-10"),
        [b'A', b'M', b'Q', b'P', 1, 1, 8, 0] => Some("0-8"),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Connection {
    frames: u8,
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
        loop {
            let rest = &bytes[at..];
            // Its TLS begins behind a header of its own.
            if let Some(step) = tls_begins(rest, shown).filter(|_| !rest.is_empty()) {
                return if step == Step::Switch(0) { Step::Switch(at) } else { Step::Took(at) };
            }
            if let Some(version) = rest.first_chunk().and_then(version) {
                facts.recognised("amqp");
                facts.version(version);
                if version != "1.0" {
                    return Step::Done;
                }
                at += HEADER;
                continue;
            }
            let Some(size) = be32(rest, 0).map(|size| size as usize) else {
                return Step::Took(at);
            };
            self.frames += 1;
            if !(HEADER..=MAX_FRAME).contains(&size) || self.frames > MAX_FRAMES {
                return Step::Done;
            }
            let Some(frame) = rest.get(..size) else {
                self.frames -= 1;
                return if shown.last { Step::Done } else { Step::Took(at) };
            };
            if opens(frame, facts) == Some(true) {
                return Step::Done;
            }
            at += size;
        }
    }
}

/// Tells what a frame of 1.0 names; true for the one that opens the connection.
fn opens(frame: &[u8], facts: &mut Facts<'_, '_>) -> Option<bool> {
    let data_at = usize::from(*frame.get(4)?) * 4;
    let mut fields = Fields(frame.get(data_at..)?);
    // A described list (part 1 §1.2): the descriptor as a small number.
    if fields.take(2)? != [0, 0x53] {
        return None;
    }
    let kind = fields.u8()?;
    let place = match kind {
        OPEN => 1,
        SASL_INIT => 2,
        _ => return None,
    };
    if kind == SASL_INIT {
        facts.carries("credentials");
    }
    match fields.u8()? {
        0xc0 => fields.take(2)?,
        0xd0 => fields.take(8)?,
        _ => return None,
    };
    for _ in 0..place {
        text(&mut fields)?;
    }
    if let Some(host) = text(&mut fields)? {
        facts.name(NameKind::AmqpHost, host);
    }
    Some(kind == OPEN)
}

/// A string, symbol or binary value; `Some(None)` for none.
fn text<'a>(fields: &mut Fields<'a>) -> Option<Option<&'a [u8]>> {
    let length = match fields.u8()? {
        0x40 => return Some(None),
        0xa0 | 0xa1 | 0xa3 => usize::from(fields.u8()?),
        0xb0 | 0xb1 | 0xb3 => fields.u32()? as usize,
        _ => return None,
    };
    fields.take(length).map(Some)
}
