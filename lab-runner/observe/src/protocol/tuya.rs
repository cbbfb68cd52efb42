//! Tuya's protocol between its devices and their app on the link, over UDP and TCP: told by the words around each message.
//!
//! Both forms are in the open (versions 3.1–3.4, and 3.5); what is inside is encrypted and names nothing.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{
    Datagram, DatagramProtocol, Dialogue, Heard, Opening, Probe, Shown, Step, StreamProtocol,
};
use crate::link::be32;

/// Tuya over UDP.
pub(crate) const OVER_UDP: DatagramProtocol = DatagramProtocol { begins: Begins::with(&[0]), listen };

/// Tuya over TCP.
pub(crate) const OVER_TCP: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[0]), probe, open: |_| Box::new(Stream) };

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

impl Form {
    /// How long the message is that begins with these bytes, as far as that can be told.
    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        (be32(bytes, self.length_at)? as usize).checked_add(self.beside)
    }
}

/// Tells Tuya.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !is_message(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("tuya");
    Heard::Done
}

fn is_message(bytes: &[u8]) -> bool {
    FORMS.iter().any(|form| {
        bytes.starts_with(&form.before)
            && bytes.ends_with(&form.behind)
            && form.whole(bytes) == Some(bytes.len())
    })
}

fn probe(opening: &Opening<'_>) -> Probe {
    Probe::of_starts(opening.bytes, FORMS.iter().map(|form| &form.before[..]))
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
        match form.whole(bytes).and_then(|length| bytes.get(..length)) {
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
