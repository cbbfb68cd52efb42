//! Addresses and ports as the standard library writes them, put together in place: each flow's line has two.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Brackets, eight groups, a scope and a port take no more.
const LONGEST: usize = 64;

/// An address, or an end with its port, in letters.
#[derive(Debug)]
pub(super) struct Written {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Written {
    /// An address alone.
    pub(super) fn address(ip: IpAddr) -> Self {
        let mut written = Self { bytes: [0; LONGEST], length: 0 };
        match ip {
            IpAddr::V4(ip) => written.v4(ip),
            IpAddr::V6(ip) => written.v6(ip),
        }
        written
    }

    /// An address with its port.
    pub(super) fn end(end: SocketAddr) -> Self {
        let mut written = Self { bytes: [0; LONGEST], length: 0 };
        match end {
            SocketAddr::V4(end) => written.v4(*end.ip()),
            SocketAddr::V6(end) => {
                written.push(b"[");
                written.v6(*end.ip());
                if end.scope_id() != 0 {
                    written.push(b"%");
                    written.number(end.scope_id());
                }
                written.push(b"]");
            }
        }
        written.push(b":");
        written.number(end.port().into());
        written
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn as_str(&self) -> &str {
        // All of it is ASCII.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn number(&mut self, number: u32) {
        self.push(itoa::Buffer::new().format(number).as_bytes());
    }

    fn v4(&mut self, ip: Ipv4Addr) {
        for octet in ip.octets() {
            let (padded, length) = OCTETS[usize::from(octet)];
            self.bytes[self.length..self.length + padded.len()].copy_from_slice(&padded);
            self.length += usize::from(length);
        }
        // A dot too many stands behind.
        self.length -= 1;
    }

    /// RFC 5952.
    fn v6(&mut self, ip: Ipv6Addr) {
        if let Some(mapped) = ip.to_ipv4_mapped() {
            self.push(b"::ffff:");
            return self.v4(mapped);
        }
        let groups = ip.segments();
        let (from, to) = longest_zeros(groups);
        self.groups(&groups[..from]);
        if to > from {
            self.push(b"::");
            self.groups(&groups[to..]);
        }
    }

    fn groups(&mut self, groups: &[u16]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (index, group) in groups.iter().enumerate() {
            if index > 0 {
                self.push(b":");
            }
            let nibbles = [12, 8, 4, 0].map(|shift| DIGITS[usize::from(group >> shift & 15)]);
            // Zeros in front are left out, but for the last digit.
            let zeros = (group.leading_zeros() as usize / 4).min(3);
            self.push(&nibbles[zeros..]);
        }
    }
}

/// Where the longest run of zeros stands that is longer than one group, the first of several (RFC 5952 §4.2); at the end
/// where there is none.
fn longest_zeros(groups: [u16; 8]) -> (usize, usize) {
    let (mut longest, mut from) = ((groups.len(), groups.len()), 0);
    for to in 1..=groups.len() {
        let goes_on = groups.get(to).is_some_and(|group| *group == 0);
        if groups[from] != 0 {
            from = to;
        } else if !goes_on {
            if to - from > (longest.1 - longest.0).max(1) {
                longest = (from, to);
            }
            from = to;
        }
    }
    longest
}

/// Each octet in digits with a dot behind it, padded to four bytes, and how many of them count.
static OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < octets.len() {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        octets[octet] = match octet {
            0..10 => ([b'0' + ones as u8, b'.', 0, 0], 2),
            10..100 => ([b'0' + tens as u8, b'0' + ones as u8, b'.', 0], 3),
            _ => ([b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8, b'.'], 4),
        };
        octet += 1;
    }
    octets
};

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ends_are_written_as_the_standard_library_does(
            groups in prop::array::uniform8(prop_oneof![3 => Just(0), 1 => Just(0xffff), 2 => any::<u16>(), 1 => 0..=0xff_u16]),
            octets: [u8; 4],
            port: u16,
            scope in prop_oneof![Just(0), any::<u32>()],
        ) {
            let of = |written: Written| written.as_str().to_owned();
            let [a, b, ..] = groups;
            let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, a, b);
            for ip in [groups.into(), mapped, Ipv4Addr::from(octets).to_ipv6_mapped()] {
                let end = SocketAddrV6::new(ip, port, 0, scope);
                prop_assert_eq!(of(Written::address(ip.into())), ip.to_string());
                prop_assert_eq!(of(Written::end(end.into())), end.to_string());
            }
            let end = SocketAddr::from((octets, port));
            prop_assert_eq!(of(Written::address(end.ip())), end.ip().to_string());
            prop_assert_eq!(of(Written::end(end)), end.to_string());
        }
    }
}
