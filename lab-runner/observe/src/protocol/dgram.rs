//! Protocols that one datagram tells: NTP, DHCP, NetBIOS names, SSDP, STUN, QUIC, DTLS.
//!
//! Told by bytes; where the bytes alone are weak (NTP), by bytes and port together.

use super::Fields;
use crate::escape;
use crate::record::NameKind;

/// What a datagram tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) app: &'static str,
    pub(crate) names: Vec<(NameKind, String)>,
    /// Later datagrams may tell more names.
    pub(crate) open: bool,
}

fn told(app: &'static str) -> Option<Told> {
    Some(Told { app, names: Vec::new(), open: false })
}

/// Recognises a datagram between two ports.
pub(crate) fn recognise(bytes: &[u8], ports: [u16; 2]) -> Option<Told> {
    let on = |port: u16| ports.contains(&port);
    if on(67) || on(68) {
        return dhcp(bytes);
    }
    if on(137) {
        return netbios(bytes);
    }
    if on(138) {
        return netbios_datagram(bytes);
    }
    if on(123) {
        return if ntp(bytes) { told("ntp") } else { None };
    }
    if let Some(found) = stun(bytes) {
        return Some(found);
    }
    if quic(bytes) {
        return told("quic");
    }
    if dtls(bytes) {
        return told("dtls");
    }
    if on(1900)
        && [&b"M-SEARCH * HTTP/"[..], b"NOTIFY * HTTP/", b"HTTP/1."]
            .iter()
            .any(|start| bytes.starts_with(start))
    {
        return told("ssdp");
    }
    None
}

/// RFC 5905 §7.3: 48 bytes and perhaps extensions and a digest; version 1–4, a mode, and a poll and precision that exist.
fn ntp(bytes: &[u8]) -> bool {
    let Some(&first) = bytes.first() else { return false };
    let (version, mode) = (first >> 3 & 7, first & 7);
    match mode {
        1..=5 => {
            (1..=4).contains(&version) && bytes.len() >= 48 && bytes.len().is_multiple_of(4) && bytes[1] <= 16
        }
        // Control (RFC 9327 §2) and private messages.
        6 | 7 => (1..=4).contains(&version) && bytes.len() >= 8,
        _ => false,
    }
}

/// RFC 8489 §5: two zero bits, a length in fours, and the magic cookie.
fn stun(bytes: &[u8]) -> Option<Told> {
    let mut fields = Fields(bytes);
    let kind = fields.u16()?;
    let length = usize::from(fields.u16()?);
    let cookie = fields.take(4)?;
    if kind & 0xc000 != 0 || !length.is_multiple_of(4) || cookie != [0x21, 0x12, 0xa4, 0x42] {
        return None;
    }
    let transaction: [u8; 12] = fields.take(12)?.try_into().ok()?;
    let mut names = Vec::new();
    let mut attributes = Fields(fields.take_lax(length));
    while names.len() < 8 {
        let (Some(attribute), Some(size)) = (attributes.u16(), attributes.u16()) else { break };
        let value = attributes.take_lax(usize::from(size).next_multiple_of(4));
        let kind = match attribute {
            0x0020 | 0x8020 => NameKind::StunMapped,
            0x0016 => NameKind::StunRelayed,
            _ => continue,
        };
        if let Some(address) = xor_address(value, transaction) {
            names.push((kind, address.to_string()));
        }
    }
    Some(Told { app: "stun", names, open: true })
}

/// RFC 8489 §14.2.
fn xor_address(value: &[u8], transaction: [u8; 12]) -> Option<std::net::SocketAddr> {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let mut fields = Fields(value);
    fields.u8()?;
    let family = fields.u8()?;
    let port = fields.u16()? ^ 0x2112;
    let mut key = [0; 16];
    key[..4].copy_from_slice(&COOKIE);
    key[4..].copy_from_slice(&transaction);
    match family {
        1 => {
            let mut ip: [u8; 4] = fields.take(4)?.try_into().ok()?;
            ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Some((ip, port).into())
        }
        2 => {
            let mut ip: [u8; 16] = fields.take(16)?.try_into().ok()?;
            ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Some((ip, port).into())
        }
        _ => None,
    }
}

/// RFC 2131 §2 and RFC 2132: the host name (option 12) that a client gives itself.
fn dhcp(bytes: &[u8]) -> Option<Told> {
    let mut fields = Fields(bytes);
    let op = fields.u8()?;
    fields.take(235)?;
    if !matches!(op, 1 | 2) || fields.take(4)? != [0x63, 0x82, 0x53, 0x63] {
        return None;
    }
    let mut names = Vec::new();
    while let Some(option) = fields.u8() {
        match option {
            0 => continue,
            255 => break,
            _ => {}
        }
        let Some(value) = fields.u8().and_then(|length| fields.take(usize::from(length))) else { break };
        if option == 12 && op == 1 && names.is_empty() {
            names.push((NameKind::Dhcp, escape::name(value, 255)));
        }
    }
    Some(Told { app: "dhcp", names, open: true })
}

/// RFC 1002 §4.2: a DNS header, and the name that is asked for or given.
fn netbios(bytes: &[u8]) -> Option<Told> {
    if !super::dns::looks_like(bytes) {
        return None;
    }
    netbios_told(bytes.get(12..)?)
}

/// RFC 1002 §4.4: datagrams, with the sender's name behind a header of 14 bytes.
fn netbios_datagram(bytes: &[u8]) -> Option<Told> {
    if !matches!(bytes.first(), Some(0x10..=0x12)) {
        return None;
    }
    netbios_told(bytes.get(14..)?)
}

/// RFC 1001 §14.1: each byte of a name is spread over two letters.
fn netbios_told(bytes: &[u8]) -> Option<Told> {
    if bytes.first() != Some(&32) {
        return None;
    }
    let mut name = Vec::with_capacity(16);
    for pair in bytes.get(1..33)?.as_chunks::<2>().0 {
        let [high, low] = pair.map(|byte| byte.wrapping_sub(b'A'));
        if high > 15 || low > 15 {
            return None;
        }
        name.push(high << 4 | low);
    }
    // The sixteenth byte is the kind of service; names are padded with blanks.
    name.truncate(15);
    let trimmed = name.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    let names = vec![(NameKind::Netbios, escape::name(&name[..trimmed], 15))];
    Some(Told { app: "netbios", names, open: true })
}

/// RFC 9000 §17.2, RFC 9369 §3.1: a long header of a version that exists.
fn quic(bytes: &[u8]) -> bool {
    let Some(&[first, a, b, c, d]) = bytes.get(..5) else { return false };
    let version = u32::from_be_bytes([a, b, c, d]);
    let known = matches!(version, 1 | 0x6b33_43cf)
        || version >> 8 == 0x00ff_0000
        || version >> 8 == 0x00fa_ceb0
        || (matches!(a, b'Q' | b'T') && b == b'0' && c.is_ascii_digit() && d.is_ascii_digit());
    first & 0x80 != 0 && known && bytes.len() >= 20
}

/// RFC 6347 §4.1: a handshake record of epoch 0 that holds a ClientHello, a ServerHello or a HelloVerifyRequest.
fn dtls(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 0xfe, 0xff | 0xfd, 0, 0, ..]) && matches!(bytes.get(13), Some(1..=3))
}
