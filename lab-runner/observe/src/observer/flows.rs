//! Which flow a packet belongs to: the one that goes on, or a new one.

use super::Observer;
use crate::flow::{CLIENT, Flow, Hot, Key, SERVER};
use crate::icmp_error::{self, Quoted, is_icmp};
use crate::opening;
use crate::packet::Packet;
use crate::tcp::{ACK, SYN};
use crate::transport::Transport;

impl Observer {
    /// Counts an ICMP error into the flow that it is about; false where it has to be a flow of its own.
    pub(super) fn reported(&mut self, error: &Packet<'_>, quoted: &Quoted) -> bool {
        let Packet { wire, ends, .. } = error;
        let (key, forward) = Key::new(quoted.src, quoted.dst, quoted.protocol, wire.link.vlan, ends.tunnel);
        let Some(index) = self.flows.find(&key, self.flows.hash(&key)) else { return false };
        let flow = &mut self.flows.hot[index];
        // An error goes to who sent the packet that it is about.
        if quoted.src.0 != ends.dst.0 || flow.has_rested(wire.frame.ts_ns) {
            return false;
        }
        let to = if flow.client_is_low == forward { CLIENT } else { SERVER };
        let side = CLIENT + SERVER - to;
        // From an end there must be no more than what it got, for else a channel could hide in errors. Routers may add to
        // it (RFC 4884), and are believed where they write to who opened the flow.
        let sound = if ends.src.0 == quoted.dst.0 {
            quoted.length <= flow.longest[to] as usize
                && error.length() <= icmp_error::headers(ends.src.0.v6) + quoted.length
        } else {
            side == SERVER
        };
        let sound = sound && !(side == SERVER && flow.is_from_client(wire.link.src));
        if sound {
            flow.count(wire.frame, wire.number, side);
        }
        sound
    }

    /// Finds or begins the packet's flow, and counts the packet; `None` where the bound on flows is reached.
    #[inline]
    pub(super) fn flow(&mut self, packet: &Packet<'_>) -> Option<(usize, usize)> {
        let Packet { wire, ends, transport, .. } = packet;
        let (key, forward) = Key::new(ends.src, ends.dst, ends.protocol, wire.link.vlan, ends.tunnel);
        let hash = self.flows.hash(&key);
        let last = self.flows.find(&key, hash);
        let has_rested = last.is_some_and(|index| self.flows.hot[index].has_rested(wire.frame.ts_ns));
        let known = last.filter(|index| match *transport {
            Transport::Tcp { seq, flags, .. } if flags & (SYN | ACK) == SYN => {
                !self.begins_anew(*index, seq, forward)
            }
            _ => !has_rested,
        });
        let index = match known {
            Some(index) => index,
            None => {
                if self.flows.len() >= self.options.max_flows {
                    self.summary.flows_refused += 1;
                    return None;
                }
                // What ICMP says after a rest is no answer to what was said before.
                let goes_on = has_rested && !is_icmp(ends.protocol);
                let before = last.filter(|_| goes_on);
                let (flow, hot) = self.begin(packet, key, forward, before);
                self.flows.add(last, hash, hot, flow, self.shared.names.moment())
            }
        };
        let flow = &mut self.flows.hot[index];
        let side = if flow.client_is_low == forward { CLIENT } else { SERVER };
        flow.packet(wire.frame, wire.number, side, packet.length(), wire.link.src);
        match known {
            Some(_) => self.fast_path.remember(packet, index, side),
            None => self.fast_path.remember_first(packet, index, side),
        }
        Some((index, side))
    }

    fn begin(&mut self, packet: &Packet<'_>, key: Key, forward: bool, before: Option<usize>) -> (Flow, Hot) {
        let begun_ns = self.begun_ns.unwrap_or_default();
        let client_was_low = before.map(|index| self.flows.hot[index].client_is_low);
        let before = before.map(|index| &mut self.flows.cold[index]);
        self.shared.room.flow_begins();
        let (flow, client_is_low) = opening::begin(packet, forward, before.zip(client_was_low), begun_ns);
        self.shared.names.sent_from(packet.src_mac(), packet.ends.src.0);
        let mut hot = Hot::new(key, client_is_low, flow.client_mac);
        hot.wants = flow.stage.wants();
        hot.wake = flow.stage.wake();
        (flow, hot)
    }

    /// A SYN (from the key's smaller end, if `from_low`) begins another connection between the same ends: this one was
    /// closed, or had data under another sequence number.
    fn begins_anew(&self, index: usize, seq: u32, from_low: bool) -> bool {
        let hot = &self.flows.hot[index];
        let again = || from_low == hot.client_is_low && self.flows.cold[index].isn[CLIENT] != Some(seq);
        hot.is_closed() || (hot.payload_seen && again())
    }
}
