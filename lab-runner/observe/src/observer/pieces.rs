//! Fragments: counted into the flow of their datagram as they come, and given to its parsers once it is whole.
//!
//! What comes before the first fragment waits to be counted, as it has no ports; what stays incomplete is given up in the
//! end, with as much of it as there is from its beginning on.

use super::Observer;
use crate::capture::Frame;
use crate::flow::{SERVER, Stage};
use crate::fragments::{Added, Datagram, First, Key, MAX_PIECES, Waiting};
use crate::ip::{Fragment, Ip};
use crate::packet::{Packet, Wire};
use crate::protocol::dns;
use crate::tcp::Segment;
use crate::transport::{self, Ends, Transport};

/// Where in tunnels a packet stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    pub(super) tunnel: u64,
    pub(super) depth: u8,
}

impl Observer {
    /// Takes a fragment of which the IP header begins at `at`; all of its bytes are looked at.
    pub(super) fn piece(
        &mut self,
        wire: &Wire<'_>,
        at: usize,
        ip: &Ip,
        fragment: &Fragment,
        within: Within,
    ) -> usize {
        let all = wire.frame.data.len();
        let data = &wire.frame.data[..all.min(ip.end)];
        let (now_ns, tunnel) = (wire.frame.ts_ns, within.tunnel);
        let key = Key::new(ip, fragment, wire.link.vlan, tunnel);
        if let Some(outdated) = self.fragments.outdated(&key, now_ns, &mut self.shared.budget) {
            self.give_up(&outdated);
        }
        let first = self.fragments.of(key, now_ns, self.shared.names.now()).first;
        let flow = match first {
            _ if fragment.first => self.first_piece(wire, at, data, ip, fragment, key, tunnel),
            Some(first) => {
                let hot = &mut self.flows.hot[first.flow];
                hot.packet(wire.frame, wire.number, first.side, ip.end - at, wire.link.src);
                Some(first.flow)
            }
            None => {
                self.wait(wire, ip, key, tunnel);
                None
            }
        };
        let body = data.get(fragment.body_at..).unwrap_or(&[]);
        match self.fragments.add(key, fragment, body, &mut self.shared.budget) {
            Added::Whole => {
                if let Some(datagram) = self.fragments.take(&key, &mut self.shared.budget) {
                    self.deliver(&datagram, wire, Some(within));
                }
            }
            Added::Spoilt(word) => {
                if let Some(index) = flow {
                    self.odd(index, word, wire.number);
                }
            }
            Added::Held => {}
        }
        while let Some(oldest) = self.fragments.too_many(now_ns, &mut self.shared.budget) {
            self.give_up(&oldest);
        }
        if let Some(index) = flow {
            self.look(index);
        }
        all
    }

    /// Begins or finds the flow of a first fragment, and counts what waited for it.
    #[expect(clippy::too_many_arguments, reason = "one call, of which all is needed")]
    fn first_piece(
        &mut self,
        wire: &Wire<'_>,
        at: usize,
        data: &[u8],
        ip: &Ip,
        fragment: &Fragment,
        key: Key,
        tunnel: u64,
    ) -> Option<usize> {
        let Some((ends, transport)) = &transport::read(data, ip, tunnel) else {
            self.malformed(wire, "transport_malformed");
            return None;
        };
        self.note_first_fragment(ends);
        let packet = Packet { wire, data, at, ip, ends, transport: *transport };
        let (index, side) = self.flow(&packet)?;
        if ip.source_routed {
            self.odd(index, "source_routed", wire.number);
        }
        match *transport {
            // What it carries comes later, with the rest.
            Transport::Tcp { seq, ack, flags, payload_at } => {
                let nothing = Segment { seq, ack, payload: &[], wire_len: 0 };
                self.tcp(wire.number, index, side, flags, nothing, payload_at, data.len());
            }
            Transport::Udp => self.flows.hot[index].udp(side),
            Transport::Fragment | Transport::Other => {
                self.other(index, data, ip);
            }
        }
        let datagram = self.fragments.of(key, wire.frame.ts_ns, self.shared.names.now());
        let whole = Ip { offset: ip.offset - fragment.body_at, fragment: None, ..*ip };
        datagram.first.get_or_insert(First { flow: index, side, frame: wire.number, ip: whole });
        for Waiting { frame, .. } in std::mem::take(&mut datagram.waiting) {
            let hot = &mut self.flows.hot[index];
            hot.packets[side] += 1;
            hot.bytes[side] += u64::from(frame.orig_len);
        }
        Some(index)
    }

    /// Has a fragment wait for the first one.
    fn wait(&mut self, wire: &Wire<'_>, ip: &Ip, key: Key, tunnel: u64) {
        let Wire { number, link, carrier, .. } = *wire;
        let waiting = Waiting { frame: Frame { data: &[], ..*wire.frame }, number, link, carrier, ip: *ip };
        let datagram = self.fragments.of(key, wire.frame.ts_ns, self.shared.names.now());
        if datagram.waiting.len() < MAX_PIECES {
            datagram.waiting.push(waiting);
        } else {
            self.orphan(&waiting, tunnel);
        }
    }

    /// Counts a fragment of which the first one did not come.
    fn orphan(&mut self, waiting: &Waiting, tunnel: u64) {
        let Waiting { frame, number, link, carrier, ip } = waiting;
        let wire = &Wire { frame, number: *number, link: *link, carrier: *carrier };
        let ends = Ends { src: (ip.src, 0), dst: (ip.dst, 0), protocol: ip.protocol, tunnel };
        let packet = Packet { wire, data: &[], at: 0, ip, ends: &ends, transport: Transport::Fragment };
        if let Some((index, _)) = self.flow(&packet) {
            self.odd(index, "fragment_orphaned", wire.number);
            self.other(index, &[], ip);
            self.look(index);
        }
    }

    /// Gives a datagram's bytes to the parsers of its flow: all of them, or those before the first that is missing.
    fn deliver(&mut self, datagram: &Datagram, wire: &Wire<'_>, whole: Option<Within>) {
        let Some(first) = datagram.first else { return };
        let bytes = datagram.bytes();
        // Where the length is not known, at least a byte is missing.
        let end = datagram.total.filter(|total| *total >= bytes.len()).unwrap_or(bytes.len() + 1);
        let ip = Ip { end, ..first.ip };
        let Some((ends, transport)) = transport::read(&bytes, &ip, datagram.tunnel) else { return };
        let (index, side) = (first.flow, first.side);
        match transport {
            Transport::Tcp { seq, ack, flags, payload_at } => {
                let payload = bytes.get(payload_at..).unwrap_or(&[]);
                let segment = Segment { seq, ack, payload, wire_len: end.saturating_sub(payload_at) };
                self.tcp(wire.number, index, side, flags, segment, payload_at, bytes.len());
            }
            Transport::Udp => {
                self.udp(wire.number, index, side, &bytes, ip.offset, ip.end);
            }
            Transport::Fragment | Transport::Other => {}
        }
        if let Some(within) = whole {
            let frame = Frame { data: &bytes, orig_len: bytes.len() as u32, ..*wire.frame };
            let wire = Wire { frame: &frame, ..*wire };
            let packet = Packet { wire: &wire, data: &bytes, at: 0, ip: &ip, ends: &ends, transport };
            self.inside(&packet, index, within.depth);
        }
    }

    /// Gives up all that is still waited for: the capture is over.
    pub(super) fn give_up_all(&mut self) {
        while let Some(oldest) = self.fragments.oldest(&mut self.shared.budget) {
            self.shared.names.gives_up(oldest.begun);
            self.give_up(&oldest);
        }
    }

    fn give_up(&mut self, datagram: &Datagram) {
        let Some(first) = datagram.first else {
            for waiting in &datagram.waiting {
                self.orphan(waiting, datagram.tunnel);
            }
            return;
        };
        if datagram.spoilt.is_none() {
            let frame = Frame { ts_ns: 0, data: &[], orig_len: 0, link_type: 0, interface: 0 };
            let link = crate::link::Link::NONE;
            self.deliver(datagram, &Wire { frame: &frame, number: first.frame, link, carrier: None }, None);
            self.weird("fragment_incomplete", first.frame);
        }
        let to_resolver = self.flows.hot[first.flow].ends()[SERVER].1 == dns::PORT;
        let flow = &mut self.flows.cold[first.flow];
        flow.lossy |= !matches!(flow.stage, Stage::Done);
        flow.unread |= to_resolver;
        self.look(first.flow);
    }
}
