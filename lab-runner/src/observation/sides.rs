//! Which end of a flow stands on which side of the bench's network. It knows addresses, not who uses them.

use std::net::{IpAddr, SocketAddr};

use lab_observe::{FlowRecord, MacAddr};
use lab_protocol::{Event, Reply, Side, Vantage};

use super::Heard;
use crate::manifest::Surroundings;

/// The side behind the link: everything but the product.
const SERVICES: &str = "services";

/// The sides of an attempt's network, as its network agent told them.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    sides: Vec<Known>,
    /// The vantage points that there are.
    pub vantages: Vec<Vantage>,
    around: Surroundings,
}

#[derive(Debug, Clone)]
struct Known {
    side: Side,
    macs: Vec<MacAddr>,
    addresses: Vec<IpAddr>,
}

/// A side, and how an end of a flow was told to stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<'a> {
    /// The side.
    pub side: &'a Side,
    /// By its link address; else only by its IP address.
    pub by_link: bool,
}

impl Sides {
    /// Reads them from what counts of an event log; several networks add up.
    pub fn of(heard: &Heard<'_>) -> Self {
        let mut all = Self::default();
        for (_, event) in heard.events() {
            let Event::Done { reply: Reply::Network { facts } } = event else { continue };
            all.vantages.extend(facts.vantages.iter().cloned());
            all.around.gateways.extend(facts.gateways.iter().filter_map(|address| bare(address)));
            all.around.resolvers.extend(facts.resolvers.iter().filter_map(|address| bare(address)));
            all.around
                .networks
                .extend(facts.networks.iter().filter_map(|net| net.parse::<ipnet::IpNet>().ok()));
            all.sides.extend(facts.sides.iter().map(|side| Known {
                side: side.clone(),
                macs: side.macs.iter().filter_map(|mac| mac.parse().ok()).collect(),
                addresses: side.addresses.iter().filter_map(|address| bare(address)).collect(),
            }));
        }
        all
    }

    /// The routers, resolvers and prefixes that the network gave its hosts.
    pub fn surroundings(&self) -> &Surroundings {
        &self.around
    }

    /// Where the client of a flow stands. Its link address decides; the IP address only where no side has that link
    /// address.
    pub fn client<'a>(&'a self, flow: &FlowRecord) -> Option<Placed<'a>> {
        self.place(flow.client_mac, flow.client.ip())
    }

    fn place(&self, mac: Option<MacAddr>, ip: IpAddr) -> Option<Placed<'_>> {
        let by_link = mac.and_then(|mac| self.sides.iter().find(|known| known.macs.contains(&mac)));
        if let Some(known) = by_link {
            return Some(Placed { side: &known.side, by_link: true });
        }
        let ip = ip.to_canonical();
        let known = self.sides.iter().find(|known| known.addresses.contains(&ip))?;
        Some(Placed { side: &known.side, by_link: false })
    }

    /// Sides of the product whose link no vantage point watches.
    pub fn unwatched(&self) -> impl Iterator<Item = &str> {
        let ours = self.sides.iter().map(|known| known.side.name.as_str()).filter(|name| *name != SERVICES);
        ours.filter(|name| !self.vantages.iter().any(|vantage| vantage.side == *name))
    }

    /// Whether the lab itself started everything that talks on the client's side, so that its look-ups began in sight.
    pub fn knows_start(&self, flow: &FlowRecord) -> bool {
        self.client(flow).is_some_and(|placed| placed.side.only_companion)
    }

    /// The side that has this link address.
    pub fn of_mac(&self, mac: MacAddr) -> Option<&str> {
        let known = self.sides.iter().find(|known| known.macs.contains(&mac))?;
        Some(&known.side.name)
    }

    /// Whether both ends of a flow are on the link itself: addresses that no router forwards, or known ones of the link.
    pub fn keeps_to_link(&self, flow: &FlowRecord) -> bool {
        [flow.client.ip(), flow.server.ip()].into_iter().all(|ip| self.on_link(ip.to_canonical()))
    }

    fn on_link(&self, ip: IpAddr) -> bool {
        if is_link_scope(ip) {
            return true;
        }
        // The services' side has addresses behind the link too, which a router would have to forward to.
        let ours = self.sides.iter().filter(|known| known.side.name != SERVICES);
        let near = |address: &IpAddr| *address == ip || same_prefix(*address, ip);
        self.sides.iter().any(|known| known.addresses.contains(&ip))
            && ours.flat_map(|known| &known.addresses).any(near)
    }

    /// How an end of a flow is written: the product's own ends by their role, everything else by its address.
    pub fn written(&self, end: SocketAddr, mac: Option<MacAddr>) -> String {
        match self.role(end.ip(), mac) {
            Some(role) => format!("{role}:{}", end.port()),
            None => SocketAddr::new(end.ip().to_canonical(), end.port()).to_string(),
        }
    }

    /// The role of an address that belongs to the product under test (never one of the services': those are evidence).
    pub fn role(&self, ip: IpAddr, mac: Option<MacAddr>) -> Option<&str> {
        let ip = ip.to_canonical();
        let ours = self.sides.iter().filter(|known| known.side.name != SERVICES);
        for known in ours {
            // A link-local address is made from the link address, which is another in every run.
            let local = is_link_local(ip) && mac.is_some_and(|mac| known.macs.contains(&mac));
            if local || known.addresses.contains(&ip) {
                return Some(&known.side.name);
            }
        }
        None
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// Never forwarded: link-local or unspecified, or multicast of the link (RFC 5771 section 4, RFC 4291 section 2.7).
fn is_link_scope(ip: IpAddr) -> bool {
    is_link_local(ip)
        || ip.is_unspecified()
        || match ip {
            IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
            IpAddr::V6(ip) => ip.is_multicast() && ip.segments()[0] & 0x0f <= 2,
        }
}

/// Whether two addresses share the prefix that a link usually has: /24 and /64.
fn same_prefix(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4],
        _ => false,
    }
}

/// `192.0.2.10/24` without its length.
fn bare(address: &str) -> Option<IpAddr> {
    let ip: IpAddr = address.split('/').next()?.parse().ok()?;
    Some(ip.to_canonical())
}
