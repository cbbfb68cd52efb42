//! One step of a format's parser, whatever the bytes come from.
//!
//! A parser is shown the bytes from its place on and says what to do with them; it holds none of them. So the same parser
//! serves bytes in memory and a stream.

use super::{CaptureError, Frame, Interface, Skipped, pcap, pcapng};

/// With so many bytes every format can be told from the others.
pub(super) const HEAD_BYTES: usize = 28;

/// What a parser says about the bytes that it was shown.
#[derive(Debug)]
pub(super) enum Step {
    /// A frame stands here.
    Frame(Place),
    /// So many bytes hold no frame; they may be more than were shown.
    Skip(u64),
    /// Show at least so many bytes.
    More(usize),
    /// The capture ends here, as it should.
    End,
    /// The capture is cut or damaged here.
    Cut(String),
}

/// Where a frame stands in the bytes that were shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) ts_ns: u64,
    pub(super) orig_len: u32,
    pub(super) link_type: u16,
    pub(super) interface: u32,
    /// Where its bytes begin.
    pub(super) from: usize,
    /// How many were captured.
    pub(super) caplen: usize,
    /// How long its whole record is.
    pub(super) record: usize,
}

impl Place {
    /// The frame, out of the same bytes.
    #[inline]
    pub(super) fn frame(self, shown: &[u8]) -> Frame<'_> {
        Frame {
            ts_ns: self.ts_ns,
            data: shown.get(self.from..self.from + self.caplen).unwrap_or(&[]),
            orig_len: self.orig_len,
            link_type: self.link_type,
            interface: self.interface,
        }
    }
}

/// The parser of a capture's format.
#[derive(Debug)]
pub(super) enum Format {
    Pcap(pcap::Parser),
    Pcapng(Box<pcapng::Parser>),
}

impl Format {
    /// Tells the format by the first bytes (at least [`HEAD_BYTES`], or all there are).
    pub(super) fn of(head: &[u8]) -> Result<Self, CaptureError> {
        if head.is_empty() {
            Err(CaptureError::Empty)
        } else if let Some(parser) = pcap::Parser::new(head)? {
            Ok(Self::Pcap(parser))
        } else if let Some(parser) = pcapng::Parser::new(head)? {
            Ok(Self::Pcapng(Box::new(parser)))
        } else {
            let first = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            Err(CaptureError::UnknownMagic { first })
        }
    }

    /// The frame that stands at the parser's place, where that can be told without a step.
    // Always inlined: see `Reader::next_frame`.
    #[inline(always)]
    pub(super) fn frame(&self, shown: &[u8]) -> Option<Place> {
        match self {
            Self::Pcap(parser) => parser.frame(shown),
            Self::Pcapng(_) => None,
        }
    }

    /// Looks at the bytes from the parser's place on; `whole` where nothing comes behind them.
    pub(super) fn step(&mut self, shown: &[u8], whole: bool) -> Step {
        match self {
            Self::Pcap(parser) => parser.step(shown, whole),
            Self::Pcapng(parser) => parser.step(shown, whole),
        }
    }

    pub(super) fn interfaces(&self) -> &[Interface] {
        match self {
            Self::Pcap(parser) => parser.interfaces(),
            Self::Pcapng(parser) => parser.interfaces(),
        }
    }

    /// Packets that the capturing system dropped, over all interfaces; `None` where the file doesn't tell.
    pub(super) fn drops(&self) -> Option<u64> {
        self.interfaces().iter().filter_map(|interface| interface.drops).reduce(u64::saturating_add)
    }

    pub(super) fn skipped(&self) -> Skipped {
        match self {
            Self::Pcap(_) => Skipped::default(),
            Self::Pcapng(parser) => parser.skipped(),
        }
    }
}

/// The words for a skip that goes beyond the capture's end.
pub(super) fn cut_in_skip(have: u64, length: u64) -> String {
    format!("the capture is cut: {have} bytes of a block's {length}")
}
