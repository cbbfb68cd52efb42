//! Tuya's protocol between its devices and their app on the link, over UDP and TCP: told by the words around each message.
//!
//! Both forms are in the open (versions 3.1–3.4, and 3.5); what is inside is encrypted and names nothing.

use super::facts::Facts;
use super::interface::{Datagram, Dialogue, Heard, Opening, Probe, Shown, Step, StreamProtocol};

/// Tuya over TCP.
pub(crate) const OVER_TCP: StreamProtocol = StreamProtocol { probe, open: |_| Box::new(Stream) };

/// Before and behind a message, where its length stands, and how much that leaves out.
const FORMS: [Form; 2] = [
    Form { before: [0, 0, 0x55, 0xaa], behind: [0, 0, 0xaa, 0x55], length_at: 12, beside: 16 },
    Form { before: [0, 0, 0x66, 0x99], behind: [0, 0, 0x99, 0x66], length_at: 14, beside: 22 },
];

struct Form {
    before: [u8; 4],
    behind: [u8; 4],
    length_at: usize,
    beside: usize,
}

/// Tells Tuya.
pub(crate) fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_message(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("tuya");
    Heard::Done
}

fn is_message(bytes: &[u8]) -> bool {
    FORMS.iter().any(|form| {
        let length = bytes.get(form.length_at..).and_then(|rest| rest.first_chunk());
        bytes.starts_with(&form.before)
            && bytes.ends_with(&form.behind)
            && length.is_some_and(|length| u32::from_be_bytes(*length) as usize + form.beside == bytes.len())
    })
}

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    match FORMS.iter().any(|form| form.before.starts_with(&bytes[..bytes.len().min(4)])) {
        true if bytes.len() >= 4 => Probe::Yes,
        true => Probe::More,
        false => Probe::No,
    }
}

/// A connection, told by its first message.
#[derive(Debug)]
struct Stream;

impl Dialogue for Stream {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let form = FORMS.iter().find(|form| bytes.starts_with(&form.before));
        let Some(form) = form else { return Step::NotMine };
        let length = bytes.get(form.length_at..).and_then(|rest| rest.first_chunk());
        let whole = length
            .and_then(|length| bytes.get(..(u32::from_be_bytes(*length) as usize).checked_add(form.beside)?));
        match whole {
            Some(message) if is_message(message) => {
                facts.recognised("tuya");
                Step::Done
            }
            Some(_) => Step::NotMine,
            // Longer ones than this there are none.
            None if shown.last || bytes.len() > 4096 => Step::NotMine,
            None => Step::Took(0),
        }
    }
}
