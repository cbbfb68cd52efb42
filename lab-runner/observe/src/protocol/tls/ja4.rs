//! JA4, the fingerprint of a TLS client (FoxIO, "JA4: TLS Client Fingerprinting", technical details of 2023; the plain
//! JA4 only, which is under a BSD licence).
//!
//! Tells programs apart, never persons; says nothing of a hello that was cut.

use sha2::{Digest, Sha256};

use super::hello::{self, Carrier, Parts};

/// The fingerprint of a whole hello.
pub(super) fn fingerprint(carrier: Carrier, parts: &Parts<'_>) -> String {
    let mut suites: Vec<u16> = parts.suites().collect();
    let (mut kinds, mut named, mut algorithms, mut protocol) = (Vec::new(), false, &[][..], None);
    let mut count = 0;
    for (kind, value) in parts.extensions().filter(|(kind, _)| !hello::is_grease(*kind)) {
        count += 1;
        match kind {
            hello::EXT_SERVER_NAME => named = true,
            hello::EXT_ALPN => protocol = protocol.or_else(|| hello::protocols(value).next()),
            _ => kinds.push(kind),
        }
        if kind == hello::EXT_SIGNATURE_ALGORITHMS {
            algorithms = value.get(2..).unwrap_or(&[]);
        }
    }
    let carrier = match carrier {
        Carrier::Tcp => 't',
        Carrier::Quic => 'q',
        Carrier::Dtls => 'd',
    };
    let version = match parts.offered() {
        0x0002 => "s2",
        0x0300 => "s3",
        0x0301 => "10",
        0x0302 => "11",
        0x0303 => "12",
        0x0304 => "13",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    };
    let (suite_count, count) = (suites.len().min(99), count.min(99));
    let (first, last) = ends(protocol.unwrap_or(&[]));
    suites.sort_unstable();
    kinds.sort_unstable();
    let suites = hash(&listed(suites.into_iter()));
    let mut hashed = listed(kinds.into_iter());
    let algorithms = listed(hello::pairs(algorithms));
    if !hashed.is_empty() && !algorithms.is_empty() {
        hashed.push('_');
        hashed.push_str(&algorithms);
    }
    let destination = if named { 'd' } else { 'i' };
    let extensions = hash(&hashed);
    format!("{carrier}{version}{destination}{suite_count:02}{count:02}{first}{last}_{suites}_{extensions}")
}

/// The first and the last character of the protocol offered first; of its hexadecimal form, where either is no letter or
/// digit.
fn ends(protocol: &[u8]) -> (char, char) {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else { return ('0', '0') };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(first), char::from(last));
    }
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    (digit(first >> 4), digit(last & 0x0f))
}

/// Numbers as four hexadecimal digits each, with commas between. Every hello comes through here.
fn listed(numbers: impl Iterator<Item = u16>) -> String {
    let mut out = String::with_capacity(256);
    for number in numbers {
        if !out.is_empty() {
            out.push(',');
        }
        for byte in number.to_be_bytes() {
            push_hex(&mut out, byte);
        }
    }
    out
}

/// The first twelve digits of SHA-256; zeros for an empty list.
fn hash(list: &str) -> String {
    if list.is_empty() {
        return "000000000000".to_owned();
    }
    let digest = Sha256::digest(list.as_bytes());
    let mut out = String::with_capacity(12);
    for byte in digest.iter().take(6) {
        push_hex(&mut out, *byte);
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}
