//! RTSP (RFC 2326, RFC 7826): the host in the URI of its requests.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Dialogue, Opening, Probe, Shown, Step, StreamProtocol};
use crate::flow::CLIENT;
use crate::record::NameKind;

/// RTSP.
pub(crate) const PROTOCOL: StreamProtocol =
    StreamProtocol { begins: Begins::between(b'A', b'Z'), probe, open: |_| Box::new(Request) };

/// A longer line is no request's.
const MAX_LINE: usize = 2048;

fn probe(opening: &Opening<'_>) -> Probe {
    let told = match opening.side {
        CLIENT => line(opening.bytes).is_some(),
        _ => opening.bytes.starts_with(b"RTSP/1.0 ") || opening.bytes.starts_with(b"RTSP/2.0 "),
    };
    if told { Probe::Yes } else { Probe::No }
}

/// The target and the version of a request's first line.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // Every stream that nothing else took comes through here.
    bytes.first().filter(|byte| byte.is_ascii_uppercase())?;
    let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\r')?;
    let mut words = bytes[..end].split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_method =
        !method.is_empty() && method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    (is_method && words.next().is_none()).then_some((target, version.strip_prefix(b"RTSP/")?))
}

#[derive(Debug)]
struct Request;

impl Dialogue for Request {
    fn wants(&self, side: usize) -> bool {
        side == CLIENT
    }

    fn read(&mut self, side: usize, bytes: &[u8], _: Shown, facts: &mut Facts<'_, '_>) -> Step {
        facts.recognised("rtsp");
        let Some((target, version)) = line(bytes).filter(|_| side == CLIENT) else {
            return Step::Took(bytes.len());
        };
        facts.version(if version == b"2.0" { "2.0" } else { "1.0" });
        if let Some(host) = super::http::authority(target, false) {
            facts.name(NameKind::RtspHost, host);
        }
        // All requests of a connection are for one server (RFC 7826 §10.1).
        Step::Done
    }
}
