//! IPsec: its key exchange (RFC 7296 §3.1, RFC 2408 §3.1), and ESP in UDP (RFC 3948).

use super::Fields;
use super::begins::Begins;
use super::facts::Facts;
use super::interface::{Datagram, DatagramProtocol, Heard};

/// IPsec.
pub(crate) const PROTOCOL: DatagramProtocol = DatagramProtocol { begins: Begins::ANYHOW, listen };

/// RFC 3948 §2.1: where both share a port.
const NAT_PORT: u16 = 4500;
const HEADER: usize = 28;
/// RFC 4303 §2.1: smaller ones are reserved.
const MIN_SPI: u32 = 256;
/// Packets of which some may be lost between two that are compared.
const MAX_STEP: u32 = 64;

/// Tells IPsec.
fn listen(datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard {
    let bytes = datagram.bytes;
    // RFC 3948 §2.2: four zeros tell an exchange from ESP.
    let exchange = if datagram.on(NAT_PORT) { bytes.strip_prefix(&[0; 4]) } else { Some(bytes) };
    let is_exchange = exchange.is_some_and(|exchange| is_exchange(exchange, datagram.cut));
    if is_exchange || (datagram.on(NAT_PORT) && follows(datagram.before, bytes)) {
        facts.recognised("ipsec");
        return Heard::Done;
    }
    Heard::No
}

fn is_exchange(bytes: &[u8], cut: bool) -> bool {
    let Some(head) = bytes.first_chunk::<HEADER>() else { return false };
    let (version, exchange, flags) = (head[17], head[18], head[19]);
    let length = u32::from_be_bytes([head[24], head[25], head[26], head[27]]) as usize;
    let is_known = match version {
        0x10 => matches!(exchange, 1..=6 | 32..=33) && flags <= 7,
        0x20 => matches!(exchange, 34..=44) && flags & !0x38 == 0,
        _ => false,
    };
    is_known && head[..8] != [0; 8] && (length == bytes.len() || (cut && length > bytes.len()))
}

/// Two packets of one association, one soon after the other: the bytes of one alone say nothing.
fn follows(before: &[u8], now: &[u8]) -> bool {
    let read = |bytes: &[u8]| {
        let mut fields = Fields(bytes);
        Some((fields.u32()?, fields.u32()?))
    };
    let (Some((spi_before, before)), Some((spi, now))) = (read(before), read(now)) else { return false };
    spi >= MIN_SPI && spi == spi_before && (1..=MAX_STEP).contains(&now.wrapping_sub(before))
}
