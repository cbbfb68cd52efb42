//! Link headers: where the network header begins, VLAN, link addresses.
//!
//! Looks at nothing behind the link header but what tells where IP begins, and its version nibble.

mod capture_header;
mod ethernet;
mod ppp;
mod wifi;

use crate::ip;
use crate::record::MacAddr;

pub(crate) use ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, by_type, ethernet, mpls};
pub(crate) use ppp::ppp;

/// What a frame's link header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) network: Network,
    /// Where the network header begins; where there is none, where the bytes end that were looked at.
    pub(crate) offset: usize,
    /// The outermost VLAN id.
    pub(crate) vlan: Option<u16>,
    pub(crate) src: Option<MacAddr>,
    pub(crate) dst: Option<MacAddr>,
    /// Where another packet of the same frame begins: [`next`] reads it.
    pub(crate) rest: Option<usize>,
}

impl Link {
    /// Nothing is known yet.
    pub(crate) const NONE: Self =
        Self { network: Network::Malformed, offset: 0, vlan: None, src: None, dst: None, rest: None };

    fn other(&mut self, ether_type: u16, looked_to: usize, data: &[u8]) {
        self.network = Network::Other(ether_type);
        self.offset = looked_to.min(data.len());
    }

    fn aside(&mut self, aside: Aside, looked_to: usize, data: &[u8]) {
        self.network = Network::Aside(aside);
        self.offset = looked_to.min(data.len());
    }

    #[inline]
    fn ip(&mut self, data: &[u8], offset: usize) {
        if ip::begins(data, offset) {
            self.network = Network::Ip;
            self.offset = offset;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// IPv4 or IPv6, by the version nibble.
    Ip,
    /// Anything else with an EtherType (0 for what has none).
    Other(u16),
    /// A frame of a known kind that holds no IP packet which could be read.
    Aside(Aside),
    /// The header is shorter than it must be, or contradicts itself.
    Malformed,
    /// A link type that is not understood.
    UnknownLink,
}

/// Kinds of frames that are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Aside {
    /// Between a host and its Bluetooth controller (Core specification, volume 4).
    BluetoothHci,
    /// Bluetooth as it was on the air.
    BluetoothAir,
    /// USB transfers.
    Usb,
    /// What an access point tells its bridge when a station joins: always the same bytes.
    StationUpdate,
    /// 802.11 management and control frames, and data frames without data.
    Wifi,
    /// 802.11 data that is encrypted on the air.
    WifiProtected,
    /// A part of an 802.11 frame.
    WifiFragment,
    /// 802.11 frames of which the receiver says that they are damaged.
    WifiDamaged,
}

impl Aside {
    /// As the summary writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BluetoothHci => "bluetooth_hci",
            Self::BluetoothAir => "bluetooth_air",
            Self::Usb => "usb",
            Self::StationUpdate => "station_update",
            Self::Wifi => "wifi",
            Self::WifiProtected => "wifi_protected",
            Self::WifiFragment => "wifi_fragment",
            Self::WifiDamaged => "wifi_damaged",
        }
    }
}

/// Decodes a link header, by the number of its type in the registry of LINKTYPE_ values, into one of which nothing is
/// known.
#[inline]
pub(crate) fn decode(link_type: u16, data: &[u8], link: &mut Link) {
    match link_type {
        1 => ethernet(data, 0, link),
        _ => any(link_type, data, link),
    }
}

fn any(link_type: u16, data: &[u8], link: &mut Link) {
    match capture_header::inner(link_type, data) {
        None => header(link_type, data, 0, false, link),
        Some(Some(inner)) if inner.at <= data.len() => match inner.damaged {
            true => link.aside(Aside::WifiDamaged, inner.at, data),
            false => header(inner.link_type, data, inner.at, inner.padded, link),
        },
        // A header that the capturing system put before the frame makes no sense.
        Some(_) => {}
    }
}

/// Decodes a header at `at`; `padded` is 802.11 with its header padded to 4 bytes.
fn header(link_type: u16, data: &[u8], at: usize, padded: bool, link: &mut Link) {
    match link_type {
        1 => ethernet(data, at, link),
        // BSD loopback: a family in the capturing host's byte order; OpenBSD's in network order.
        0 | 108 => {
            if data.len() >= at + 4 {
                link.ip(data, at + 4);
            }
        }
        // Raw IP, under the numbers it has had.
        12 | 14 | 101 | 228 | 229 => link.ip(data, at),
        9 | 50 | 51 | 166 | 204 => ppp::by_link_type(link_type, data, at, link),
        // Cisco HDLC.
        104 => by_type(data, be16(data, at + 2), at + 4, link),
        105 => wifi::frame(data, at, padded, link),
        // Linux cooked, v1: type, address type, address length, address (8), protocol.
        113 => {
            if be16(data, at + 4) == Some(6) {
                link.src = mac(data, at + 6);
            }
            by_type(data, be16(data, at + 14), at + 16, link);
        }
        // Linux cooked, v2: protocol, reserved (2), interface (4), address type (2), type, address length, address (8).
        276 => {
            if data.get(at + 11) == Some(&6) {
                link.src = mac(data, at + 12);
            }
            by_type(data, be16(data, at), at + 20, link);
        }
        // RFC 2684 §5: LLC on ATM.
        100 => ethernet::llc(data, at, link),
        // OpenBSD's IPsec and packet filter: twelve bytes; a header that tells its length, on 4 bytes.
        109 => link.ip(data, at + 12),
        117 => {
            if let Some(length) = data.get(at) {
                link.ip(data, at + usize::from(*length).next_multiple_of(4));
            }
        }
        // Apple's IP on FireWire: two addresses of eight bytes.
        138 => by_type(data, be16(data, at + 16), at + 18, link),
        219 => mpls(data, at, link),
        // HCI with its packet type (H4), with a direction before it, and Linux' monitor.
        187 | 201 | 254 => link.aside(Aside::BluetoothHci, at, data),
        // Classic baseband, low energy, with and without headers.
        251 | 255 | 256 | 272 => link.aside(Aside::BluetoothAir, at, data),
        186 | 189 | 220 | 249 | 266 | 288 | 293..=295 => link.aside(Aside::Usb, at, data),
        _ => link.network = Network::UnknownLink,
    }
}

/// Decodes an 802.11 frame that begins at `at` in a tunnel.
pub(crate) fn wifi(data: &[u8], at: usize, link: &mut Link) {
    wifi::frame(data, at, false, link);
}

/// Decodes an 802.11 frame as access points send it to their controller.
pub(crate) fn wifi_of_controller(data: &[u8], at: usize, link: &mut Link) {
    wifi::turned(data, at, link);
}

/// Reads another packet of a frame, where [`Link::rest`] says that it begins.
pub(crate) fn next(data: &[u8], at: usize) -> Link {
    let mut link = Link::NONE;
    wifi::subframe(data, at, &mut link);
    link
}

#[inline]
pub(crate) fn mac(data: &[u8], at: usize) -> Option<MacAddr> {
    data.get(at..at + 6)?.try_into().ok().map(MacAddr)
}

#[inline]
pub(crate) fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

#[inline]
pub(crate) fn be32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn le16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn le32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}
