//! Ethernet and whatever else ends in an EtherType: VLAN tags, LLC and SNAP, MPLS, PPPoE.

use super::{Aside, Link, Network, be16, mac, ppp};

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(crate) const ETHERTYPE_MPLS: u16 = 0x8847;
const ETHERTYPE_MPLS_MULTICAST: u16 = 0x8848;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// EtherTypes below this are lengths (IEEE 802.3).
const MIN_ETHERTYPE: u16 = 0x0600;
/// More VLAN tags or MPLS labels than this make no sense.
const MAX_TAGS: usize = 8;

/// Decodes an Ethernet header that begins at `at`; also used for Ethernet in tunnels.
#[inline]
pub(crate) fn ethernet(data: &[u8], at: usize, link: &mut Link) {
    link.dst = mac(data, at);
    link.src = mac(data, at + 6);
    by_type(data, be16(data, at + 12), at + 14, link);
}

/// Goes on behind an EtherType.
#[inline]
pub(crate) fn by_type(data: &[u8], ether_type: Option<u16>, mut offset: usize, link: &mut Link) {
    let Some(mut ether_type) = ether_type else { return };
    let mut tags = 0;
    while matches!(ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200) {
        let (Some(tag), Some(inner)) = (be16(data, offset), be16(data, offset + 2)) else { return };
        link.vlan.get_or_insert(tag & 0x0fff);
        ether_type = inner;
        offset += 4;
        tags += 1;
        if tags > MAX_TAGS {
            return;
        }
    }
    match ether_type {
        ..MIN_ETHERTYPE => llc(data, offset, link),
        _ => network(data, ether_type, offset, link),
    }
}

/// A layer 2 update: an 802.2 exchange of identification to everybody, in the name of the station (IEEE 802.11F clause 6.3).
/// Nothing may follow but padding.
const STATION_UPDATE: [u8; 6] = [0, 1, 0xaf, 0x81, 1, 0];

/// IEEE 802.2: with SNAP an EtherType follows; SAP 6 is IP itself (RFC 1700).
pub(super) fn llc(data: &[u8], at: usize, link: &mut Link) {
    let to_all = link.dst.is_some_and(|dst| dst.0 == [0xff; 6]);
    let update = data.get(at..).and_then(|body| body.strip_prefix(&STATION_UPDATE)).filter(|_| to_all);
    if let Some(padding) = update {
        return match padding.iter().all(|byte| *byte == 0) {
            true => link.aside(Aside::StationUpdate, data.len(), data),
            false => link.other(0, data.len(), data),
        };
    }
    match (data.get(at..at + 6), be16(data, at + 6)) {
        (Some([0xaa, 0xaa, 3, 0, 0, 0]), Some(ether_type)) => network(data, ether_type, at + 8, link),
        (Some([0xaa, 0xaa, 3, 0, 0, 0]), None) => {}
        (Some([6, 6, 3, ..]), _) => link.ip(data, at + 3),
        _ => link.other(0, at + 8, data),
    }
}

#[inline]
fn network(data: &[u8], ether_type: u16, at: usize, link: &mut Link) {
    match ether_type {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => link.ip(data, at),
        ETHERTYPE_PPPOE_SESSION => ppp::pppoe(data, at, link),
        ETHERTYPE_MPLS | ETHERTYPE_MPLS_MULTICAST => mpls(data, at, link),
        other => link.other(other, at, data),
    }
}

/// Labels of four bytes (RFC 3032 §2.1), the last of which has its S bit set; then IP, or an Ethernet pseudowire with or
/// without a control word (RFC 4448 §4).
pub(crate) fn mpls(data: &[u8], at: usize, link: &mut Link) {
    for label in 0..MAX_TAGS {
        let Some(third) = data.get(at + 4 * label + 2) else { return };
        if third & 1 == 0 {
            continue;
        }
        let body = at + 4 * label + 4;
        link.ip(data, body);
        if link.network == Network::Ip {
            return;
        }
        if let Some((offset, vlan)) = pseudowire(data, body).or_else(|| pseudowire(data, body + 4)) {
            link.vlan = link.vlan.or(vlan);
            return link.ip(data, offset);
        }
        // What else a label may stand for only the two routers know.
        return link.other(ETHERTYPE_MPLS, body + 4 + MAX_PSEUDOWIRE, data);
    }
}

/// Bytes of a pseudowire's frame that are looked at: Ethernet, two tags, and IP's first.
const MAX_PSEUDOWIRE: usize = 14 + 2 * 4 + 1;

/// Where IP begins in what may be an Ethernet frame, and its outermost VLAN.
fn pseudowire(data: &[u8], at: usize) -> Option<(usize, Option<u16>)> {
    let mut vlan = None;
    let mut type_at = at + 12;
    for _ in 0..3 {
        match be16(data, type_at)? {
            ETHERTYPE_IPV4 if data.get(type_at + 2)? >> 4 == 4 => return Some((type_at + 2, vlan)),
            ETHERTYPE_IPV6 if data.get(type_at + 2)? >> 4 == 6 => return Some((type_at + 2, vlan)),
            0x8100 | 0x88a8 => {
                vlan = vlan.or(Some(be16(data, type_at + 2)? & 0x0fff));
                type_at += 4;
            }
            _ => return None,
        }
    }
    None
}
