//! When something happened in the order of a capture: in which frame, in which packet of it, and after what else there.
//!
//! Two observers that share a capture out between them give each thing the same moment as one alone would.

/// How many bits tell steps of one packet apart, packets of one frame, and frames; what lies beyond counts as the last of
/// them. No frame has more packets, as [`MAX_FRAME_BYTES`](crate::capture::MAX_FRAME_BYTES) bounds it, and a file of more
/// frames has 500 GB of record headers alone.
const STEP_BITS: u32 = 11;
const PACKET_BITS: u32 = 17;
const FRAME_BITS: u32 = 35;

const LAST_STEP: u64 = (1 << STEP_BITS) - 1;
const LAST_PACKET: u64 = (1 << PACKET_BITS) - 1;
const LAST_FRAME: u64 = (1 << FRAME_BITS) - 1;
/// Behind the last frame of the capture.
const END: u64 = 1 << (STEP_BITS + PACKET_BITS + FRAME_BITS);

/// A moment of a capture; before all others by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// After all others.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// When a packet of a frame is looked at, both numbered; packets from 0.
    #[inline]
    pub(crate) fn of(frame: u64, packet: u64) -> Self {
        Self((frame.min(LAST_FRAME) << PACKET_BITS | packet.min(LAST_PACKET)) << STEP_BITS)
    }

    /// The next one while the same packet is looked at.
    #[inline]
    pub(crate) fn next(self) -> Self {
        if self.0 & LAST_STEP == LAST_STEP { self } else { Self(self.0 + 1) }
    }

    /// When what is left over of this moment is given up, at the capture's end.
    pub(crate) fn at_the_end(self) -> Self {
        Self(self.0 | END)
    }

    /// The moment of which something is left over at the capture's end; any other is itself.
    pub(crate) fn in_the_capture(self) -> Self {
        Self(self.0 & !END)
    }
}
