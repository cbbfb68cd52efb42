//! Which end of a flow stands on which side of the bench's network. It knows addresses, not who uses them.

use std::net::{IpAddr, SocketAddr};

use lab_observe::{FlowRecord, MacAddr};
use lab_protocol::{Body, Entry, Event, Reply, Side, Vantage};

/// The sides of an attempt's network, as its network agent told them.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    sides: Vec<Known>,
    /// The vantage points that there are.
    pub vantages: Vec<Vantage>,
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
    /// Reads them from an event log; several networks add up.
    pub fn of(entries: &[Entry]) -> Self {
        let mut all = Self::default();
        for entry in entries {
            let Body::Event(Event::Done { reply: Reply::Network { facts } }) = &entry.body else { continue };
            all.vantages.extend(facts.vantages.iter().cloned());
            all.sides.extend(facts.sides.iter().map(|side| Known {
                side: side.clone(),
                macs: side.macs.iter().filter_map(|mac| mac.parse().ok()).collect(),
                addresses: side.addresses.iter().filter_map(|address| bare(address)).collect(),
            }));
        }
        all
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
        let ours = self.sides.iter().map(|known| known.side.name.as_str()).filter(|name| *name != "services");
        ours.filter(|name| !self.vantages.iter().any(|vantage| vantage.side == *name))
    }

    /// Whether the lab itself started everything that talks on the client's side, so that its look-ups began in sight.
    pub fn knows_start(&self, flow: &FlowRecord) -> bool {
        self.client(flow).is_some_and(|placed| placed.side.only_companion)
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
        let ours = self.sides.iter().filter(|known| known.side.name != "services");
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

/// `192.0.2.10/24` without its length.
fn bare(address: &str) -> Option<IpAddr> {
    let ip: IpAddr = address.split('/').next()?.parse().ok()?;
    Some(ip.to_canonical())
}
