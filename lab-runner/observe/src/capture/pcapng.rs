//! The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces, packets, statistics; all other blocks are stepped
//! over, and those that may hold packets of their own are counted.

use super::format::{Place, Step};
use super::order::Order;
use super::{CaptureError, Interface, MAX_FRAME_BYTES, Skipped};
use crate::escape;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;
/// Custom blocks, which may be copied to another file or not.
const CUSTOM: [u32; 2] = [0x0000_0bad, 0x4000_0bad];
const ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// More interfaces than this are taken for damage.
const MAX_INTERFACES: usize = 1 << 16;
/// A block longer than this is not looked into: beside a frame it has room for more comments than anyone writes.
const MAX_BLOCK: usize = MAX_FRAME_BYTES as usize + (1 << 18);

#[derive(Debug)]
pub(super) struct Parser {
    order: Order,
    /// Interfaces of all sections; those of the present one begin at `section_base`.
    interfaces: Vec<Interface>,
    clocks: Vec<Clock>,
    section_base: usize,
    /// A long block was stepped over up to its second length, which must be this.
    second_length: Option<u32>,
    last_ns: u64,
    skipped: Skipped,
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy)]
struct Clock {
    resolution: u8,
    offset_seconds: i64,
}

impl Clock {
    const MICROS: Self = Self { resolution: 6, offset_seconds: 0 };

    #[inline]
    fn nanos(self, ticks: u64) -> u64 {
        // What nearly all files have, without long division.
        if self.offset_seconds == 0 {
            match self.resolution {
                6 => return ticks.saturating_mul(1000),
                9 => return ticks,
                _ => {}
            }
        }
        self.any_nanos(ticks)
    }

    fn any_nanos(self, ticks: u64) -> u64 {
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

impl Parser {
    /// `None` where the magic number is another's.
    pub(super) fn new(head: &[u8]) -> Result<Option<Self>, CaptureError> {
        if Order::Big.u32(head, 0) != Some(SECTION) {
            return Ok(None);
        }
        let Some(order) = section_order(head) else {
            return if head.len() < 28 {
                Err(CaptureError::HeaderCut { have: head.len(), need: 28 })
            } else {
                Ok(None)
            };
        };
        Ok(Some(Self {
            order,
            interfaces: Vec::new(),
            clocks: Vec::new(),
            section_base: 0,
            second_length: None,
            last_ns: 0,
            skipped: Skipped::default(),
        }))
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    pub(super) fn skipped(&self) -> Skipped {
        self.skipped
    }

    pub(super) fn step(&mut self, shown: &[u8], whole: bool) -> Step {
        if let Some(length) = self.second_length {
            return match self.order.u32(shown, 0) {
                Some(second) if second == length => {
                    self.second_length = None;
                    Step::Skip(4)
                }
                Some(_) => lengths_differ(),
                None if whole => Step::Cut("the capture is cut inside of a block".into()),
                None => Step::More(4),
            };
        }
        if shown.len() < 12 {
            return match whole {
                true if shown.is_empty() => Step::End,
                true => Step::Cut("the capture is cut inside of a block header".into()),
                false => Step::More(12),
            };
        }
        let is_section = Order::Big.u32(shown, 0) == Some(SECTION);
        let order = match is_section.then(|| section_order(shown)) {
            None => self.order,
            Some(Some(order)) => order,
            Some(None) => {
                return Step::Cut("the capture is damaged: a section header without its byte order".into());
            }
        };
        let kind = order.u32(shown, 0).unwrap_or(0);
        let length = order.u32(shown, 4).unwrap_or(0);
        if length < 12 {
            return Step::Cut("the capture is damaged: a block shorter than its own header".into());
        }
        // Some writers leave the length unpadded; blocks stay on 4 bytes all the same.
        let padded = (length as usize).next_multiple_of(4);
        if padded > MAX_BLOCK {
            return self.step_over(kind, length, padded);
        }
        if shown.len() < padded {
            return match whole {
                true => Step::Cut(format!("the capture is cut: {} bytes of a block's {length}", shown.len())),
                false => Step::More(padded),
            };
        }
        if order.u32(shown, padded - 4) != Some(length) {
            return lengths_differ();
        }
        self.order = order;
        self.block(kind, &shown[8..padded - 4], padded)
    }

    /// Takes a whole block.
    #[inline]
    fn block(&mut self, kind: u32, body: &[u8], padded: usize) -> Step {
        let place = match kind {
            ENHANCED_PACKET | OLD_PACKET => self.packet(body, kind == OLD_PACKET),
            SIMPLE_PACKET => self.simple(body),
            _ => {
                if let Some(reason) = self.other(kind, body) {
                    return Step::Cut(reason.to_owned());
                }
                return Step::Skip(padded as u64);
            }
        };
        match place {
            Some(place) => {
                self.last_ns = place.ts_ns;
                Step::Frame(Place { from: place.from + 8, record: padded, ..place })
            }
            None => Step::Cut("the capture is damaged: a packet block that makes no sense".into()),
        }
    }

    /// Takes a block that is no packet; answers with what is wrong with it.
    fn other(&mut self, kind: u32, body: &[u8]) -> Option<&'static str> {
        match kind {
            SECTION => {
                // A later major version may mean anything (§4.1).
                if self.order.u16(body, 4) != Some(1) {
                    return Some("the capture goes on in a version of pcapng that is not known");
                }
                self.section_base = self.interfaces.len();
            }
            INTERFACE => {
                if self.interfaces.len() >= MAX_INTERFACES || self.interface(body).is_none() {
                    return Some("the capture is damaged: an interface description that makes no sense");
                }
            }
            STATISTICS => self.statistics(body),
            _ => self.count(kind),
        }
        None
    }

    /// Steps over a block that is too long to be looked into.
    fn step_over(&mut self, kind: u32, length: u32, padded: usize) -> Step {
        if matches!(kind, SECTION | INTERFACE | STATISTICS | ENHANCED_PACKET | OLD_PACKET | SIMPLE_PACKET) {
            return Step::Cut(format!("the capture is damaged: a block of {length} bytes"));
        }
        self.count(kind);
        self.second_length = Some(length);
        Step::Skip(padded as u64 - 4)
    }

    fn count(&mut self, kind: u32) {
        match kind {
            NAMES | JOURNAL | SECRETS => {}
            _ if CUSTOM.contains(&kind) => self.skipped.custom += 1,
            _ => self.skipped.unknown += 1,
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
            let said = interface.unwrap_or(0).saturating_add(system.unwrap_or(0));
            entry.drops = Some(entry.drops.unwrap_or(0).max(said));
        }
    }

    fn packet(&mut self, body: &[u8], old: bool) -> Option<Place> {
        let id = if old { u32::from(self.order.u16(body, 0)?) } else { self.order.u32(body, 0)? };
        let index = self.section_base.checked_add(id as usize)?;
        let interface = self.interfaces.get_mut(index)?;
        let ticks = u64::from(self.order.u32(body, 4)?) << 32 | u64::from(self.order.u32(body, 8)?);
        let caplen = self.order.u32(body, 12)?;
        let orig_len = self.order.u32(body, 16)?;
        if caplen > MAX_FRAME_BYTES || body.len() < 20 + caplen as usize {
            return None;
        }
        // How many packets were lost before this one: a field of the old block, an option of the new.
        let mut lost = match old {
            true => self.order.u16(body, 2).filter(|lost| *lost != u16::MAX).map_or(0, u64::from),
            false => 0,
        };
        let rest = body.get(20 + (caplen as usize).next_multiple_of(4)..).unwrap_or(&[]);
        if !old && !rest.is_empty() {
            options(self.order, rest, |code, value| {
                if code == 4 {
                    lost = self.order.u64(value, 0).unwrap_or(0);
                }
            });
        }
        if lost > 0 {
            interface.drops = Some(interface.drops.unwrap_or(0).saturating_add(lost));
        }
        Some(Place {
            ts_ns: self.clocks.get(index)?.nanos(ticks),
            orig_len: orig_len.max(caplen),
            link_type: interface.link_type,
            interface: u32::try_from(index).ok()?,
            from: 20,
            caplen: caplen as usize,
            record: 0,
        })
    }

    fn simple(&self, body: &[u8]) -> Option<Place> {
        let interface = self.interfaces.get(self.section_base)?;
        let orig_len = self.order.u32(body, 0)?;
        let mut caplen = (orig_len as usize).min(body.len() - 4);
        if interface.snaplen != 0 {
            caplen = caplen.min(interface.snaplen as usize);
        }
        if caplen > MAX_FRAME_BYTES as usize {
            return None;
        }
        Some(Place {
            ts_ns: self.last_ns,
            orig_len,
            link_type: interface.link_type,
            interface: u32::try_from(self.section_base).ok()?,
            from: 4,
            caplen,
            record: 0,
        })
    }
}

fn lengths_differ() -> Step {
    Step::Cut("the capture is damaged: a block's two lengths differ".into())
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
