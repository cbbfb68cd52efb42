//! The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces, packets, statistics; all other blocks are stepped
//! over.

use super::{CaptureError, Frame, Interface, MAX_FRAME_BYTES, Next, Order};
use crate::escape;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// More interfaces than this are taken for damage.
const MAX_INTERFACES: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
    /// Interfaces of all sections; those of the present one begin at `section_base`.
    interfaces: Vec<Interface>,
    clocks: Vec<Clock>,
    section_base: usize,
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    resolution: u8,
    offset_seconds: i64,
}

impl Clock {
    const MICROS: Self = Self { resolution: 6, offset_seconds: 0 };

    fn nanos(self, ticks: u64) -> u64 {
        let power = u32::from(self.resolution & 0x7f);
        let nanos = if self.resolution & 0x80 != 0 {
            // A negative power of two.
            if power >= 64 { 0 } else { (u128::from(ticks) * 1_000_000_000) >> power }
        } else {
            match power {
                0..=9 => u128::from(ticks) * 10u128.pow(9 - power),
                10..=38 => u128::from(ticks) / 10u128.pow(power - 9),
                _ => 0,
            }
        };
        let shifted = i128::try_from(nanos)
            .unwrap_or(i128::MAX)
            .saturating_add(i128::from(self.offset_seconds) * 1_000_000_000);
        u64::try_from(shifted.max(0)).unwrap_or(u64::MAX)
    }
}

impl<'a> Reader<'a> {
    /// `None` where the magic number is another's.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Option<Self>, CaptureError> {
        if Order::Big.u32(bytes, 0) != Some(SECTION) {
            return Ok(None);
        }
        let Some(order) = section_order(bytes) else {
            return if bytes.len() < 28 {
                Err(CaptureError::HeaderCut { have: bytes.len(), need: 28 })
            } else {
                Ok(None)
            };
        };
        Ok(Some(Self { bytes, at: 0, order, interfaces: Vec::new(), clocks: Vec::new(), section_base: 0 }))
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    pub(super) fn total(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn next(&mut self) -> Next<'a> {
        loop {
            let at = self.at;
            let cut = |reason: &str| Next::Cut { at, reason: reason.to_owned() };
            let rest = &self.bytes[at.min(self.bytes.len())..];
            if rest.is_empty() {
                return Next::End;
            }
            if Order::Big.u32(rest, 0) == Some(SECTION) {
                let Some(order) = section_order(rest) else {
                    return cut("the capture is damaged: a section header without its byte order");
                };
                self.order = order;
                self.section_base = self.interfaces.len();
            }
            let (Some(kind), Some(length)) = (self.order.u32(rest, 0), self.order.u32(rest, 4)) else {
                return cut("the capture is cut inside of a block header");
            };
            let length = length as usize;
            if length < 12 {
                return cut("the capture is damaged: a block shorter than its own header");
            }
            // Some writers leave the length unpadded; blocks stay on 4 bytes all the same.
            let padded = length.next_multiple_of(4);
            if padded > rest.len() {
                return Next::Cut {
                    at,
                    reason: format!("the capture is cut: {} bytes of a block's {length}", rest.len()),
                };
            }
            let body = &rest[8..padded - 4];
            if self.order.u32(rest, padded - 4) != Some(length as u32) {
                return cut("the capture is damaged: a block's two lengths differ");
            }
            self.at = at + padded;
            let frame = match kind {
                INTERFACE => {
                    if self.interfaces.len() >= MAX_INTERFACES || self.interface(body).is_none() {
                        return cut("the capture is damaged: an interface description that makes no sense");
                    }
                    continue;
                }
                STATISTICS => {
                    self.statistics(body);
                    continue;
                }
                ENHANCED_PACKET | OLD_PACKET => self.packet(body, kind == OLD_PACKET),
                SIMPLE_PACKET => self.simple(body),
                _ => continue,
            };
            return match frame {
                Some(frame) => Next::Frame(frame),
                None => cut("the capture is damaged: a packet block that makes no sense"),
            };
        }
    }

    fn interface(&mut self, body: &[u8]) -> Option<()> {
        let link_type = self.order.u16(body, 0)?;
        let snaplen = self.order.u32(body, 4)?;
        let mut clock = Clock::MICROS;
        let mut name = None;
        options(self.order, body.get(8..)?, |code, value| match code {
            2 => name = Some(escape::text(value, 64)),
            9 => clock.resolution = value.first().copied().unwrap_or(6),
            14 => clock.offset_seconds = self.order.u64(value, 0).unwrap_or(0) as i64,
            _ => {}
        });
        self.interfaces.push(Interface { link_type, name, snaplen, drops: None });
        self.clocks.push(clock);
        Some(())
    }

    fn statistics(&mut self, body: &[u8]) {
        let Some(id) = self.order.u32(body, 0) else { return };
        let (mut interface, mut system) = (None, None);
        options(self.order, body.get(12..).unwrap_or(&[]), |code, value| match code {
            5 => interface = self.order.u64(value, 0),
            7 => system = self.order.u64(value, 0),
            _ => {}
        });
        // The counters are running totals, so the last block of an interface has them all.
        if let Some(entry) = self.interfaces.get_mut(self.section_base.saturating_add(id as usize))
            && (interface.is_some() || system.is_some())
        {
            entry.drops = Some(interface.unwrap_or(0).saturating_add(system.unwrap_or(0)));
        }
    }

    fn packet(&self, body: &'a [u8], old: bool) -> Option<Frame<'a>> {
        let id = if old { u32::from(self.order.u16(body, 0)?) } else { self.order.u32(body, 0)? };
        let index = self.section_base.checked_add(id as usize)?;
        let interface = self.interfaces.get(index)?;
        let ticks = u64::from(self.order.u32(body, 4)?) << 32 | u64::from(self.order.u32(body, 8)?);
        let caplen = self.order.u32(body, 12)?;
        let orig_len = self.order.u32(body, 16)?;
        if caplen > MAX_FRAME_BYTES {
            return None;
        }
        Some(Frame {
            ts_ns: self.clocks.get(index)?.nanos(ticks),
            data: body.get(20..20 + caplen as usize)?,
            orig_len: orig_len.max(caplen),
            link_type: interface.link_type,
            interface: u32::try_from(index).ok()?,
        })
    }

    fn simple(&self, body: &'a [u8]) -> Option<Frame<'a>> {
        let interface = self.interfaces.get(self.section_base)?;
        let orig_len = self.order.u32(body, 0)?;
        let mut caplen = (orig_len as usize).min(body.len() - 4);
        if interface.snaplen != 0 {
            caplen = caplen.min(interface.snaplen as usize);
        }
        Some(Frame {
            ts_ns: 0,
            data: body.get(4..4 + caplen)?,
            orig_len,
            link_type: interface.link_type,
            interface: u32::try_from(self.section_base).ok()?,
        })
    }
}

fn section_order(bytes: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big].into_iter().find(|order| order.u32(bytes, 8) == Some(ORDER_MAGIC))
}

/// Calls `each` with the code and the value of every option.
fn options(order: Order, mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) {
    while let (Some(code), Some(length)) = (order.u16(bytes, 0), order.u16(bytes, 2)) {
        let length = usize::from(length);
        let Some(value) = bytes.get(4..4 + length) else { return };
        if code == 0 {
            return;
        }
        each(code, value);
        bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
    }
}
