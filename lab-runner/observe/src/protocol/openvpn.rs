//! OpenVPN over UDP and TCP (its wire protocol, draft-openvpn-wire-protocol), told by the reset that a client begins with
//! and the server's, which repeats the client's session.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{
    Conversation, Datagram, DatagramProtocol, Dialogue, Heard, Opening, Probe, Shown, Step, StreamProtocol,
};
use crate::flow::CLIENT;
use crate::link::be16;

/// OpenVPN over UDP.
pub(crate) const OVER_UDP: DatagramProtocol =
    DatagramProtocol { begins: Begins::with(&[RESET_CLIENT_V2, RESET_CLIENT_V3]), listen };

/// OpenVPN over TCP, where each packet stands behind its length.
pub(crate) const OVER_TCP: StreamProtocol =
    StreamProtocol { begins: Begins::between(0, 4), probe, open: |_| Box::<Resets>::default() };

/// A packet's first byte: the operation, and the number of a key, which is the first here.
const RESET_CLIENT_V2: u8 = 7 << 3;
const RESET_SERVER_V2: u8 = 8 << 3;
const RESET_CLIENT_V3: u8 = 10 << 3;
const SESSION: usize = 8;
/// A reset with nothing around it: operation, session, no acknowledgements, packet 0.
const PLAIN: usize = 14;
/// Behind a digest of so many bytes come a packet id and a time.
const DIGESTS: [usize; 5] = [16, 20, 32, 48, 64];
const MAX_PACKETS: u8 = 8;

/// Tells OpenVPN over UDP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let mut resets = Resets::default();
    match resets.packet(datagram.side, datagram.bytes, facts) {
        true => Heard::With(Box::new(resets)),
        false => Heard::No,
    }
}

/// The reset that a client sent.
#[derive(Debug, Default)]
struct Resets {
    session: Option<(usize, [u8; SESSION])>,
    packets: u8,
    answered: bool,
}

impl Resets {
    /// Takes a packet; whether it is one of these.
    fn packet(&mut self, side: usize, bytes: &[u8], facts: &mut Facts<'_, '_>) -> bool {
        self.packets += 1;
        match &self.session {
            None if is_client_reset(bytes) => {
                // One side's bytes alone: in the hardened forms most of them are random.
                facts.suggested("openvpn");
                self.session = bytes[1..].first_chunk().map(|session| (side, *session));
                true
            }
            Some((client, session)) if *client != side && bytes.first() == Some(&RESET_SERVER_V2) => {
                let repeats = bytes.windows(SESSION).skip(1).take(128).any(|window| window == session);
                if repeats || is_wrapped(bytes) {
                    facts.recognised("openvpn");
                    self.answered = true;
                }
                true
            }
            _ => false,
        }
    }

    fn is_over(&self) -> bool {
        self.answered || self.packets >= MAX_PACKETS
    }
}

fn is_client_reset(bytes: &[u8]) -> bool {
    let operation = bytes.first().copied();
    if !matches!(operation, Some(RESET_CLIENT_V2 | RESET_CLIENT_V3)) || bytes.len() < PLAIN {
        return false;
    }
    // No acknowledgements, and the first packet.
    let ends_plain = bytes.ends_with(&[0; 5]);
    let is_plain = bytes.len() == PLAIN && ends_plain;
    let is_signed = ends_plain
        && DIGESTS.iter().any(|digest| {
            bytes.len() == PLAIN + digest + 8 && bytes[1 + SESSION + digest..].starts_with(&[0, 0, 0, 1])
        });
    is_plain || is_signed || is_wrapped(bytes)
}

/// With everything behind the session, a packet id and a time encrypted (tls-crypt).
fn is_wrapped(bytes: &[u8]) -> bool {
    let mut fields = Fields(bytes.get(1 + SESSION..).unwrap_or(&[]));
    let id = fields.take(4);
    // 32 bytes of digest; the second form of the id asks for a cookie.
    bytes.len() >= PLAIN + 8 + 32 && (id == Some(&[0, 0, 0, 1]) || id == Some(&[0x0f, 0, 0, 1]))
}

impl Conversation for Resets {
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
        self.packet(datagram.side, datagram.bytes, facts);
        if self.is_over() { Heard::Done } else { Heard::Open }
    }
}

fn probe(opening: &Opening<'_>) -> Probe {
    let bytes = opening.bytes;
    let Some(length) = be16(bytes, 0).map(usize::from) else { return Probe::More };
    if opening.side != CLIENT || !(PLAIN..=1024).contains(&length) {
        return Probe::No;
    }
    match (bytes.get(2..2 + length), bytes.get(2)) {
        (Some(packet), _) if is_client_reset(packet) => Probe::Yes,
        (None, None | Some(&(RESET_CLIENT_V2 | RESET_CLIENT_V3))) if bytes.len() < 64 => Probe::More,
        _ => Probe::No,
    }
}

impl Dialogue for Resets {
    fn wants(&self, _: usize) -> bool {
        !self.is_over()
    }

    fn read(&mut self, side: usize, bytes: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let mut at = 0;
        while let Some(length) = be16(bytes, at).map(usize::from) {
            let Some(packet) = bytes.get(at + 2..at + 2 + length) else { break };
            let is_first = self.session.is_none();
            if !self.packet(side, packet, facts) && is_first {
                return Step::NotMine;
            }
            if self.is_over() {
                return Step::Done;
            }
            at += 2 + length;
        }
        Step::Took(at)
    }
}
