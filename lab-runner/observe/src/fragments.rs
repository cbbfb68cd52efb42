//! Which ports the fragments of a datagram belong to: only the first one has the transport's header.
//!
//! Puts nothing together. Bounded: the oldest datagram is forgotten first, and what then comes of it has no ports.

use std::collections::{BTreeMap, HashMap};

use crate::hash::Hasher;
use crate::ip::{Addr, Fragment, Ip};

/// Datagrams whose fragments are awaited.
const MAX_FRAGMENTED: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Datagram {
    src: Addr,
    dst: Addr,
    id: u32,
    protocol: u8,
    vlan: Option<u16>,
    tunnel: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Fragments {
    /// Ports, and the place in the order.
    ports: HashMap<Datagram, ((u16, u16), u64), Hasher>,
    order: BTreeMap<u64, Datagram>,
    next: u64,
}

impl Fragments {
    /// Notes the ports of a first fragment.
    pub(crate) fn first(&mut self, ip: &Ip, vlan: Option<u16>, tunnel: u64, ports: (u16, u16)) {
        let Some(fragment) = ip.fragment else { return };
        let datagram = key(ip, fragment, vlan, tunnel);
        if let Some((_, before)) = self.ports.insert(datagram, (ports, self.next)) {
            self.order.remove(&before);
        }
        self.order.insert(self.next, datagram);
        self.next += 1;
        if self.ports.len() > MAX_FRAGMENTED
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.ports.remove(&oldest);
        }
    }

    /// The ports of a later fragment; after the last one they are forgotten.
    pub(crate) fn later(
        &mut self,
        ip: &Ip,
        fragment: Fragment,
        vlan: Option<u16>,
        tunnel: u64,
    ) -> Option<(u16, u16)> {
        let datagram = key(ip, fragment, vlan, tunnel);
        if !fragment.last {
            return self.ports.get(&datagram).map(|(ports, _)| *ports);
        }
        let (ports, place) = self.ports.remove(&datagram)?;
        self.order.remove(&place);
        Some(ports)
    }
}

fn key(ip: &Ip, fragment: Fragment, vlan: Option<u16>, tunnel: u64) -> Datagram {
    Datagram { src: ip.src, dst: ip.dst, id: fragment.id, protocol: ip.protocol, vlan, tunnel }
}
