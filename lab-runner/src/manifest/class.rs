//! Classes of peers that are told by their part in the network, not by a name or a number.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::name::is_under;
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The domain of the NTP Pool Project; vendors' zones stand under it.
pub(super) const NTP_POOL: &str = "pool.ntp.org";

words! {
    /// A class of peers.
    Class {
        /// The client's own network: private (RFC 1918, RFC 4193) and link-local (RFC 3927, RFC 4291) addresses.
        Lan = "lan",
        /// A multicast group (RFC 5771, RFC 4291 section 2.7), or everybody on the link (RFC 919).
        Multicast = "multicast",
        /// The router that the network gave the client.
        Gateway = "gateway",
        /// The resolver that the network gave the client.
        DnsResolver = "dns-resolver",
        /// A server of the NTP pool, looked up under `pool.ntp.org`.
        NtpPool = "ntp-pool",
    }
}

/// What is known of the network that a client was in: from DHCP, router advertisements or the bench.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its routers.
    pub gateways: Vec<IpAddr>,
    /// Its resolvers.
    pub resolvers: Vec<IpAddr>,
    /// Its own networks, beside the private and link-local ones.
    pub networks: Vec<IpNet>,
}

impl Class {
    /// Whether its members are told by a name; the others by their address.
    pub fn is_named(self) -> bool {
        self == Class::NtpPool
    }

    /// Whether a name in its canonical form tells a member.
    pub fn covers_name(self, name: &str) -> bool {
        self == Class::NtpPool && is_under(name, NTP_POOL)
    }

    /// Whether an address is a member's.
    pub fn covers_address(self, address: IpAddr, around: &Surroundings) -> bool {
        let address = address.to_canonical();
        match self {
            Class::Lan => is_local(address) || around.networks.iter().any(|net| net.contains(&address)),
            Class::Multicast => address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST),
            Class::Gateway => around.gateways.iter().any(|gateway| gateway.to_canonical() == address),
            Class::DnsResolver => around.resolvers.iter().any(|resolver| resolver.to_canonical() == address),
            Class::NtpPool => false,
        }
    }
}

/// Whether an address is from a range that no network shares with the internet: RFC 1918, 3927, 4193 and 4291.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_one_only_where_the_network_named_it() {
        let resolver: IpAddr = "192.168.1.1".parse().unwrap();
        let around = Surroundings { resolvers: vec![resolver], ..Surroundings::default() };
        assert!(Class::DnsResolver.covers_address(resolver, &around));
        assert!(!Class::DnsResolver.covers_address(resolver, &Surroundings::default()));
        assert!(!Class::DnsResolver.covers_address("203.0.113.53".parse().unwrap(), &around));
    }

    #[test]
    fn the_lan_is_neither_the_internet_nor_a_group() {
        let covers = |class: Class, address: &str| {
            class.covers_address(address.parse().unwrap(), &Surroundings::default())
        };
        assert!(
            covers(Class::Lan, "192.168.7.9")
                && covers(Class::Lan, "fe80::1")
                && covers(Class::Lan, "::ffff:10.0.0.1")
        );
        assert!(
            !covers(Class::Lan, "203.0.113.9")
                && !covers(Class::Lan, "224.0.0.251")
                && !covers(Class::Lan, "2001:db8::1")
        );
        assert!(covers(Class::Multicast, "ff02::fb") && covers(Class::Multicast, "255.255.255.255"));
        assert!(
            Class::NtpPool.covers_name("2.android.pool.ntp.org")
                && !Class::NtpPool.covers_name("evilpool.ntp.org")
        );
    }
}
