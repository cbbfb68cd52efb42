//! Who is around a device, as the frames of a capture tell: its own addresses, and the routers, resolvers and prefixes
//! that the network gave it.
//!
//! Reads ARP (RFC 826) and DHCP (RFC 2131) over Ethernet, where the observer tells of flows only. It takes the device's
//! word for its own addresses and nobody's for what its frames mean.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use lab_observe::capture::Reader;
use lab_observe::{CaptureError, Frame, MacAddr};

/// Ethernet among the link types of pcap.
const ETHERNET: u16 = 1;
const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const BROADCAST: MacAddr = MacAddr([0xff; 6]);
/// More neighbours, addresses of one kind or networks than this are no small network's; the rest is left out.
const MOST: usize = 1024;

/// What the frames tell of a device and of those around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The device's own IPv4 addresses: what it says in ARP, and what DHCP gave it.
    pub(super) own: BTreeSet<IpAddr>,
    /// Everybody else's link addresses, with the IPv4 addresses that they say in ARP.
    pub(super) others: BTreeMap<MacAddr, BTreeSet<IpAddr>>,
    /// Routers that DHCP named (RFC 2132 section 3.5).
    pub(super) gateways: BTreeSet<IpAddr>,
    /// Resolvers that DHCP named (RFC 2132 section 3.8).
    pub(super) resolvers: BTreeSet<IpAddr>,
    /// Prefixes that DHCP named (RFC 2132 section 3.3).
    pub(super) networks: BTreeSet<IpNet>,
    /// Frames that the device sent.
    pub(super) sent: u64,
    /// Frames that were sent to the device alone.
    pub(super) received: u64,
}

impl Neighbours {
    /// Reads them from a capture, packed or not.
    ///
    /// # Errors
    /// Where the bytes are no capture.
    pub(super) fn of(bytes: &[u8], device: MacAddr) -> Result<Self, CaptureError> {
        let mut all = Self::default();
        let mut reader = Reader::new(bytes)?;
        while let Some(frame) = reader.next_frame() {
            all.frame(&frame, device);
        }
        Ok(all)
    }

    fn frame(&mut self, frame: &Frame<'_>, device: MacAddr) {
        let data = frame.data;
        let (Some(to), Some(from), Some(mut kind)) = (mac(data, 0), mac(data, 6), be16(data, 12)) else {
            return;
        };
        if frame.link_type != ETHERNET {
            return;
        }
        self.sent += u64::from(from == device);
        self.received += u64::from(to == device);
        let mut at = 14;
        if kind == VLAN {
            kind = be16(data, 16).unwrap_or_default();
            at = 18;
        }
        if from != device && matches!(kind, ARP | IPV4 | IPV6) && self.others.len() < MOST {
            self.others.entry(from).or_default();
        }
        match kind {
            ARP => self.arp(data.get(at..).unwrap_or(&[]), from, device),
            IPV4 if from != device && (to == device || to == BROADCAST) => {
                if let Some(message) = dhcp_to_client(data.get(at..).unwrap_or(&[])) {
                    self.dhcp(message, device);
                }
            }
            _ => {}
        }
    }

    /// RFC 826: what the sender says of itself. For a probe (RFC 5227 section 2.1.1) that is nothing yet.
    fn arp(&mut self, packet: &[u8], from: MacAddr, device: MacAddr) {
        let ethernet_ipv4 = packet.get(..6) == Some(&[0, 1, 8, 0, 6, 4]);
        let (Some(sender), Some(address)) = (mac(packet, 8), ipv4(packet, 14)) else { return };
        if !ethernet_ipv4 || sender != from || address.is_unspecified() {
            return;
        }
        if sender == device {
            insert(&mut self.own, address.into());
        } else if let Some(known) = self.others.get_mut(&sender) {
            insert(known, address.into());
        }
    }

    /// RFC 2131 section 2: an offer or an acknowledgement to this device.
    fn dhcp(&mut self, message: &[u8], device: MacAddr) {
        const REPLY: u8 = 2;
        const OPTIONS_AT: usize = 240;
        let to_device = message.first() == Some(&REPLY) && mac(message, 28) == Some(device);
        if !to_device || message.get(236..OPTIONS_AT) != Some(&[99, 130, 83, 99]) {
            return;
        }
        if let Some(given) = ipv4(message, 16).filter(|given| !given.is_unspecified()) {
            insert(&mut self.own, given.into());
            let mask = option(message, 1).and_then(|value| ipv4(value, 0));
            let net = mask.and_then(|mask| Ipv4Net::with_netmask(given, mask).ok());
            if let Some(net) = net.filter(|_| self.networks.len() < MOST) {
                self.networks.insert(IpNet::V4(net.trunc()));
            }
        }
        for (code, into) in [(3, &mut self.gateways), (6, &mut self.resolvers)] {
            for address in option(message, code).unwrap_or(&[]).chunks_exact(4) {
                if let Some(address) = ipv4(address, 0) {
                    insert(into, address.into());
                }
            }
        }

        /// The value of an option: RFC 2132 section 2.
        fn option(message: &[u8], wanted: u8) -> Option<&[u8]> {
            let mut rest = message.get(OPTIONS_AT..)?;
            loop {
                match rest {
                    [0, after @ ..] => rest = after,
                    [255, ..] | [] | [_] => return None,
                    [code, length, after @ ..] => {
                        let (value, after) = after.split_at_checked(usize::from(*length))?;
                        if *code == wanted {
                            return Some(value);
                        }
                        rest = after;
                    }
                }
            }
        }
    }
}

fn insert(into: &mut BTreeSet<IpAddr>, address: IpAddr) {
    if into.len() < MOST {
        into.insert(address);
    }
}

/// The DHCP message in a whole IPv4 packet to a client (UDP from port 67 to port 68).
fn dhcp_to_client(packet: &[u8]) -> Option<&[u8]> {
    const UDP: u8 = 17;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let is_fragment = be16(packet, 6)? & 0x3fff != 0;
    let is_dhcp = packet.get(9) == Some(&UDP)
        && be16(packet, header) == Some(67)
        && be16(packet, header + 2) == Some(68);
    if is_dhcp && !is_fragment { packet.get(header + 8..) } else { None }
}

fn mac(data: &[u8], at: usize) -> Option<MacAddr> {
    data.get(at..at + 6)?.try_into().ok().map(MacAddr)
}

fn ipv4(data: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = data.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}
