//! What of a transport's header matters: ports, and for TCP the sequence number and flags.

use crate::ip::{Addr, Ip};
use crate::link::{be16, be32};

/// Who sends a transport's packet to whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) src: (Addr, u16),
    pub(crate) dst: (Addr, u16),
    pub(crate) protocol: u8,
    /// The number of the flow that carries this one, 0 for none.
    pub(crate) tunnel: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Transport {
    Tcp {
        seq: u32,
        ack: u32,
        flags: u8,
        payload_at: usize,
    },
    Udp,
    /// A fragment behind the first: its ports are unknown.
    Fragment,
    Other,
}

/// Reads ports; `None` where the transport's header makes no sense.
#[inline]
pub(crate) fn read(data: &[u8], ip: &Ip, tunnel: u64) -> Option<(Ends, Transport)> {
    let ends = |src, dst| Ends { src: (ip.src, src), dst: (ip.dst, dst), protocol: ip.protocol, tunnel };
    if ip.fragment.is_some_and(|fragment| !fragment.first) {
        return Some((ends(0, 0), Transport::Fragment));
    }
    let at = ip.offset;
    let (src, dst, transport) = match ip.protocol {
        6 => {
            let flags = *data.get(at + 13)?;
            let header = usize::from(data[at + 12] >> 4) * 4;
            if header < 20 || at + header > ip.end {
                return None;
            }
            let (seq, ack) = (be32(data, at + 4)?, be32(data, at + 8)?);
            let transport = Transport::Tcp { seq, ack, flags, payload_at: at + header };
            (be16(data, at)?, be16(data, at + 2)?, transport)
        }
        17 => {
            data.get(at + 7)?;
            (be16(data, at)?, be16(data, at + 2)?, Transport::Udp)
        }
        // SCTP has ports where UDP has them (RFC 9260 §3.1).
        132 => (be16(data, at)?, be16(data, at + 2)?, Transport::Other),
        _ => (0, 0, Transport::Other),
    };
    Some((ends(src, dst), transport))
}
