//! MySQL and MariaDB: recognised by the server's greeting; TLS may follow.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::escape;
use crate::flow::{CLIENT, SERVER};

/// MySQL (MySQL Internals, "Connection Phase").
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::ANYHOW, probe, open: |_| Box::<Connection>::default() };

/// The capability of a MySQL client that goes on in TLS, among its lower 16.
const CLIENT_SSL: u16 = 0x0800;
/// A packet's header, and a client's request for TLS behind it.
const HEADER: usize = 4;
const SSL_REQUEST: usize = 32;

fn probe(opening: &Opening<'_>) -> Probe {
    let told = opening.side == SERVER && opening.from_start && version_of(opening.bytes).is_some();
    if told { Probe::Yes } else { Probe::No }
}

/// The server's version, from a greeting that fills its packet: number 0, protocol 10, and a text with dots.
fn version_of(bytes: &[u8]) -> Option<&[u8]> {
    let [a, b, 0, 0, 10, rest @ ..] = bytes else { return None };
    let length = usize::from(*a) | usize::from(*b) << 8;
    let version = rest.split(|byte| *byte == 0).next()?;
    let reads = version.first()?.is_ascii_digit()
        && version.contains(&b'.')
        && version.iter().all(u8::is_ascii_graphic);
    (length + HEADER == bytes.len() && reads && version.len() < rest.len()).then_some(version)
}

#[derive(Debug, Default)]
struct Connection {
    greeted: bool,
}

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT || !self.greeted
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("mysql");
        if side == SERVER {
            if let Some(version) = version_of(bytes) {
                facts.version(escape::text(version, 32));
            }
            self.greeted = true;
            return Step::Took(bytes.len());
        }
        if bytes.len() < HEADER + 2 && !shown.last {
            return Step::Took(0);
        }
        if let [length, 0, 0, _, low, high, ..] = *bytes
            && usize::from(length) == SSL_REQUEST
            && u16::from_le_bytes([low, high]) & CLIENT_SSL != 0
        {
            let whole = HEADER + SSL_REQUEST;
            return if bytes.len() < whole && !shown.last { Step::Took(0) } else { Step::Switch(whole) };
        }
        facts.carries("credentials");
        Step::Done
    }
}
