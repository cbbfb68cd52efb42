//! A frame, and one packet in it, as the layers see them.

use crate::capture::Frame;
use crate::ip::Ip;
use crate::link::Link;
use crate::record::MacAddr;
use crate::transport::{Ends, Transport};

/// What all layers of one frame share; lent from layer to layer, as copying it costs more than looking into it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) frame: &'a Frame<'a>,
    pub(crate) number: u64,
    pub(crate) link: Link,
    /// The flow, by its index, whose packet carries what is looked at now.
    pub(crate) carrier: Option<usize>,
}

/// An IP packet with its transport's header.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) wire: &'a Wire<'a>,
    /// The frame up to the packet's end.
    pub(crate) data: &'a [u8],
    /// Where its IP header begins.
    pub(crate) at: usize,
    pub(crate) ip: &'a Ip,
    pub(crate) ends: &'a Ends,
    pub(crate) transport: Transport,
}

impl Packet<'_> {
    /// Bytes from the IP header on, as they were sent.
    pub(crate) fn length(&self) -> usize {
        self.ip.end.saturating_sub(self.at)
    }

    /// The sender's link address. Those of a frame belong to a tunnel's ends, not to who is inside of it.
    pub(crate) fn src_mac(&self) -> Option<MacAddr> {
        self.wire.link.src.filter(|_| self.ends.tunnel == 0)
    }

    /// The receiver's; see [`Packet::src_mac`].
    pub(crate) fn dst_mac(&self) -> Option<MacAddr> {
        self.wire.link.dst.filter(|_| self.ends.tunnel == 0)
    }

    /// The ports, where the transport is a whole UDP datagram or the first piece of one.
    pub(crate) fn udp_ports(&self) -> Option<(u16, u16)> {
        (self.ip.protocol == 17).then_some((self.ends.src.1, self.ends.dst.1))
    }
}
