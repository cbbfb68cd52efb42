//! Telnet (RFC 854, RFC 855): sides that negotiate options.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};

/// Telnet.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[0xff]), probe, open: |_| Box::new(Negotiation) };

const PORT: u16 = 23;

fn probe(opening: &Opening<'_>) -> Probe {
    // One negotiation is three bytes, which say enough on Telnet's own port only.
    let is_negotiation = |triple: &[u8; 3]| matches!(triple, [0xff, 0xfb..=0xfe, 0..=49]);
    let (triples, _) = opening.bytes.as_chunks::<3>();
    let count = triples.iter().take(2).filter(|triple| is_negotiation(triple)).count();
    let told =
        opening.from_start && (count == 2 || (count == 1 && triples.len() == 1 && opening.ports[1] == PORT));
    if told { Probe::Yes } else { Probe::No }
}

#[derive(Debug)]
struct Negotiation;

impl Dialogue for Negotiation {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, _: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("telnet");
        Step::Done
    }
}
