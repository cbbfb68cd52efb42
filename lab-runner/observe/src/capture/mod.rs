//! Capture files: frames out of bytes, without copying them.
//!
//! [`frames`] reads a capture that lies in memory, [`Reader`] one that streams by; both use the same parsers, and a frame is
//! lent from where its bytes lie. The format is told by magic number, never by a file's name. A cut or damaged file yields
//! every frame before the damage, and [`End`] says what is wrong. Nothing here opens a file.

mod format;
mod frames;
mod order;
mod packed;
mod pcap;
mod pcapng;
mod reader;
mod window;

use thiserror::Error;

pub use frames::{Frames, frames};
pub use packed::{Packing, Unpacked};
pub use reader::Reader;

/// A frame longer than this is taken for damage: no link carries it, and Wireshark refuses it too.
pub const MAX_FRAME_BYTES: u32 = 1 << 20;

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Unix nanoseconds. A simple packet of pcapng has no time: it gets that of the packet before it.
    pub ts_ns: u64,
    /// The bytes that were captured, from the link header on.
    pub data: &'a [u8],
    /// How many bytes the frame had on the wire.
    pub orig_len: u32,
    /// The link's type, a number of the registry of LINKTYPE_ values (1 is Ethernet).
    pub link_type: u16,
    /// The capture's interface, from 0, through all sections of a pcapng file.
    pub interface: u32,
}

/// An interface of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// LINKTYPE_ value.
    pub link_type: u16,
    /// The name it had where the capture was taken (escaped), where the file tells.
    pub name: Option<String>,
    /// Bytes kept of each frame at most; 0 means all.
    pub snaplen: u32,
    /// Packets that were dropped for want of room, as the file's statistics and packets say.
    pub drops: Option<u64>,
}

/// Why bytes are no capture that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// Nothing there.
    #[error("the capture is empty (0 bytes): was the recording ever started?")]
    Empty,
    /// A packed capture, where the bytes have to lie in memory as they are: [`Reader`] unpacks.
    #[error("the capture is packed with {0}: unpack it first")]
    Packed(Packing),
    /// None of the magic numbers.
    #[error("no capture: the first bytes are {first} where pcap or pcapng has its magic number")]
    UnknownMagic {
        /// The first bytes, in hexadecimal.
        first: String,
    },
    /// The file's own header isn't whole.
    #[error("the capture is cut inside of its file header: {have} bytes of {need}")]
    HeaderCut {
        /// Bytes there are.
        have: usize,
        /// Bytes there should be.
        need: usize,
    },
    /// The source failed before there was a capture's header.
    #[error("the capture can't be read: {0}")]
    Unreadable(String),
}

/// How a capture ended; complete once its reader has given `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The file is cut or damaged: what is wrong, and at which byte (of the unpacked capture).
    pub cut: Option<String>,
    /// Bytes behind the damage, which were not read.
    pub unread_bytes: u64,
}

/// Blocks of a pcapng file that were stepped over though they may hold something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Custom blocks: what they hold is known to their maker.
    pub custom: u64,
    /// Blocks of a type that the format's draft doesn't name.
    pub unknown: u64,
}
