//! STUN messages (RFC 8489 §5) and the attributes that name an address or a realm; also those of RFC 3489, which have no
//! cookie, and Microsoft's (MS-TURN §2.2), which have it elsewhere and pad nothing.

use std::net::SocketAddr;

use crate::link::be16;
use crate::protocol::Fields;
use crate::protocol::facts::Facts;
use crate::record::NameKind;

pub(super) const HEADER: usize = 20;
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Ports of STUN (RFC 8489 §18.6): a message without a cookie and attributes has too few fixed bits without one.
const PORT: u16 = 3478;
/// More attributes than any message has.
const MAX_ATTRIBUTES: usize = 64;

const MAPPED_ADDRESS: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
/// Microsoft's cookie is an attribute, the first (MS-TURN §2.2.2.1).
const MICROSOFT: [u8; 8] = [0x00, 0x0f, 0x00, 0x04, 0x72, 0xc6, 0x4b, 0xc6];
/// Where the server shall send to (MS-TURN §2.2.2).
const DESTINATION_ADDRESS: u16 = 0x0011;
/// Before a message: this, its length, and eight bytes that tell connections apart.
const MULTIPLEXED: u16 = 0xff10;
const MULTIPLEXED_HEADER: usize = 12;
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;
const REALM: u16 = 0x0014;
const XOR_RELAYED_ADDRESS: u16 = 0x0016;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// The number that XOR-MAPPED-ADDRESS had in drafts, still in use (MS-TURN §2.2.2).
const OLD_XOR_MAPPED_ADDRESS: u16 = 0x8020;
const ALTERNATE_SERVER: u16 = 0x8023;

/// A message of which the header makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// What hides addresses: the cookie, or what stands in its place, and the transaction's number.
    key: [u8; 16],
    has_cookie: bool,
    microsoft: bool,
    attributes: &'a [u8],
    /// Attributes are filled up to fours.
    padded: bool,
}

impl<'a> Message<'a> {
    /// Reads what a whole datagram holds, with a cookie or without one; where STUN `was_spoken`, a message without one
    /// needs less of a form.
    pub(super) fn read(bytes: &'a [u8], cut: bool, ports: [u16; 2], was_spoken: bool) -> Option<Self> {
        let length = usize::from(be16(bytes, 2)?);
        if be16(bytes, 0)? == MULTIPLEXED && length + 4 == bytes.len() {
            return Self::first(bytes.get(MULTIPLEXED_HEADER..)?).map(|(message, _)| message);
        }
        let fits = HEADER + length == bytes.len() || (cut && HEADER + length > bytes.len());
        let message = Self::parts(bytes, bytes.len())?;
        if message.has_cookie {
            return (fits || length.is_multiple_of(4)).then_some(message);
        }
        if message.microsoft {
            return fits.then_some(message);
        }
        // RFC 3489 §11.1: binding and shared secret; servers of before the cookie were asked for relays, too.
        let kind = be16(bytes, 0)?;
        let is_classic = matches!(kind, 1 | 2 | 0x0101 | 0x0102 | 0x0111 | 0x0112)
            || was_spoken && matches!(kind & !0x0110, 3..=9);
        // RFC 3489 §11.2 has attributes up to 11, and from 0x8000 on what who does not know it steps over.
        let is_listed = |kind: u16| was_spoken || matches!(kind, 1..=11 | 0x8020..=0x802f);
        let listed = message.attributes().try_fold(0, |at, (kind, value)| {
            is_listed(kind).then_some(at + 4 + value.len().next_multiple_of(4))
        });
        let has_port = ports.iter().any(|port| matches!(*port, PORT | 3479));
        (is_classic && fits && listed == Some(length) && (length > 0 || has_port)).then_some(message)
    }

    /// Reads a message at the start of a stream's bytes, if its cookie is there; with where it ends.
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let length = usize::from(be16(bytes, 2)?);
        let message = Self::parts(bytes, HEADER + length).filter(|message| message.has_cookie)?;
        Some((message, HEADER + length))
    }

    fn parts(bytes: &'a [u8], end: usize) -> Option<Self> {
        let mut fields = Fields(bytes.get(..end.min(bytes.len()))?);
        let kind = fields.u16()?;
        let length = usize::from(fields.u16()?);
        let key: [u8; 16] = fields.take(16)?.try_into().ok()?;
        let has_cookie = key.starts_with(&COOKIE);
        if kind & 0xc000 != 0 {
            return None;
        }
        let attributes = fields.take_lax(length);
        let microsoft = attributes.starts_with(&MICROSOFT);
        Some(Self { key, has_cookie, microsoft, attributes, padded: length.is_multiple_of(4) })
    }

    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut fields = Fields(self.attributes);
        let padded = self.padded;
        let next = move || {
            let (kind, size) = (fields.u16()?, usize::from(fields.u16()?));
            let value = fields.take_lax(size);
            if padded {
                fields.take_lax(size.next_multiple_of(4) - size);
            }
            Some((kind, value))
        };
        std::iter::from_fn(next).take(MAX_ATTRIBUTES)
    }

    /// What it has a relay pass on, or what a relay passes on in it (RFC 8656 §11).
    pub(super) fn data(&self) -> Option<&'a [u8]> {
        self.attributes().find(|(kind, _)| *kind == DATA).map(|(_, value)| value)
    }

    /// Tells the addresses and the realm in it.
    pub(super) fn tell(&self, facts: &mut Facts<'_, '_>) {
        for (attribute, value) in self.attributes() {
            let (kind, hidden) = match attribute {
                MAPPED_ADDRESS => (NameKind::StunMapped, false),
                XOR_MAPPED_ADDRESS | OLD_XOR_MAPPED_ADDRESS => (NameKind::StunMapped, true),
                XOR_RELAYED_ADDRESS => (NameKind::StunRelayed, true),
                XOR_PEER_ADDRESS => (NameKind::StunPeer, !self.microsoft),
                DESTINATION_ADDRESS if self.microsoft => (NameKind::StunPeer, false),
                ALTERNATE_SERVER => (NameKind::StunPeer, false),
                REALM => {
                    // Microsoft's servers put bytes there that are no text.
                    if value.iter().all(u8::is_ascii_graphic) {
                        facts.name(NameKind::StunRealm, value);
                    }
                    continue;
                }
                USERNAME => {
                    facts.carries("user_name");
                    continue;
                }
                _ => continue,
            };
            if let Some(address) = self.address(value, hidden) {
                facts.escaped(kind, address.to_string());
            }
        }
    }

    /// RFC 8489 §14.1 and, where it is hidden from address-rewriting gateways, §14.2.
    fn address(&self, value: &[u8], hidden: bool) -> Option<SocketAddr> {
        let mut fields = Fields(value);
        fields.u8()?;
        let family = fields.u8()?;
        let mut port = fields.u16()?;
        let key = if hidden { self.key } else { [0; 16] };
        port ^= u16::from_be_bytes([key[0], key[1]]);
        match family {
            1 => {
                let mut ip: [u8; 4] = fields.take(4)?.try_into().ok()?;
                ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
                Some((ip, port).into())
            }
            2 => {
                let mut ip: [u8; 16] = fields.take(16)?.try_into().ok()?;
                ip.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
                Some((ip, port).into())
            }
            _ => None,
        }
    }
}
