//! Gives the frames of a copy other addresses, the same ones throughout the copy.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Where the IP header of an Ethernet frame begins, behind VLAN tags and PPPoE.
fn ip_at(frame: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        let kind = u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        match kind {
            0x8100 | 0x88a8 | 0x9100 => at += 2,
            0x8864 => return Some(at + 8),
            0x0800 | 0x86dd => return Some(at),
            _ => return None,
        }
    }
}

/// Changes the outer addresses of an Ethernet frame as copy `number` wants it.
///
/// Private addresses change, and public ones only where neither end is private: so the addresses in DNS answers stay true.
pub(crate) fn change(frame: &mut [u8], number: u8) {
    let Some(at) = ip_at(frame) else { return };
    match frame.get(at).map(|byte| byte >> 4) {
        Some(4) if frame.len() >= at + 20 => {
            let ends = [at + 12, at + 16];
            let read = |end: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[end..end + 4]).unwrap());
            let private = ends.map(|end| read(end).is_private());
            let shared = ends.map(|end| {
                read(end).is_multicast() || read(end).is_broadcast() || read(end).is_unspecified()
            });
            for (side, end) in ends.into_iter().enumerate() {
                if !shared[side] && (private[side] || private == [false; 2]) {
                    frame[end + 1] ^= number;
                }
            }
        }
        Some(6) if frame.len() >= at + 40 => {
            let ends = [at + 8, at + 24];
            let read = |end: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[end..end + 16]).unwrap());
            let shared = ends.map(|end| read(end).is_multicast() || read(end).is_unspecified());
            for (side, end) in ends.into_iter().enumerate() {
                // Which end is the client's can't be told by its address: both change.
                if !shared[side] {
                    frame[end + 3] ^= number;
                }
            }
        }
        _ => {}
    }
}
