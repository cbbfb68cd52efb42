//! Public resolvers that answer over HTTPS: a client that opens a channel to one may hide its look-ups in it.
//!
//! The list is for telling "names are hidden from here on", and nothing else: a name that is missing hides no endpoint,
//! since the channel itself is one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Hosts of resolvers, as their operators publish them, and as curl's and Chromium's lists of DoH servers have them
/// (2024). A host stands for all below it: operators give customers subdomains. Sorted.
const RESOLVERS: &[&str] = &[
    "adfree.usableprivacy.net",
    "basic.rethinkdns.com",
    "cloudflare-dns.com",
    "dns-family.adguard.com",
    "dns-nyc.aaflalo.me",
    "dns-unfiltered.adguard.com",
    "dns.aa.net.uk",
    "dns.adguard-dns.com",
    "dns.adguard.com",
    "dns.alidns.com",
    "dns.brahma.world",
    "dns.circl.lu",
    "dns.cloudflare.com",
    "dns.comss.one",
    "dns.controld.com",
    "dns.digitale-gesellschaft.ch",
    "dns.dnshome.de",
    "dns.google",
    "dns.google.com",
    "dns.levonet.sk",
    "dns.mullvad.net",
    "dns.nextdns.io",
    "dns.njal.la",
    "dns.oszx.co",
    "dns.quad9.net",
    "dns.sb",
    "dns.switch.ch",
    "dns.twnic.tw",
    "dns0.eu",
    "dns10.quad9.net",
    "dns11.quad9.net",
    "dns12.quad9.net",
    "dns9.quad9.net",
    "dnsforge.de",
    "doh-2.seby.io",
    "doh-de.blahdns.com",
    "doh-fi.blahdns.com",
    "doh-jp.blahdns.com",
    "doh.360.cn",
    "doh.applied-privacy.net",
    "doh.appliedprivacy.net",
    "doh.bortzmeyer.fr",
    "doh.cleanbrowsing.org",
    "doh.crypto.sx",
    "doh.dns.apple.com",
    "doh.dns.sb",
    "doh.dnslify.com",
    "doh.familyshield.opendns.com",
    "doh.ffmuc.net",
    "doh.la.ahadns.net",
    "doh.li",
    "doh.libredns.gr",
    "doh.mullvad.net",
    "doh.opendns.com",
    "doh.powerdns.org",
    "doh.pub",
    "doh.quickline.ch",
    "doh.sandbox.opendns.com",
    "doh.seby.io",
    "doh.securedns.eu",
    "doh.tiar.app",
    "doh.tiarap.org",
    "doh.umbrella.com",
    "doh.xfinity.com",
    "dot.pub",
    "family.adguard-dns.com",
    "freedns.controld.com",
    "jp.tiar.app",
    "jp.tiarap.org",
    "odvr.nic.cz",
    "one.one.one.one",
    "ordns.he.net",
    "public.dns.iij.jp",
    "rdns.faelix.net",
    "resolver-eu.lelux.fi",
    "resolver1.dns.watch",
    "resolver2.dns.watch",
    "unfiltered.adguard-dns.com",
    "wikimedia-dns.org",
];

/// Addresses at which some of them answer, for clients that look no name up (the operators' own pages, 2024).
const ADDRESSES: &[IpAddr] = &[
    v4(1, 0, 0, 1),
    v4(1, 1, 1, 1),
    v4(8, 8, 4, 4),
    v4(8, 8, 8, 8),
    v4(9, 9, 9, 9),
    v4(94, 140, 14, 14),
    v4(94, 140, 15, 15),
    v4(149, 112, 112, 112),
    v4(208, 67, 220, 220),
    v4(208, 67, 222, 222),
    v6(0x2001_4860_4860, 0x8844),
    v6(0x2001_4860_4860, 0x8888),
    v6(0x2606_4700_4700, 0x1001),
    v6(0x2606_4700_4700, 0x1111),
    v6(0x2620_00fe_0000, 0xfe),
    v6(0x2620_00fe_0000, 0x9),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// The first 48 bits of an address, and its last 64.
const fn v6(first: u128, last: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(first << 80 | last))
}

/// RFC 7858 §3.1 and RFC 9250 §4.1.1: look-ups over TLS, and over QUIC.
const PORT: u16 = 853;

/// Whether look-ups are what an encrypted channel to this end is for.
pub(super) fn answers_at(address: IpAddr, port: u16) -> bool {
    port == PORT || ADDRESSES.contains(&address)
}

/// Whether a host, in lower case, is a public resolver's or lies below one.
pub(super) fn is_resolver(host: &str) -> bool {
    let mut rest = host;
    loop {
        if RESOLVERS.binary_search(&rest).is_ok() {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) => rest = parent,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_a_public_resolver_and_what_lies_below_it_is_told_from_its_neighbours() {
        assert!(is_resolver("dns.google") && is_resolver("mozilla.cloudflare-dns.com"));
        assert!(RESOLVERS.is_sorted());
        assert!(["9.9.9.9", "2620:fe::fe"].iter().all(|ip| answers_at(ip.parse().unwrap(), 443)));
        assert!(answers_at(v4(192, 0, 2, 1), 853) && !answers_at(v4(192, 0, 2, 1), 443));
        assert!(!is_resolver("google") && !is_resolver("notdns.google.example") && !is_resolver(""));
    }
}
