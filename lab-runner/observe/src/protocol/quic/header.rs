//! QUIC packet headers (RFC 8999 §5.1, RFC 9000 §17.2), and the packets that share a datagram.

use super::version::Version;
use crate::protocol::Fields;

/// RFC 9000 §17.2: versions 1 and 2 have no longer connection ids.
const MAX_ID: usize = 20;
/// Google's first versions: flags, a connection id of eight bytes, the version.
const GOOGLE_HEADER: usize = 13;

/// A long header, as far as it is the same in all versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Long<'a> {
    first: u8,
    pub(super) number: u32,
    pub(super) dcid: &'a [u8],
    pub(super) scid: &'a [u8],
    /// What follows the ids.
    rest: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// One packet of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) kind: Kind,
    pub(super) header: Long<'a>,
    /// The packet with its header; shorter than it says if the datagram was cut.
    pub(super) bytes: &'a [u8],
    /// Where the packet number begins.
    pub(super) number_at: usize,
    /// What follows the packet in the datagram.
    pub(super) behind: &'a [u8],
    /// It is as long as it says.
    pub(super) is_whole: bool,
}

impl<'a> Long<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let first = fields.u8()?;
        if first & 0x80 == 0 {
            return None;
        }
        let number = fields.u32()?;
        let mut id = || {
            let length = usize::from(fields.u8()?);
            if length > MAX_ID { None } else { fields.take(length) }
        };
        let (dcid, scid) = (id()?, id()?);
        Some(Self { first, number, dcid, scid, rest: fields.0 })
    }

    /// Version Negotiation (RFC 8999 §6): the versions that the server speaks, of which at least one is known.
    pub(super) fn is_negotiation(&self) -> bool {
        let (versions, rest) = self.rest.as_chunks::<4>();
        let is_spoken = |version: &[u8; 4]| {
            matches!(Version::of(u32::from_be_bytes(*version)), Some(Version::Ietf { .. } | Version::Google))
        };
        self.number == 0 && rest.is_empty() && versions.iter().take(64).any(is_spoken)
    }

    fn kind(&self, moved: bool) -> Kind {
        // RFC 9369 §3.2 moves the numbers by one.
        match (self.first >> 4).wrapping_sub(u8::from(moved)) & 3 {
            0 => Kind::Initial,
            1 => Kind::ZeroRtt,
            2 => Kind::Handshake,
            _ => Kind::Retry,
        }
    }
}

impl<'a> Packet<'a> {
    /// Reads the first packet of what is left of a datagram; `None` unless it has a long header of a version with TLS.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = Long::read(bytes)?;
        let moved = match Version::of(header.number)? {
            Version::Ietf { moved, .. } => moved,
            Version::Reserved => false,
            Version::Google => return None,
        };
        let kind = header.kind(moved);
        if kind == Kind::Retry {
            return Some(Self { kind, header, bytes, number_at: bytes.len(), behind: &[], is_whole: true });
        }
        let mut fields = Fields(header.rest);
        if kind == Kind::Initial {
            let token = varint(&mut fields)?;
            fields.take(usize::try_from(token).ok()?)?;
        }
        let length = usize::try_from(varint(&mut fields)?).ok()?;
        let number_at = bytes.len() - fields.0.len();
        let end = number_at.checked_add(length)?;
        let (packet, behind) = bytes.split_at(end.min(bytes.len()));
        Some(Self { kind, header, bytes: packet, number_at, behind, is_whole: end <= bytes.len() })
    }
}

/// The version and what follows the header of a packet of Google's versions before 46.
pub(super) fn google(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let &[flags, .., a, b, c, d] = bytes.get(..GOOGLE_HEADER)? else { return None };
    // A version is there (bit 0), and an id of eight bytes (bit 3); nothing else may have the highest bits.
    let is_client = flags & 0xc9 == 0x09;
    let number = u32::from_be_bytes([a, b, c, d]);
    (is_client && Version::of(number) == Some(Version::Google)).then(|| (number, &bytes[GOOGLE_HEADER..]))
}

/// What follows the ids of a long header of Google's version 46, which has no TLS.
pub(super) fn google_long(bytes: &[u8]) -> Option<(u32, &[u8])> {
    // Both ids' lengths share a byte, in fours less three (draft-ietf-quic-transport-20 §17.2).
    let &[first, a, b, c, d, lengths] = bytes.get(..6)? else { return None };
    let length = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble) + 3 };
    let number = u32::from_be_bytes([a, b, c, d]);
    let rest = bytes.get(6 + length(lengths >> 4) + length(lengths & 15)..)?;
    (first & 0x80 != 0 && Version::of(number) == Some(Version::Google)).then_some((number, rest))
}

/// RFC 9000 §16.
pub(super) fn varint(fields: &mut Fields<'_>) -> Option<u64> {
    let first = fields.u8()?;
    let more = (1usize << (first >> 6)) - 1;
    let bytes = fields.take(more)?;
    Some(bytes.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte)))
}
