//! What a packet adds to its flow: counters for all, payload for those that may still tell something.

use super::Observer;
use crate::flow::{CLIENT, SERVER, Stage};
use crate::ip::Ip;
use crate::link::be16;
use crate::protocol::interface::Wake;
use crate::protocol::link_control;
use crate::record::L4;
use crate::tcp::{self, ACK, RST, SYN, Segment, URG};
use crate::udp;

const RST_ACK: u8 = RST | ACK;

impl Observer {
    /// Takes a TCP segment; returns where the bytes end that were looked at.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one call, on the path of every packet")]
    pub(super) fn tcp(
        &mut self,
        number: u64,
        index: usize,
        side: usize,
        flags: u8,
        segment: Segment<'_>,
        payload_at: usize,
        all: usize,
    ) -> usize {
        let hot = &mut self.flows.hot[index];
        let had_payload = hot.payload_seen;
        hot.tcp(side, flags, segment.wire_len > 0);
        let is_read = hot.wants[side] && self.segment(number, index, side, flags, &segment, had_payload);
        if is_read { all } else { payload_at }
    }

    /// Takes a segment of a flow that may still tell something; whether its payload was looked at.
    #[inline(never)]
    fn segment(
        &mut self,
        number: u64,
        index: usize,
        side: usize,
        flags: u8,
        segment: &Segment<'_>,
        had_payload: bool,
    ) -> bool {
        if flags & SYN != 0 || self.flows.hot[index].renumbered != [false; 2] {
            self.numbered(number, index, side, flags, *segment, had_payload);
        }
        if side == SERVER && self.flows.hot[index].unacknowledged {
            self.acknowledged(number, index, flags, segment.ack);
        }
        if segment.wire_len == 0 || !self.flows.hot[index].wants[side] {
            return false;
        }
        if side == CLIENT && flags & URG != 0 {
            self.urgent(number, index);
        }
        let (hot, flow) = (&mut self.flows.hot[index], &mut self.flows.cold[index]);
        let Stage::Tcp(tcp) = std::mem::take(&mut flow.stage) else { return false };
        if side == SERVER && hot.unacknowledged && tcp.as_ref().is_some_and(|tcp| !tcp.reads(SERVER)) {
            flow.stage = Stage::Tcp(tcp);
            return false;
        }
        let mut context = self.shared.context(number, hot);
        // With TCP Fast Open (RFC 7413) a SYN has data, which begins one number later.
        let seq = segment.seq.wrapping_add(u32::from(flags & SYN != 0));
        flow.stage = tcp::advance(tcp, flow, side, Segment { seq, ..*segment }, &mut context);
        hot.wants = flow.stage.wants();
        hot.unacknowledged = matches!(&flow.stage, Stage::Tcp(Some(tcp)) if tcp.waits());
        true
    }

    /// Notes bytes of which the server may take one out of the stream (RFC 6093 §3.2); of two protocols they are usual.
    fn urgent(&mut self, number: u64, index: usize) {
        if !matches!(self.flows.cold[index].app, "telnet" | "ftp") {
            self.odd(index, "tcp_urgent", number);
        }
    }

    /// Notes what a server has of its client's bytes.
    fn acknowledged(&mut self, number: u64, index: usize, flags: u8, ack: u32) {
        let (hot, flow) = (&mut self.flows.hot[index], &mut self.flows.cold[index]);
        if hot.is_forged_in_part() {
            return;
        }
        let Stage::Tcp(Some(tcp)) = &mut flow.stage else { return };
        let budget = &mut self.shared.budget;
        match flags & (ACK | RST) {
            ACK if tcp.acknowledged(ack, number, budget) => {}
            RST | RST_ACK => tcp.reset(budget),
            _ => return,
        }
        if let Stage::Tcp(Some(tcp)) = std::mem::take(&mut flow.stage) {
            flow.stage = tcp::goes_on(tcp, flow, &mut self.shared.context(number, hot));
        }
        hot.wants = flow.stage.wants();
        hot.unacknowledged = false;
    }

    /// Notes with which number a side begins, by its own SYN and by what the other acknowledges.
    #[inline(never)]
    fn numbered(
        &mut self,
        number: u64,
        index: usize,
        side: usize,
        flags: u8,
        segment: Segment<'_>,
        had_payload: bool,
    ) {
        let (hot, flow) = (&mut self.flows.hot[index], &mut self.flows.cold[index]);
        let other = CLIENT + SERVER - side;
        // What has the client's link address is no word of the server's.
        if hot.renumbered[other]
            && flags & (ACK | RST) == ACK
            && !had_payload
            && (side == CLIENT || !hot.forged)
            && let Some(renumbered) = &mut flow.renumbered
        {
            let isn = &mut flow.isn[other];
            *isn = renumbered.acknowledged(other, segment.ack.wrapping_sub(1), *isn);
        }
        if flags & SYN != 0 {
            let before = *flow.isn[side].get_or_insert(segment.seq);
            if let Stage::Tcp(Some(tcp)) = &mut flow.stage {
                tcp.syn(side, segment.seq);
            }
            if before != segment.seq && !had_payload {
                flow.isn[side] = Some(segment.seq);
                flow.renumbered.get_or_insert_default().note(side, before);
                hot.renumbered[side] = true;
            }
        }
        if hot.renumbered[side] && segment.wire_len > 0 {
            hot.renumbered[side] = false;
            if flow.renumbered.as_ref().is_some_and(|renumbered| renumbered.leaves_doubt(side)) {
                self.odd(index, "tcp_renumbered", number);
            }
        }
    }

    #[inline]
    pub(super) fn udp(
        &mut self,
        number: u64,
        index: usize,
        side: usize,
        data: &[u8],
        at: usize,
        packet_end: usize,
    ) -> usize {
        let hot = &mut self.flows.hot[index];
        hot.udp(side);
        let payload_at = at + 8;
        let length = be16(data, at + 4).map_or(0, usize::from);
        // A length of 0 is a jumbogram's, or left to the network card.
        let end = if length < 8 { packet_end } else { (at + length).min(packet_end) };
        let wake = hot.wake;
        let wants = hot.wants[side] || data.get(payload_at).is_some_and(|first| wake.is_woken_by(*first));
        if end < packet_end {
            // The datagram ends before its packet does: no application gets what is behind (but see RFC 9868).
            self.odd(index, "udp_trailing", number);
        }
        if !wants {
            return payload_at + usize::from(wake != Wake::Never);
        }
        let hot = &mut self.flows.hot[index];
        let flow = &mut self.flows.cold[index];
        let Stage::Udp(stage) = std::mem::take(&mut flow.stage) else { return payload_at };
        let payload = data.get(payload_at..end.min(data.len())).unwrap_or(&[]);
        let cut = payload.len() < end.saturating_sub(payload_at);
        let mut context = self.shared.context(number, hot);
        flow.stage = udp::advance(stage, flow, side, payload, cut, &mut context);
        hot.wake = flow.stage.wake();
        hot.wants = [hot.wake == Wake::Any; 2];
        data.len()
    }

    pub(super) fn other(&mut self, index: usize, data: &[u8], ip: &Ip) -> usize {
        let (hot, flow) = (&mut self.flows.hot[index], &mut self.flows.cold[index]);
        hot.answered |= hot.packets[SERVER] > 0;
        let payload = data.get(ip.offset..).unwrap_or(&[]);
        let looked = link_control::recognise(ip, payload, ip.end.saturating_sub(ip.offset));
        match looked.app {
            Some(app) if hot.link_control => flow.recognised(app),
            _ => {
                hot.link_control = false;
                flow.app = match hot.key.l4() {
                    L4::Icmp => "icmp",
                    L4::Icmpv6 => "icmpv6",
                    L4::Other(2) => "igmp",
                    L4::Other(47) => "gre",
                    L4::Other(50) => "esp",
                    L4::Other(51) => "ah",
                    L4::Other(89) => "ospf",
                    L4::Other(132) => "sctp",
                    _ => flow.app,
                };
            }
        }
        ip.offset + looked.consulted
    }
}
