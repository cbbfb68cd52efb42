//! Transports and link addresses, as records write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A transport, written as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum L4 {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP for IPv4.
    Icmp,
    /// ICMP for IPv6.
    Icmpv6,
    /// Any other IP protocol, by its IANA number; written `ip-47`.
    Other(u8),
}

impl L4 {
    /// From an IANA IP protocol number.
    pub fn from_ip_protocol(number: u8) -> Self {
        match number {
            1 => Self::Icmp,
            6 => Self::Tcp,
            17 => Self::Udp,
            58 => Self::Icmpv6,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for L4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.pad("tcp"),
            Self::Udp => f.pad("udp"),
            Self::Icmp => f.pad("icmp"),
            Self::Icmpv6 => f.pad("icmpv6"),
            Self::Other(number) => f.pad(&format!("ip-{number}")),
        }
    }
}

impl From<L4> for String {
    fn from(l4: L4) -> Self {
        l4.to_string()
    }
}

/// A word that is no transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no transport: expected tcp, udp, icmp, icmpv6 or ip-<0–255>")]
pub struct UnknownL4(String);

impl TryFrom<String> for L4 {
    type Error = UnknownL4;

    fn try_from(word: String) -> Result<Self, UnknownL4> {
        match word.as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "icmp" => Ok(Self::Icmp),
            "icmpv6" => Ok(Self::Icmpv6),
            _ => match word.strip_prefix("ip-").and_then(|number| number.parse().ok()) {
                Some(number) => Ok(Self::from_ip_protocol(number)),
                None => Err(UnknownL4(word)),
            },
        }
    }
}

/// A link address of six bytes, written `02:00:00:00:00:0a`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MacAddr(pub [u8; 6]);

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

/// A text that is no link address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no link address: expected six bytes such as 02:00:00:00:00:0a")]
pub struct BadMacAddr(String);

impl std::str::FromStr for MacAddr {
    type Err = BadMacAddr;

    fn from_str(text: &str) -> Result<Self, BadMacAddr> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            *byte = parts
                .next()
                .filter(|part| part.len() == 2)
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(|| BadMacAddr(text.to_owned()))?;
        }
        if parts.next().is_some() { Err(BadMacAddr(text.to_owned())) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for MacAddr {
    type Error = BadMacAddr;

    fn try_from(text: String) -> Result<Self, BadMacAddr> {
        text.parse()
    }
}
