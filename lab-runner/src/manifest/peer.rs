//! Whom a declaration names, and which names, addresses and ports that covers. It knows nothing of evidence.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// Whom a declaration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// This host name and no other.
    Host(String),
    /// This domain and everything under it, on label boundaries.
    Suffix(String),
    /// The addresses of this network.
    Cidr(IpNet),
}

impl Peer {
    /// Whether the declaration names this host. The name may be in any case, with a trailing dot.
    pub fn covers_name(&self, name: &str) -> bool {
        let Ok(name) = canonical_host(name) else { return false };
        match self {
            Peer::Host(host) => *host == name,
            Peer::Suffix(suffix) => {
                name == *suffix
                    || name.strip_suffix(suffix.as_str()).is_some_and(|before| before.ends_with('.'))
            }
            Peer::Cidr(_) => false,
        }
    }

    /// Whether the declaration names this address. A host name never does: it needs other evidence.
    pub fn covers_address(&self, address: IpAddr) -> bool {
        match self {
            Peer::Cidr(net) => net.contains(&address.to_canonical()),
            Peer::Host(_) | Peer::Suffix(_) => false,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Host(host) => f.write_str(host),
            Peer::Suffix(suffix) => write!(f, "*.{suffix}"),
            Peer::Cidr(net) => write!(f, "{net}"),
        }
    }
}

/// A host name as it is compared: lower case, no trailing dot, IDNA's ASCII form.
///
/// # Errors
/// In words, when it is no host name.
pub fn canonical_host(written: &str) -> Result<String, String> {
    let cut = written.strip_suffix('.').unwrap_or(written);
    let refused = || format!("`{}` is not a host name", written.escape_debug());
    let ascii = idna::domain_to_ascii(cut).map_err(|_| refused())?;
    // RFC 1035 section 2.3.4: 255 octets on the wire leave 253 characters, 63 a label.
    let labels_hold = ascii.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if ascii.is_empty() || ascii.len() > 253 || !labels_hold { Err(refused()) } else { Ok(ascii) }
}

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Whether the port is one of these.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
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
    fn names_compare_in_lower_case_without_the_trailing_dot_in_idna() {
        assert_eq!(canonical_host("BÜCHER.example.").unwrap(), "xn--bcher-kva.example");
        for bad in ["", ".", "a..b", "a b", "a\u{1b}[31m", "x/../y"] {
            assert!(canonical_host(bad).is_err(), "{bad:?}");
        }
    }
}
