//! How a flow begins: who opened it, and whose link address that is.
//!
//! Believes no port that a sender is free to choose, but for connections whose opening was not seen.

use crate::flow::{Flow, Stage};
use crate::packet::Packet;
use crate::protocol::dns::{self, message};
use crate::tcp::{ACK, SYN};
use crate::transport::Transport;
use crate::udp::Udp;

/// A resolver that answers later than this after the capture's first frame was asked in sight of it; stub resolvers give
/// up after 5 s for each try.
const OLD_QUESTION_NS: u64 = 10 * 1_000_000_000;

/// A connection over UDP in which nothing is said for longer is lost to most routers on its way (RFC 9000 §10.1.2).
const KEPT_OPEN_NS: u64 = 30 * 1_000_000_000;

/// RFC 6335 §6: ports below are for a system's own services.
const FIRST_OF_USERS: u16 = 1024;
/// Where Linux begins with the ports that it gives to clients (`ip_local_port_range`); others begin higher (RFC 6335 §6).
const FIRST_OF_CLIENTS: u16 = 32768;

const UDP_HEADER: usize = 8;
/// First bytes of datagrams in which QUIC (RFC 9000 §17.2) and DTLS (RFC 6347 §4.1) begin.
const QUIC_LONG: u8 = 0xc0;
const DTLS_HANDSHAKE: u8 = 22;

/// Begins a flow with its first packet, which goes from the key's smaller end where `forward`; `before` is the rested
/// flow that it goes on from, with whether its client was the smaller end, and `begun_ns` the time of the capture's first
/// frame. Returns the flow, and whether its client is the key's smaller end.
pub(crate) fn begin(
    packet: &Packet<'_>,
    forward: bool,
    before: Option<(&mut Flow, bool)>,
    begun_ns: u64,
) -> (Flow, bool) {
    let (by_client, opening_seen) = match &before {
        Some((before, client_was_low)) => (*client_was_low == forward, before.opening_seen),
        None => opener(packet, begun_ns),
    };
    let (src_mac, dst_mac) = (packet.src_mac(), packet.dst_mac());
    let macs = if by_client { [src_mac, dst_mac] } else { [dst_mac, src_mac] };
    let stage = match packet.transport {
        Transport::Tcp { .. } => Stage::Tcp(None),
        Transport::Udp => Stage::Udp(Udp::Fresh),
        Transport::Fragment | Transport::Other => Stage::Done,
    };
    let mut flow = Flow::new(packet.wire, macs, stage);
    flow.opening_seen = opening_seen;
    if let Some((before, _)) = before {
        flow.continues(before);
    }
    (flow, forward == by_client)
}

/// Whether the first packet is the client's, and whether it is the one that opened the flow.
fn opener(packet: &Packet<'_>, begun_ns: u64) -> (bool, bool) {
    let (src_port, dst_port) = (packet.ends.src.1, packet.ends.dst.1);
    match packet.transport {
        Transport::Tcp { flags, .. } if flags & SYN != 0 => (flags & ACK == 0, true),
        Transport::Tcp { .. } => (!is_servers(src_port, dst_port), false),
        Transport::Udp if src_port == dns::PORT => {
            let is_old = is_old_answer(packet, begun_ns);
            (!is_old, !is_old)
        }
        Transport::Udp if goes_on(packet, begun_ns) => (false, false),
        _ => (true, true),
    }
}

/// Whether a port rather is a server's than the other one, where the opening was not seen: a well-known one, or one below
/// those that systems give to clients.
fn is_servers(port: u16, other: u16) -> bool {
    port < other && (port < FIRST_OF_USERS || (port < FIRST_OF_CLIENTS && other >= FIRST_OF_CLIENTS))
}

/// Whether a datagram rather goes on with what its receiver opened before the capture began: early in the capture, from a
/// service of its sender's system to a port that systems give to clients, with nothing that a connection begins with.
fn goes_on(packet: &Packet<'_>, begun_ns: u64) -> bool {
    let ((_, src_port), (dst, dst_port)) = (packet.ends.src, packet.ends.dst);
    let may_begin = |first: u8| first >= QUIC_LONG || first == DTLS_HANDSHAKE;
    age_ns(packet, begun_ns) <= KEPT_OPEN_NS
        && src_port < FIRST_OF_USERS
        && dst_port >= FIRST_OF_CLIENTS
        && !dst.is_local()
        && payload(packet).first().is_some_and(|first| !may_begin(*first))
}

/// How long after the capture's first frame it comes.
fn age_ns(packet: &Packet<'_>, begun_ns: u64) -> u64 {
    packet.wire.frame.ts_ns.saturating_sub(begun_ns)
}

fn payload<'a>(packet: &Packet<'a>) -> &'a [u8] {
    packet.data.get(packet.ip.offset + UDP_HEADER..).unwrap_or(&[])
}

/// An answer whose question can't be in the capture.
fn is_old_answer(packet: &Packet<'_>, begun_ns: u64) -> bool {
    age_ns(packet, begun_ns) <= OLD_QUESTION_NS
        && message::parse(payload(packet))
            .is_some_and(|message| message.response && !message.questions.is_empty())
}
