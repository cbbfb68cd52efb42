//! Syslog over UDP (RFC 5424, RFC 3164), told by its port and the priority that a line begins with.

use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// Syslog.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::with(b"<"), listen };

const PORT: u16 = 514;
/// RFC 5424 §6.2.1.
const MAX_PRIORITY: u16 = 191;

/// Tells syslog.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if !datagram.on(PORT) || !has_priority(datagram.bytes) {
        return Heard::No;
    }
    facts.recognised("syslog");
    Heard::Done
}

fn has_priority(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"<") else { return false };
    let end = rest.iter().take(4).position(|byte| *byte == b'>');
    let digits = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
    digits.and_then(|digits| digits.parse().ok()).is_some_and(|priority: u16| priority <= MAX_PRIORITY)
}
