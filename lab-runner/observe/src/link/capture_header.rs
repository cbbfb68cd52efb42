//! Headers that the capturing system puts before a frame: radiotap and its like, PPI, PKTAP, NFLOG.
//!
//! Only what is needed to find the frame is read of them.

use super::{be32, le16, le32};

/// NFLOG's record that holds the packet (NFULA_PAYLOAD).
const NFLOG_PAYLOAD: u16 = 9;
/// Records of an NFLOG header that are looked at.
const MAX_RECORDS: usize = 32;
/// Words of a radiotap header that say which fields it has.
const MAX_PRESENT: usize = 16;

const WIFI: u16 = 105;

/// A frame behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) link_type: u16,
    pub(super) at: usize,
    /// 802.11 with its header padded to 4 bytes.
    pub(super) padded: bool,
    /// Its check sequence was wrong.
    pub(super) damaged: bool,
}

impl Inner {
    fn new(link_type: u16, at: u32) -> Self {
        Self { link_type, at: at as usize, padded: false, damaged: false }
    }
}

/// Where the frame begins; `None` for links without such a header, `Some(None)` where it makes no sense.
pub(super) fn inner(link_type: u16, data: &[u8]) -> Option<Option<Inner>> {
    let wifi = |at| Inner::new(WIFI, at);
    Some(match link_type {
        127 => radiotap(data),
        // Prism: code, length, in either order; an AVS header may stand under this number, too.
        119 => match (le32(data, 4), be32(data, 4)) {
            (Some(144), _) | (_, Some(144)) => Some(wifi(144)),
            (_, Some(length @ 8..)) if be32(data, 0).is_some_and(is_avs) => Some(wifi(length)),
            _ => None,
        },
        // AVS: version, length.
        163 => be32(data, 4).filter(|length| *length >= 8).map(wifi),
        // PPI: version, flags, length, the frame's link type.
        192 => match (le16(data, 2), le32(data, 4)) {
            (Some(length @ 8..), Some(link)) => {
                u16::try_from(link).ok().map(|link| Inner::new(link, length.into()))
            }
            _ => None,
        },
        // PKTAP, also under a number for private use: length, kind of record, the frame's link type, in the order of the
        // hosts that have it.
        258 | 149 => match (le32(data, 0), le32(data, 4), le32(data, 8)) {
            (Some(length @ 12..), Some(1), Some(link)) => {
                u16::try_from(link).ok().map(|link| Inner::new(link, length))
            }
            _ if link_type == 149 => return None,
            _ => None,
        },
        239 => nflog(data),
        _ => return None,
    })
}

fn is_avs(magic: u32) -> bool {
    magic & 0xffff_f000 == 0x8021_1000
}

/// radiotap.org: version 0, length; words that say which fields there are; then the fields, each aligned to its size.
fn radiotap(data: &[u8]) -> Option<Inner> {
    let length = usize::from(le16(data, 2)?);
    let mut present = le32(data, 4)?;
    let first = present;
    let mut at = 8;
    for _ in 0..MAX_PRESENT {
        if present & 1 << 31 == 0 {
            break;
        }
        present = le32(data, at)?;
        at += 4;
    }
    if data.first() != Some(&0) || length < at {
        return None;
    }
    let mut flags = 0;
    if first & 2 != 0 {
        // Before the flags only a timestamp of 8 bytes may stand.
        let flags_at = if first & 1 != 0 { at.next_multiple_of(8) + 8 } else { at };
        flags = *data.get(flags_at).filter(|_| flags_at < length)?;
    }
    Some(Inner { padded: flags & 0x20 != 0, damaged: flags & 0x40 != 0, ..Inner::new(WIFI, length as u32) })
}

/// Family, version, resource; then records of a length, a type and a value, in the order of the capturing host.
fn nflog(data: &[u8]) -> Option<Inner> {
    let mut at = 4;
    for _ in 0..MAX_RECORDS {
        let length = usize::from(le16(data, at)?);
        if le16(data, at + 2)? & 0x7fff == NFLOG_PAYLOAD {
            return Some(Inner::new(101, at as u32 + 4));
        }
        if length < 4 {
            return None;
        }
        at += length.next_multiple_of(4);
    }
    None
}
