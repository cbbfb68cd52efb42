//! What makes packets one flow, packed so that it is cheap to hash and to compare.

use std::hash::{BuildHasher, Hasher as _};

use crate::hash::Hasher;
use crate::ip::Addr;
use crate::record::L4;

/// No VLAN tag: ids have 12 bits.
const NO_VLAN: u16 = u16::MAX;

/// Both ends, the smaller one first, and all that tells flows between them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    low: u128,
    high: u128,
    low_port: u16,
    high_port: u16,
    /// The number of the flow that carries this one, 0 for none.
    tunnel: u32,
    vlan: u16,
    protocol: u8,
    v6: bool,
}

impl Key {
    /// No packet's: its smaller end is the larger one.
    pub(crate) const NONE: Self = Self {
        low: u128::MAX,
        high: 0,
        low_port: 0,
        high_port: 0,
        tunnel: 0,
        vlan: 0,
        protocol: 0,
        v6: false,
    };

    /// The key, and whether the packet goes from its smaller end to the other.
    #[inline]
    pub(crate) fn new(
        src: (Addr, u16),
        dst: (Addr, u16),
        protocol: u8,
        vlan: Option<u16>,
        tunnel: u64,
    ) -> (Self, bool) {
        let forward = (src.0.bits, src.1) <= (dst.0.bits, dst.1);
        let (low, high) = if forward { (src, dst) } else { (dst, src) };
        let key = Self {
            low: low.0.bits,
            high: high.0.bits,
            low_port: low.1,
            high_port: high.1,
            // No more flows are kept than that.
            tunnel: tunnel as u32,
            vlan: vlan.unwrap_or(NO_VLAN),
            protocol,
            v6: src.0.v6,
        };
        (key, forward)
    }

    /// The smaller end, and the other.
    pub(crate) fn ends(&self) -> [(Addr, u16); 2] {
        let end = |bits, port| (Addr { bits, v6: self.v6 }, port);
        [end(self.low, self.low_port), end(self.high, self.high_port)]
    }

    /// The smaller end's port, and the other's.
    #[inline]
    pub(crate) fn ports(&self) -> [u16; 2] {
        [self.low_port, self.high_port]
    }

    #[inline]
    pub(crate) fn l4(&self) -> L4 {
        L4::from_ip_protocol(self.protocol)
    }

    pub(crate) fn vlan(&self) -> Option<u16> {
        Some(self.vlan).filter(|vlan| *vlan != NO_VLAN)
    }

    /// The number of the flow that carries this one.
    pub(crate) fn tunnel(&self) -> Option<u64> {
        Some(u64::from(self.tunnel)).filter(|tunnel| *tunnel != 0)
    }

    #[inline]
    pub(crate) fn hash(&self, state: &Hasher) -> u64 {
        let mut hasher = state.build_hasher();
        if self.v6 {
            hasher.write_u128(self.low);
            hasher.write_u128(self.high);
        } else {
            hasher.write_u64((self.low as u64) << 32 | self.high as u64);
        }
        let ports = u64::from(self.low_port) << 16 | u64::from(self.high_port);
        let rest = u64::from(self.tunnel) << 32
            | u64::from(self.vlan) << 16
            | u64::from(self.protocol) << 8
            | u64::from(self.v6);
        hasher.write_u64(rest ^ ports << 32);
        hasher.finish()
    }
}
