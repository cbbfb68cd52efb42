//! PostgreSQL: recognised by the client's first message; TLS may follow.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use super::text::tls_begins;
use crate::flow::CLIENT;

/// PostgreSQL (its manual, "Message Formats").
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[0]), probe, open: |_| Box::new(Connection) };

/// Requests before the startup message proper: for TLS, and for GSSAPI.
const SSL_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;
/// Protocol 3.0 to 3.2.
const STARTUP_CODES: std::ops::RangeInclusive<u32> = 0x0003_0000..=0x0003_0002;
const MAX_STARTUP: u32 = 10_000;

fn probe(opening: &Opening<'_>) -> Probe {
    let told = opening.side == CLIENT && opening.from_start && code_of(opening.bytes).is_some();
    if told { Probe::Yes } else { Probe::No }
}

/// The code of a client's first message.
fn code_of(bytes: &[u8]) -> Option<u32> {
    let mut fields = Fields(bytes);
    let (length, code) = (fields.u32()?, fields.u32()?);
    let is_startup = STARTUP_CODES.contains(&code)
        && (9..=MAX_STARTUP).contains(&length)
        && fields.0.starts_with(b"user\0");
    ((length == 8 && matches!(code, SSL_CODE | GSS_CODE)) || is_startup).then_some(code)
}

#[derive(Debug)]
struct Connection;

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("postgresql");
        if side != CLIENT {
            return Step::Took(bytes.len());
        }
        if let Some(step) = tls_begins(bytes, shown) {
            return step;
        }
        match code_of(bytes) {
            Some(SSL_CODE | GSS_CODE) => Step::Took(8),
            Some(_) => {
                facts.version("3");
                facts.carries("user_name");
                Step::Done
            }
            None if bytes.len() < 16 && !shown.last => Step::Took(0),
            None => Step::Done,
        }
    }
}
