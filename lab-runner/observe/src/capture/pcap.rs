//! The classic pcap format (draft-ietf-opsawg-pcap), both byte orders, micro- and nanoseconds, and the "modified" variant
//! with longer record headers.

use super::format::{Place, Step};
use super::order::Order;
use super::{CaptureError, Interface, MAX_FRAME_BYTES};

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
/// Kuznetzov's patched libpcap of long ago: each record header has 8 more bytes.
const MODIFIED: u32 = 0xa1b2_cd34;

#[derive(Debug)]
pub(super) struct Parser {
    order: Order,
    /// Nanoseconds in one unit of the fraction.
    unit: u64,
    record_header: usize,
    interface: [Interface; 1],
    /// The file's header lies behind.
    begun: bool,
}

impl Parser {
    /// `None` where the magic number is another's.
    pub(super) fn new(head: &[u8]) -> Result<Option<Self>, CaptureError> {
        let known = |magic: u32| matches!(magic, MICROS | NANOS | MODIFIED);
        let (order, magic) = match (Order::Little.u32(head, 0), Order::Big.u32(head, 0)) {
            (Some(magic), _) if known(magic) => (Order::Little, magic),
            (_, Some(magic)) if known(magic) => (Order::Big, magic),
            _ => return Ok(None),
        };
        let (Some(snaplen), Some(link)) = (order.u32(head, 16), order.u32(head, 20)) else {
            return Err(CaptureError::HeaderCut { have: head.len(), need: FILE_HEADER });
        };
        // The upper bits of the link field hold the length of a frame check sequence.
        let link_type = (link & 0xffff) as u16;
        Ok(Some(Self {
            order,
            unit: if magic == NANOS { 1 } else { 1000 },
            record_header: if magic == MODIFIED { 24 } else { RECORD_HEADER },
            interface: [Interface { link_type, name: None, snaplen, drops: None }],
            begun: false,
        }))
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interface
    }

    /// The frame that stands at the start of these bytes, if a whole one does.
    // Always inlined: see `Reader::next_frame`.
    #[inline(always)]
    pub(super) fn frame(&self, shown: &[u8]) -> Option<Place> {
        let [seconds, fraction, caplen, orig_len] = self.record(shown)?;
        let record = self.record_header + caplen as usize;
        (self.begun && caplen <= MAX_FRAME_BYTES && record <= shown.len()).then_some(Place {
            ts_ns: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit,
            orig_len: orig_len.max(caplen),
            link_type: self.interface[0].link_type,
            interface: 0,
            from: self.record_header,
            caplen: caplen as usize,
            record,
        })
    }

    /// The fields of the record header that stands there: seconds, their fraction, bytes captured, bytes on the wire.
    #[inline(always)]
    fn record(&self, shown: &[u8]) -> Option<[u32; 4]> {
        let header: &[u8; RECORD_HEADER] = shown.get(..self.record_header)?.first_chunk()?;
        let field =
            |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        // Told apart once, not for each field.
        Some(self.order.of_machine([field(0), field(4), field(8), field(12)]))
    }

    pub(super) fn step(&mut self, shown: &[u8], whole: bool) -> Step {
        if !self.begun {
            self.begun = true;
            return Step::Skip(FILE_HEADER as u64);
        }
        if let Some(place) = self.frame(shown) {
            return Step::Frame(place);
        }
        let Some([_, _, caplen, _]) = self.record(shown) else {
            return match whole {
                true if shown.is_empty() => Step::End,
                true => Step::Cut("the capture is cut inside of a record header".into()),
                false => Step::More(self.record_header),
            };
        };
        if caplen > MAX_FRAME_BYTES {
            return Step::Cut(format!("the capture is damaged: a record of {caplen} bytes"));
        }
        if !whole {
            return Step::More(self.record_header + caplen as usize);
        }
        let have = shown.len() - self.record_header;
        Step::Cut(format!("the capture is cut: {have} bytes of a frame's {caplen}"))
    }
}
