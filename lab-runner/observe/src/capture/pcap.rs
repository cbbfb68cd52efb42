//! The classic pcap format (draft-ietf-opsawg-pcap), both byte orders, micro- and nanoseconds, and the "modified" variant
//! with longer record headers.

use super::{CaptureError, Frame, Interface, MAX_FRAME_BYTES, Next, Order};

const FILE_HEADER: usize = 24;
const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
/// A patched libpcap of long ago: each record header has 8 more bytes.
const MODIFIED: u32 = 0xa1b2_cd34;

#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    order: Order,
    /// Nanoseconds in one unit of the fraction.
    unit: u64,
    record_header: usize,
    interface: [Interface; 1],
}

impl<'a> Reader<'a> {
    /// `None` where the magic number is another's.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Option<Self>, CaptureError> {
        let known = |magic: u32| matches!(magic, MICROS | NANOS | MODIFIED);
        let (order, magic) = match (Order::Little.u32(bytes, 0), Order::Big.u32(bytes, 0)) {
            (Some(magic), _) if known(magic) => (Order::Little, magic),
            (_, Some(magic)) if known(magic) => (Order::Big, magic),
            _ => return Ok(None),
        };
        let (Some(snaplen), Some(link)) = (order.u32(bytes, 16), order.u32(bytes, 20)) else {
            return Err(CaptureError::HeaderCut { have: bytes.len(), need: FILE_HEADER });
        };
        // The upper bits of the link field hold the length of a frame check sequence.
        let link_type = (link & 0xffff) as u16;
        Ok(Some(Self {
            bytes,
            at: FILE_HEADER,
            order,
            unit: if magic == NANOS { 1 } else { 1000 },
            record_header: if magic == MODIFIED { 24 } else { 16 },
            interface: [Interface { link_type, name: None, snaplen, drops: None }],
        }))
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        &self.interface
    }

    pub(super) fn total(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Next<'a> {
        let at = self.at;
        let rest = &self.bytes[at.min(self.bytes.len())..];
        if rest.is_empty() {
            return Next::End;
        }
        let Some(header) = rest.get(..self.record_header) else {
            return Next::Cut { at, reason: "the capture is cut inside of a record header".into() };
        };
        let field = |offset| self.order.u32(header, offset).unwrap_or(0);
        let (seconds, fraction, caplen, orig_len) = (field(0), field(4), field(8), field(12));
        if caplen > MAX_FRAME_BYTES {
            return Next::Cut { at, reason: format!("the capture is damaged: a record of {caplen} bytes") };
        }
        let Some(data) = rest.get(self.record_header..self.record_header + caplen as usize) else {
            let have = rest.len() - self.record_header;
            return Next::Cut {
                at,
                reason: format!("the capture is cut: {have} bytes of a frame's {caplen}"),
            };
        };
        self.at = at + self.record_header + caplen as usize;
        Next::Frame(Frame {
            ts_ns: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit,
            data,
            orig_len: orig_len.max(caplen),
            link_type: self.interface[0].link_type,
            interface: 0,
        })
    }
}
