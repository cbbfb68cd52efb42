//! Public resolvers that answer over HTTPS: a client that opens a channel to one may hide its look-ups in it.
//!
//! The list is for telling "names are hidden from here on", and nothing else: a name that is missing hides no endpoint,
//! since the channel itself is one.

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

/// Whether a host, in lower case, is a public resolver's or lies below one.
pub(crate) fn is_resolver(host: &str) -> bool {
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
        assert!(!is_resolver("google") && !is_resolver("notdns.google.example") && !is_resolver(""));
    }
}
