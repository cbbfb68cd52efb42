//! What is spoken on a flow, and the names in it: one file a protocol.
//!
//! To add one: its file here, its line in [`registry`], and a test with one capture of it. What a protocol offers is in
//! [`interface`], and where it tells what it finds, [`facts`]. Parsers know no other flow and no time, hold no more than a
//! bound, and stop at the first thing that makes no sense.

pub(crate) mod begins;
pub(crate) mod facts;
pub(crate) mod interface;
pub(crate) mod registry;

mod amqp;
mod ber;
mod bittorrent;
mod coap;
mod dhcp;
mod dhcpv6;
pub(crate) mod dns;
mod dnscrypt;
mod doh;
mod dtls;
mod fixed;
mod ftp;
mod http;
mod imap;
mod ipsec;
mod kasa;
mod l2tp;
mod ldap;
pub(crate) mod link_control;
mod mgcp;
mod miio;
mod mqtt;
mod munin;
mod mysql;
mod nat_pmp;
mod netbios;
mod ntp;
mod openvpn;
mod peer_wire;
mod pieces;
mod pop3;
mod postgres;
mod proxy_header;
pub(crate) mod quic;
mod radius;
mod rdp;
mod redis;
pub(crate) mod repeats;
mod rtp;
mod rtsp;
mod sip;
mod slp;
mod smb;
mod smtp;
mod snmp;
mod socks;
mod ssdp;
mod ssh;
mod stun;
mod syncthing;
mod syslog;
mod telegram;
mod telnet;
mod text;
mod tftp;
mod tls;
mod tuya;
mod wireguard;
mod xmpp;

/// Bytes read one field after the other; every read past the end is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from(self.u8()?) << 8 | u16::from(self.u8()?))
    }

    pub(crate) fn u24(&mut self) -> Option<u32> {
        Some(u32::from(self.u8()?) << 16 | u32::from(self.u16()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many of `count` bytes as there are.
    pub(crate) fn take_lax(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
