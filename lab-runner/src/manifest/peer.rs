//! Whom a declaration names, and which names and addresses that covers. It knows nothing of evidence.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::class::{Class, NTP_POOL, Surroundings};
use super::glob::{Glob, Label};
use super::name::{canonical, is_under};

/// Whom a declaration names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// This host name and no other.
    Host(String),
    /// This domain and everything under it, on label boundaries.
    Suffix(String),
    /// The names of this pattern.
    Glob(Glob),
    /// The addresses of this network.
    Cidr(IpNet),
    /// Whoever has this part in the network.
    Class(Class),
}

impl Peer {
    /// Whether a name tells it; the others are told by their address alone.
    pub fn is_named(&self) -> bool {
        match self {
            Peer::Host(_) | Peer::Suffix(_) | Peer::Glob(_) => true,
            Peer::Cidr(_) => false,
            Peer::Class(class) => class.is_named(),
        }
    }

    /// The key of a declaration that says it, and the key's value as text.
    pub fn key_and_value(&self) -> (&'static str, String) {
        match self {
            Peer::Host(name) => ("host", name.clone()),
            Peer::Suffix(name) => ("suffix", name.clone()),
            Peer::Glob(glob) => ("glob", glob.to_string()),
            Peer::Cidr(net) => ("cidr", net.to_string()),
            Peer::Class(class) => ("class", class.word().to_owned()),
        }
    }

    /// Whether the declaration names this host. The name may be in any case, with a trailing dot.
    pub fn covers_name(&self, name: &str) -> bool {
        canonical(name).is_some_and(|name| self.covers_canonical(&name))
    }

    pub(super) fn covers_canonical(&self, name: &str) -> bool {
        match self {
            Peer::Host(host) => host == name,
            Peer::Suffix(suffix) => is_under(name, suffix),
            Peer::Glob(glob) => glob.matches(name),
            Peer::Class(class) => class.covers_name(name),
            Peer::Cidr(_) => false,
        }
    }

    /// Whether the declaration names this address, in a network of which nothing is known. A host name never does: it
    /// needs other evidence.
    pub fn covers_address(&self, address: IpAddr) -> bool {
        self.covers_address_in(address, &Surroundings::default())
    }

    /// Whether the declaration names this address, in this network.
    pub fn covers_address_in(&self, address: IpAddr, around: &Surroundings) -> bool {
        match self {
            Peer::Cidr(net) => net.contains(&address.to_canonical()),
            Peer::Class(class) => class.covers_address(address, around),
            Peer::Host(_) | Peer::Suffix(_) | Peer::Glob(_) => false,
        }
    }

    /// Whether this names everybody that the other names. Says no where it can't tell.
    pub fn covers_peer(&self, other: &Peer) -> bool {
        match (self, other) {
            (one, other) if one == other => true,
            (one, Peer::Host(host)) => one.covers_canonical(host),
            (Peer::Suffix(suffix), Peer::Suffix(other)) => is_under(other, suffix),
            (Peer::Suffix(suffix), Peer::Glob(other)) => is_under(&other.tail(), suffix),
            (Peer::Glob(glob), Peer::Glob(other)) => glob.covers(other.labels()),
            (Peer::Glob(glob), Peer::Suffix(other)) => {
                let itself = other.split('.').map(|label| Label::Exact(label.to_owned()));
                let under: Vec<Label> = std::iter::once(Label::Many).chain(itself).collect();
                glob.matches(other) && glob.covers(&under)
            }
            (one, Peer::Class(Class::NtpPool)) => one.covers_peer(&Peer::Suffix(NTP_POOL.to_owned())),
            (Peer::Class(class), Peer::Suffix(other)) => class.covers_name(other),
            (Peer::Class(class), Peer::Glob(other)) => class.covers_name(&other.tail()),
            (Peer::Cidr(net), Peer::Cidr(other)) => net.contains(other),
            _ => false,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Host(host) => f.write_str(host),
            Peer::Suffix(suffix) => write!(f, "*.{suffix}"),
            // `*.a.example` is a suffix's text already, which covers more than the pattern.
            Peer::Glob(glob) => write!(f, "glob {glob}"),
            Peer::Cidr(net) => write!(f, "{net}"),
            Peer::Class(class) => write!(f, "class {}", class.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_covers_on_label_boundaries_only() {
        let suffix = Peer::Suffix("nucleus-u8.example".into());
        assert!(suffix.covers_name("nucleus-u8.example"));
        assert!(suffix.covers_name("API.Nucleus-U8.example."));
        assert!(!suffix.covers_name("evilnucleus-u8.example"));
        assert!(!suffix.covers_name("nucleus-u8.example.evil.example"));
        assert!(!suffix.covers_name("a..nucleus-u8.example"));
    }

    #[test]
    fn an_address_written_inside_ipv6_is_the_same_address() {
        let net = Peer::Cidr("203.0.113.0/24".parse().unwrap());
        assert!(net.covers_address("::ffff:203.0.113.53".parse().unwrap()));
        assert!(!net.covers_address("2001:db8::1".parse().unwrap()));
        assert!(!net.covers_name("203.0.113.53"));
    }

    #[test]
    fn a_peer_covers_another_only_if_nobody_is_left_out() {
        let host = |name: &str| Peer::Host(name.into());
        let suffix = |name: &str| Peer::Suffix(name.into());
        let glob = |pattern: &str| Peer::Glob(Glob::parse(pattern).unwrap());
        for (one, other) in [
            (suffix("u8.example"), host("api.u8.example")),
            (suffix("u8.example"), suffix("eu.u8.example")),
            (suffix("u8.example"), glob("*.eu.u8.example")),
            (glob("**.u8.example"), suffix("eu.u8.example")),
            (glob("**.u8.example"), glob("*.eu.u8.example")),
            (Peer::Class(Class::NtpPool), glob("*.pool.ntp.org")),
        ] {
            assert!(one.covers_peer(&other) && !other.covers_peer(&one), "{one} and {other}");
        }
        // The domain itself is not under the pattern.
        assert!(!glob("**.u8.example").covers_peer(&suffix("u8.example")));
        assert!(!glob("*.u8.example").covers_peer(&glob("**.u8.example")));
    }
}
