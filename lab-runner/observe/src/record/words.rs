//! Words, transports and link addresses, as records write them.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A word of the observer's own (`tls`, `client_id`), of which few are put together: the others are only pointed at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word(Cow<'static, str>);

impl Word {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Word {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<&T> for Word {
    fn eq(&self, other: &&T) -> bool {
        self.0 == other.as_ref()
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<String> for Word {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

impl From<&'static str> for Word {
    fn from(word: &'static str) -> Self {
        Self(word.into())
    }
}

impl From<String> for Word {
    fn from(word: String) -> Self {
        Self(word.into())
    }
}

impl From<Cow<'static, str>> for Word {
    fn from(word: Cow<'static, str>) -> Self {
        Self(word)
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.0.into_owned()
    }
}

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

    /// How it is written.
    pub(crate) fn word(self) -> Cow<'static, str> {
        match self {
            Self::Tcp => "tcp".into(),
            Self::Udp => "udp".into(),
            Self::Icmp => "icmp".into(),
            Self::Icmpv6 => "icmpv6".into(),
            Self::Other(number) => format!("ip-{number}").into(),
        }
    }
}

impl fmt::Display for L4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.word())
    }
}

impl From<L4> for String {
    fn from(l4: L4) -> Self {
        l4.word().into_owned()
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

impl MacAddr {
    /// As it is written, in ASCII.
    #[inline]
    pub(crate) fn letters(self) -> [u8; 17] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut letters = [b':'; 17];
        for (index, byte) in self.0.into_iter().enumerate() {
            letters[3 * index] = DIGITS[usize::from(byte >> 4)];
            letters[3 * index + 1] = DIGITS[usize::from(byte & 15)];
        }
        letters
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.letters()).unwrap_or_default())
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
