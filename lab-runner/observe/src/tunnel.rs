//! Packets within packets. The outer flow is an endpoint of its own and stays one; this only finds what it carries.

use crate::ip::Ip;
use crate::link::{self, Link, Network, be16};

/// Tunnels in tunnels beyond this are not opened.
pub(crate) const MAX_DEPTH: u8 = 4;

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

/// Whether a packet may be a tunnel's, by its headers alone; `ports` are those of UDP.
pub(crate) fn is_possible(ip: &Ip, ports: Option<(u16, u16)>) -> bool {
    matches!(ip.protocol, 4 | 41 | 47)
        || ports.is_some_and(|(src, dst)| [src, dst].iter().any(|port| matches!(port, 4789 | 2152)))
}

/// Looks for a tunnel in an IP packet; `ports` are those of UDP.
pub(crate) fn inner(data: &[u8], ip: &Ip, ports: Option<(u16, u16)>) -> Option<Inner> {
    if ip.fragment.is_some() {
        return None;
    }
    match ip.protocol {
        4 => is_ip(data, ip.offset).then_some(Inner { app: "ipip", ip_at: Some(ip.offset), vlan: None }),
        41 => is_ip(data, ip.offset).then_some(Inner { app: "6in4", ip_at: Some(ip.offset), vlan: None }),
        47 => gre(data, ip.offset),
        17 => match ports? {
            (4789, _) | (_, 4789) => vxlan(data, ip.offset + 8),
            (2152, _) | (_, 2152) => gtp_u(data, ip.offset + 8),
            _ => None,
        },
        _ => None,
    }
}

fn is_ip(data: &[u8], at: usize) -> bool {
    matches!(data.get(at).map(|byte| byte >> 4), Some(4 | 6))
}

/// RFC 2784, RFC 2890, and the variant of PPTP (RFC 2637 §4.1).
fn gre(data: &[u8], at: usize) -> Option<Inner> {
    let flags = be16(data, at)?;
    let protocol = be16(data, at + 2)?;
    let mut body = at + 4;
    for bit in [0x8000, 0x2000, 0x1000] {
        if flags & bit != 0 {
            body += 4;
        }
    }
    if flags & 7 == 1 && flags & 0x0080 != 0 {
        body += 4;
    }
    Some(match protocol {
        link::ETHERTYPE_IPV4 | link::ETHERTYPE_IPV6 => {
            Inner { app: "gre", ip_at: is_ip(data, body).then_some(body), vlan: None }
        }
        0x6558 => ethernet(data, body, "gre"),
        _ => Inner { app: "gre", ip_at: None, vlan: None },
    })
}

/// RFC 7348 §5.
fn vxlan(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    (header[0] & 0x08 != 0 && header[7] == 0).then(|| ethernet(data, at + 8, "vxlan"))
}

/// 3GPP TS 29.281 §5.1: version 1, GTP, and a T-PDU (255).
fn gtp_u(data: &[u8], at: usize) -> Option<Inner> {
    let header = data.get(at..at + 8)?;
    if header[0] & 0xf0 != 0x30 || header[1] != 255 {
        return None;
    }
    let mut body = at + 8;
    if header[0] & 7 != 0 {
        let mut next = *data.get(at + 11)?;
        body += 4;
        for _ in 0..MAX_DEPTH {
            if next == 0 {
                break;
            }
            let length = usize::from(*data.get(body)?) * 4;
            if length == 0 {
                return None;
            }
            next = *data.get(body + length - 1)?;
            body += length;
        }
    }
    Some(Inner { app: "gtp-u", ip_at: is_ip(data, body).then_some(body), vlan: None })
}

fn ethernet(data: &[u8], at: usize, app: &'static str) -> Inner {
    let mut inner = Link::NONE;
    link::ethernet(data, at, &mut inner);
    Inner { app, ip_at: (inner.network == Network::Ip).then_some(inner.offset), vlan: inner.vlan }
}
