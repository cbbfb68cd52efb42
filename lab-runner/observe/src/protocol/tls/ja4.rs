//! JA4, the fingerprint of a TLS client (FoxIO, "JA4: TLS Client Fingerprinting", technical details of 2023; the plain
//! JA4 only, which is under a BSD licence).
//!
//! Tells programs apart, never persons; says nothing of a hello that was cut.

use sha2::{Digest, Sha256};

use super::hello::{self, Carrier, Parts};

/// The fingerprint of a whole hello.
pub(super) fn fingerprint(carrier: Carrier, parts: &Parts<'_>) -> String {
    let mut suites = Vec::with_capacity(USUAL);
    suites.extend(parts.suites());
    let mut kinds = Vec::with_capacity(USUAL);
    let (mut named, mut algorithms, mut protocol) = (false, &[][..], None);
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
    let mut out = String::with_capacity(LENGTH);
    out.push(carrier);
    out.push_str(version);
    out.push(if named { 'd' } else { 'i' });
    for count in [suite_count, count] {
        out.extend([count / 10, count % 10].map(|digit| char::from(b'0' + digit as u8)));
    }
    out.extend([first, last, '_']);
    let mut list = Vec::with_capacity(512);
    push_list(&mut list, b',', suites.into_iter());
    push_hash(&mut out, &list);
    out.push('_');
    list.clear();
    push_list(&mut list, b',', kinds.into_iter());
    if !list.is_empty() {
        push_list(&mut list, b'_', hello::pairs(algorithms));
    }
    push_hash(&mut out, &list);
    out
}

/// Few clients offer more suites or extensions.
const USUAL: usize = 64;
/// Of a fingerprint: ten characters, and twice an underscore and twelve digits.
const LENGTH: usize = 10 + 2 * 13;

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

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends numbers as four hexadecimal digits each, with a comma before each but `first` before the first. Every hello comes
/// through here.
fn push_list(out: &mut Vec<u8>, first: u8, numbers: impl Iterator<Item = u16>) {
    let mut separator = first;
    for number in numbers {
        let digit = |shift: u16| DIGITS[usize::from(number >> shift & 15)];
        out.extend_from_slice(&[separator, digit(12), digit(8), digit(4), digit(0)]);
        separator = b',';
    }
}

/// Appends the first twelve digits of the SHA-256 of a list, without what stands before its first number; zeros for an empty
/// one.
fn push_hash(out: &mut String, list: &[u8]) {
    let Some((_, list)) = list.split_first() else { return out.push_str("000000000000") };
    for byte in Sha256::digest(list).iter().take(6) {
        out.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
}
