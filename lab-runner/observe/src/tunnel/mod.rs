//! Packets within packets. The outer flow is an endpoint of its own and stays one; this only finds what it carries.
//!
//! A tunnel is told by its IP protocol, or by its UDP port and a header that makes sense; what is encrypted is none.

mod access_point;
mod gre;
mod overlay;
mod teredo;

use crate::ip::{self, Ip};
use crate::link::{self, Link, Network};

/// Tunnels in tunnels beyond this are not opened.
pub(crate) const MAX_DEPTH: u8 = 4;

const IPIP: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ETHERIP: u8 = 97;
const MPLS: u8 = 137;
const UDP: u8 = 17;

/// A packet inside of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inner {
    /// What it is called.
    pub(crate) app: &'static str,
    /// Where the inner IP header begins, if it is IP.
    pub(crate) ip_at: Option<usize>,
    /// The VLAN of an inner Ethernet frame.
    pub(crate) vlan: Option<u16>,
}

impl Inner {
    /// An IP packet at `at`, if there is one.
    fn ip(app: &'static str, data: &[u8], at: usize) -> Self {
        Self { app, ip_at: ip::begins(data, at).then_some(at), vlan: None }
    }

    /// What a link's header leads to.
    fn link(app: &'static str, read: impl FnOnce(&mut Link)) -> Self {
        let mut inner = Link::NONE;
        read(&mut inner);
        Self { app, ip_at: (inner.network == Network::Ip).then_some(inner.offset), vlan: inner.vlan }
    }

    fn ethernet(app: &'static str, data: &[u8], at: usize) -> Self {
        Self::link(app, |link| link::ethernet(data, at, link))
    }
}

/// Whether a packet may be a tunnel's, by its headers alone; `ports` are those of UDP.
#[inline]
pub(crate) fn is_possible(ip: &Ip, ports: Option<(u16, u16)>) -> bool {
    match ip.protocol {
        UDP => ports.is_some_and(|(src, dst)| is_port(src) || is_port(dst)),
        protocol => matches!(protocol, IPIP | IPV6 | GRE | ETHERIP | MPLS),
    }
}

fn is_port(port: u16) -> bool {
    by_port(port).is_some()
}

/// A tunnel's reader: `at` is where the UDP datagram's payload begins.
type Read = fn(data: &[u8], at: usize) -> Option<Inner>;

/// Ports as IANA has them; 8472 is what Linux takes for VXLAN unless told otherwise.
#[inline]
fn by_port(port: u16) -> Option<Read> {
    Some(match port {
        1701 => access_point::l2tp,
        2152 => overlay::gtp_u,
        3544 => teredo::teredo,
        4789 | 8472 => overlay::vxlan,
        4790 => overlay::vxlan_gpe,
        5247 => access_point::capwap,
        6081 => overlay::geneve,
        37008 => access_point::tzsp,
        _ => return None,
    })
}

/// Looks for a tunnel in an IP packet; `ports` are those of UDP.
pub(crate) fn inner(data: &[u8], ip: &Ip, ports: Option<(u16, u16)>) -> Option<Inner> {
    if ip.fragment.is_some() {
        return None;
    }
    let at = ip.offset;
    let by_ip = |app| Some(Inner::ip(app, data, at)).filter(|inner| inner.ip_at.is_some());
    match ip.protocol {
        // RFC 2003, RFC 2473, RFC 4213 §3.
        IPIP => by_ip(if ip.src.v6 { "4in6" } else { "ipip" }),
        IPV6 => by_ip(if ip.src.v6 { "6in6" } else { "6in4" }),
        GRE => gre::gre(data, at),
        // RFC 3378 §3: version 3, and nothing else in two bytes.
        ETHERIP => (link::be16(data, at)? == 0x3000).then(|| Inner::ethernet("etherip", data, at + 2)),
        // RFC 4023 §3.
        MPLS => Some(Inner::link("mpls", |link| link::mpls(data, at, link))),
        UDP => {
            let (src, dst) = ports?;
            let read = |port| by_port(port).and_then(|read| read(data, at + 8));
            read(dst).or_else(|| read(src))
        }
        _ => None,
    }
}
