//! How a person says which host of a capture is the device: by its link address, or by its IP address where the capture
//! has no link addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lab_observe::{FlowRecord, MacAddr};

/// The device whose flows are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Device {
    /// The host with this link address.
    Link(MacAddr),
    /// The host with this IP address.
    Address(IpAddr),
}

/// What was written is neither.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is neither a MAC address (02:00:00:00:00:0a) nor an IP address", .0.escape_debug())]
pub struct BadDevice(String);

impl FromStr for Device {
    type Err = BadDevice;

    fn from_str(written: &str) -> Result<Self, BadDevice> {
        let written = written.trim();
        let colons = written.replace('-', ":").to_ascii_lowercase();
        match (colons.parse(), written.parse::<IpAddr>()) {
            (Ok(mac), _) => Ok(Self::Link(mac)),
            (_, Ok(address)) => Ok(Self::Address(address.to_canonical())),
            _ => Err(BadDevice(written.to_owned())),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(mac) => mac.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Device {
    pub(super) fn is_link(self) -> bool {
        matches!(self, Self::Link(_))
    }

    pub(super) fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Link(mac) => Some(mac),
            Self::Address(_) => None,
        }
    }

    pub(super) fn is_client_of(self, flow: &FlowRecord) -> bool {
        match self {
            Self::Link(mac) => flow.client_mac == Some(mac),
            Self::Address(address) => flow.client.ip().to_canonical() == address,
        }
    }

    pub(super) fn is_server_of(self, flow: &FlowRecord) -> bool {
        match self {
            Self::Link(mac) => flow.server_mac == Some(mac),
            Self::Address(address) => flow.server.ip().to_canonical() == address,
        }
    }
}
