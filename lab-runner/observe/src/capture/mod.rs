//! Capture files: frames out of a byte slice, without copying them.
//!
//! The format is told by magic number, never by a file's name. A cut or damaged file yields every frame before the damage,
//! and [`Frames::end`] says what is wrong. Nothing here opens a file.

mod pcap;
mod pcapng;

use thiserror::Error;

/// A frame longer than this is taken for damage: no link carries it, and Wireshark refuses it too.
pub const MAX_FRAME_BYTES: u32 = 1 << 20;

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Unix nanoseconds.
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
    /// Packets that were dropped for want of room, as the file's last statistics say.
    pub drops: Option<u64>,
}

/// Why bytes are no capture that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// Nothing there.
    #[error("the capture is empty (0 bytes): was the recording ever started?")]
    Empty,
    /// A packed file.
    #[error("the capture is packed with {0}: unpack it first")]
    Packed(&'static str),
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
}

/// How a capture ended; complete once [`Frames`] has given `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The file is cut or damaged: what is wrong, and at which byte.
    pub cut: Option<String>,
    /// Bytes behind the damage, which were not read.
    pub unread_bytes: u64,
}

/// The frames of a capture, in the order of the file.
#[derive(Debug)]
pub struct Frames<'a> {
    format: Format<'a>,
    end: End,
    finished: bool,
}

#[derive(Debug)]
enum Format<'a> {
    Pcap(pcap::Reader<'a>),
    Pcapng(Box<pcapng::Reader<'a>>),
}

/// What a format's reader says where a frame should be.
enum Next<'a> {
    Frame(Frame<'a>),
    End,
    Cut { at: usize, reason: String },
}

/// Reads a capture by its magic number.
///
/// # Errors
/// Where the bytes are no capture at all. A capture that is damaged further on is no error: see [`Frames::end`].
pub fn frames(bytes: &[u8]) -> Result<Frames<'_>, CaptureError> {
    if bytes.is_empty() {
        return Err(CaptureError::Empty);
    }
    let format = if let Some(reader) = pcap::Reader::new(bytes)? {
        Format::Pcap(reader)
    } else if let Some(reader) = pcapng::Reader::new(bytes)? {
        Format::Pcapng(Box::new(reader))
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(CaptureError::Packed("gzip"));
    } else if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(CaptureError::Packed("zstd"));
    } else {
        let first = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        return Err(CaptureError::UnknownMagic { first });
    };
    Ok(Frames { format, end: End::default(), finished: false })
}

impl<'a> Frames<'a> {
    /// How the capture ended. Only complete after the last frame.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// The interfaces that were described so far.
    pub fn interfaces(&self) -> &[Interface] {
        match &self.format {
            Format::Pcap(reader) => reader.interfaces(),
            Format::Pcapng(reader) => reader.interfaces(),
        }
    }

    /// Packets that the capturing system dropped, over all interfaces; `None` where the file doesn't tell.
    pub fn drops(&self) -> Option<u64> {
        self.interfaces().iter().filter_map(|interface| interface.drops).reduce(u64::saturating_add)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.finished {
            return None;
        }
        let (next, total) = match &mut self.format {
            Format::Pcap(reader) => (reader.next(), reader.total()),
            Format::Pcapng(reader) => (reader.next(), reader.total()),
        };
        match next {
            Next::Frame(frame) => return Some(frame),
            Next::End => {}
            Next::Cut { at, reason } => {
                self.end.cut = Some(format!("{reason} at byte {at}"));
                self.end.unread_bytes = total.saturating_sub(at) as u64;
            }
        }
        self.finished = true;
        None
    }
}

/// The byte order of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(field),
            Self::Big => u16::from_be_bytes(field),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        })
    }

    fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let field = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(field),
            Self::Big => u64::from_be_bytes(field),
        })
    }
}
