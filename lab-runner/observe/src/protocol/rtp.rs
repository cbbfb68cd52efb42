//! RTP and RTCP (RFC 3550): sound and pictures.
//!
//! Two bits of an RTP packet are fixed, so two packets in sequence must belong together. A report of RTCP is told alone, by
//! parts whose lengths fill it.

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};
use super::stun;

/// RTP and RTCP.
pub(crate) const PROTOCOL: DatagramProtocol =
    DatagramProtocol { begins: Begins::between(0x80, 0xbf), listen };

const HEADER: usize = 12;
/// Packets of which some may be lost between two that are compared.
const MAX_STEP: u16 = 16;
/// Ticks between the two: 16 s at 90 kHz (RFC 3551 §5).
const MAX_TICKS: u32 = 16 * 90_000;
/// RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2.
const REPORTS: std::ops::RangeInclusive<u8> = 200..=207;
const SOURCE_DESCRIPTION: u8 = 202;

/// Tells RTP and RTCP.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    if is_report(datagram.bytes, facts) || follows(datagram.before, datagram.bytes) {
        facts.recognised("rtp");
        return stun::behind_media();
    }
    Heard::No
}

#[derive(Debug, Clone, Copy)]
struct Header {
    kind: u8,
    sequence: u16,
    ticks: u32,
    source: u32,
}

impl Header {
    /// RFC 3550 §5.1.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes.get(..HEADER)?);
        let (first, kind) = (fields.u8()?, fields.u8()? & 0x7f);
        let sequence = fields.u16()?;
        let (ticks, source) = (fields.u32()?, fields.u32()?);
        // RFC 5761 §4: types 64–95 would be RTCP's.
        (first >> 6 == 2 && !(64..96).contains(&kind)).then_some(Self { kind, sequence, ticks, source })
    }
}

fn follows(before: &[u8], now: &[u8]) -> bool {
    let (Some(before), Some(now)) = (Header::read(before), Header::read(now)) else { return false };
    before.source == now.source
        && !matches!(now.source, 0 | u32::MAX)
        && before.kind == now.kind
        && (1..=MAX_STEP).contains(&now.sequence.wrapping_sub(before.sequence))
        && now.ticks.wrapping_sub(before.ticks) <= MAX_TICKS
}

/// RFC 3550 §6.1: parts that fill the datagram, of which the first is a report.
fn is_report(bytes: &[u8], facts: &mut Facts<'_, '_>) -> bool {
    if !matches!(bytes, [first, 200 | 201, ..] if first >> 6 == 2) {
        return false;
    }
    let mut fields = Fields(bytes);
    let mut names_someone = false;
    while !fields.0.is_empty() {
        let (Some(first), Some(kind), Some(length)) = (fields.u8(), fields.u8(), fields.u16()) else {
            return false;
        };
        let body = fields.take(usize::from(length) * 4);
        if first >> 6 != 2 || !REPORTS.contains(&kind) || body.is_none() || length == 0 {
            return false;
        }
        names_someone |= kind == SOURCE_DESCRIPTION;
    }
    if names_someone {
        facts.carries("canonical_name");
    }
    true
}
