//! BitTorrent between peers (BEP 3, "peer protocol"): its handshake, which either side may be the first to send.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};

/// BitTorrent.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::like(&[START]), probe, open: |_| Box::new(Handshake) };

const START: &[u8] = b"\x13BitTorrent protocol";

fn probe(opening: &Opening<'_>) -> Probe {
    Probe::of_start(opening.bytes, START)
}

#[derive(Debug)]
struct Handshake;

impl Dialogue for Handshake {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, _: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("bittorrent");
        facts.carries("peer_id");
        Step::Done
    }
}
