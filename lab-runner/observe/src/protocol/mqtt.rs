//! MQTT: its first packet, which says the version and whether it names a client or a user (OASIS MQTT 3.1.1 and 5.0, §3.1).

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;

/// MQTT.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::with(&[CONNECT]), probe, open: |_| Box::new(Connection) };

const CONNECT: u8 = 0x10;
const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
/// Bytes in which all that is looked for must come; properties of version 5 are the longest of it.
const MAX_START: usize = 4096;

fn probe(opening: &Opening<'_>) -> Probe {
    if opening.side != CLIENT {
        return Probe::No;
    }
    match (start(opening.bytes), opening.bytes.len() < 16) {
        (Some(_), _) => Probe::Yes,
        (None, true) if opening.bytes.first() == Some(&CONNECT) && opening.from_start => Probe::More,
        (None, _) => Probe::No,
    }
}

/// What follows the protocol's name, and the version.
fn start(bytes: &[u8]) -> Option<(Fields<'_>, &'static str)> {
    let mut fields = Fields(bytes);
    if fields.u8()? != CONNECT {
        return None;
    }
    number(&mut fields)?;
    let length = fields.u16()?;
    let name = fields.take(usize::from(length))?;
    let version = match (name, fields.u8()?) {
        (b"MQIsdp", 3) => "3.1",
        (b"MQTT", 4) => "3.1.1",
        (b"MQTT", 5) => "5",
        _ => return None,
    };
    Some((fields, version))
}

/// A number of one to four bytes (§2.2.3 and §1.5.5).
fn number(fields: &mut Fields<'_>) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = fields.u8()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The flags, and the length of the client's name.
fn identity(mut fields: Fields<'_>, version: &str) -> Option<(u8, u16)> {
    let flags = fields.u8()?;
    let _keep_alive = fields.u16()?;
    if version == "5" {
        let properties = number(&mut fields)?;
        fields.take(properties)?;
    }
    Some((flags, fields.u16()?))
}

#[derive(Debug)]
struct Connection;

impl Dialogue for Connection {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step {
        let Some((fields, version)) = start(bytes).filter(|_| side == CLIENT) else { return Step::NotMine };
        let Some((flags, id_length)) = identity(fields, version) else {
            if bytes.len() < MAX_START && !shown.last {
                return Step::Took(0);
            }
            facts.recognised("mqtt");
            return Step::Done;
        };
        facts.recognised("mqtt");
        facts.version(version);
        if id_length > 0 {
            facts.carries("client_id");
        }
        if flags & USER_NAME != 0 {
            facts.carries("user_name");
        }
        if flags & PASSWORD != 0 {
            facts.carries("password");
        }
        Step::Done
    }
}
