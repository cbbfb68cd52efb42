//! The names that the services answer for: one small zone, held in memory. It never asks another resolver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The zone that the U8's vendor owns.
pub const ZONE: &str = "nucleus-u8.example";

/// A host of the zone with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Full name, in lower case, without the final dot.
    pub name: String,
    /// Its addresses; an address family that is missing here is answered with an empty answer.
    pub addresses: Vec<IpAddr>,
}

/// What the zone says about a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The name exists and has these addresses.
    Found(&'a [IpAddr]),
    /// The name doesn't exist (RFC 1035 §4.1.1, RCODE 3).
    NoSuchName,
}

/// Hosts by name.
#[derive(Debug, Clone)]
pub struct Zone {
    hosts: Vec<Host>,
}

impl Zone {
    /// A zone with exactly these hosts.
    pub fn new(hosts: Vec<Host>) -> Self {
        Self { hosts }
    }

    /// Looks up a name; letters' case doesn't matter (RFC 4343).
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        let name = name.trim_end_matches('.');
        if name.eq_ignore_ascii_case(ZONE) {
            return Lookup::Found(&[]);
        }
        self.hosts
            .iter()
            .find(|host| host.name.eq_ignore_ascii_case(name))
            .map_or(Lookup::NoSuchName, |host| Lookup::Found(&host.addresses))
    }
}

/// Where each service listens. The default is the virtual bench's own topology, on documentation addresses
/// (RFC 5737, RFC 3849).
#[derive(Debug, Clone)]
pub struct Addresses {
    /// DNS resolver.
    pub dns: Vec<IpAddr>,
    /// `api.` (HTTPS).
    pub api: IpAddr,
    /// `fw.` (HTTPS).
    pub firmware: IpAddr,
    /// `time.` (NTP).
    pub time: IpAddr,
    /// The host that no manual mentions and no name leads to.
    pub undeclared: Vec<IpAddr>,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            dns: vec![
                Ipv4Addr::new(203, 0, 113, 53).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0x53).into(),
            ],
            api: Ipv4Addr::new(198, 51, 100, 20).into(),
            firmware: Ipv4Addr::new(198, 51, 100, 21).into(),
            time: Ipv4Addr::new(198, 51, 100, 123).into(),
            undeclared: vec![
                Ipv4Addr::new(203, 0, 113, 66).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0x66).into(),
            ],
        }
    }
}

impl Addresses {
    /// The zone that leads to these addresses.
    pub fn zone(&self) -> Zone {
        let host = |label: &str, address| Host { name: format!("{label}.{ZONE}"), addresses: vec![address] };
        Zone::new(vec![host("api", self.api), host("fw", self.firmware), host("time", self.time)])
    }
}
