//! Packed captures: gzip (RFC 1952) and zstd (RFC 8878), told by magic number, unpacked as they are read.
//!
//! Several members or frames behind each other are one capture. What a cut stream still gives is given before the error.
//! Memory is bounded by the format's window, whatever the packed bytes claim to hold.

use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Packed bytes that are read at once.
const PACKED_BYTES: usize = 64 * 1024;
/// zstd's own level 19 needs 8 MiB; `--ultra` and `--long=26` no more than this.
const MAX_WINDOW_BYTES: u64 = 64 << 20;
const ZSTD_MAGIC: u32 = 0xfd2f_b528;
/// RFC 8878 §3.1.2: 16 magic numbers of frames that hold no content.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;
/// An empty raw block that is the frame's last (RFC 8878 §3.1.1.2), and a checksum, should one be due.
const ZSTD_LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// How a capture is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// Told by the first bytes; `None` where they are none of these.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

type Headed<R> = Chain<Cursor<Vec<u8>>, Steady<R>>;

/// Reads bytes, unpacked where they are packed.
pub struct Unpacked<R: Read>(Source<R>);

enum Source<R: Read> {
    Plain(Headed<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Headed<R>>>>),
    Zstd(Box<Zstd<BufReader<Headed<R>>>>),
}

impl<R: Read> Unpacked<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// Where they can't be read.
    pub fn new(mut read: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        read.by_ref().take(4).read_to_end(&mut head)?;
        let packing = Packing::of(&head);
        let headed = Cursor::new(head).chain(Steady(read));
        Ok(Self(match packing {
            None => Source::Plain(headed),
            Some(Packing::Gzip) => {
                let packed = BufReader::with_capacity(PACKED_BYTES, headed);
                Source::Gzip(Box::new(MultiGzDecoder::new(packed)))
            }
            Some(Packing::Zstd) => {
                Source::Zstd(Box::new(Zstd::new(BufReader::with_capacity(PACKED_BYTES, headed))))
            }
        }))
    }

    /// How the bytes are packed.
    pub fn packing(&self) -> Option<Packing> {
        match self.0 {
            Source::Plain(_) => None,
            Source::Gzip(_) => Some(Packing::Gzip),
            Source::Zstd(_) => Some(Packing::Zstd),
        }
    }
}

impl<R: Read> fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unpacked").field(&self.packing()).finish()
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Plain(source) => source.read(out),
            Source::Gzip(source) => source.read(out).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => cut(Packing::Gzip),
                ErrorKind::InvalidData | ErrorKind::InvalidInput => damaged(Packing::Gzip, &error),
                _ => error,
            }),
            Source::Zstd(source) => source.read(out),
        }
    }
}

/// Reads again where a signal interrupted it: a decoder may not take up again in the middle of a header.
struct Steady<R>(R);

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(out) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

fn cut(packing: Packing) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, format!("the {packing} stream is cut"))
}

fn damaged(packing: Packing, reason: &impl fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the {packing} stream is damaged: {reason}"))
}

/// Reads zstd frames behind each other as one stream.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    /// A frame's last block was decoded, its checksum not yet compared.
    unverified: bool,
    ended: bool,
    /// Told once what was decoded before it is given.
    error: Option<io::Error>,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW_BYTES);
        Self { source, decoder, in_frame: false, unverified: false, ended: false, error: None }
    }

    /// Begins the next frame; false at the stream's end.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut magic = [0; 4];
            match self.source.by_ref().take(4).read(&mut magic[..1])? {
                0 => return Ok(false),
                _ => self.exact(&mut magic[1..])?,
            }
            match u32::from_le_bytes(magic) {
                ZSTD_MAGIC => {
                    let frame = magic.chain(&mut self.source);
                    if let Err(error) = self.decoder.reset(frame) {
                        return Err(self.wrong(&error));
                    }
                    return Ok(true);
                }
                skippable if skippable & !15 == ZSTD_SKIPPABLE => {
                    let mut length = [0; 4];
                    self.exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(cut(Packing::Zstd));
                    }
                }
                _ => return Err(damaged(Packing::Zstd, &"no frame where one should begin")),
            }
        }
    }

    fn exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        self.source.read_exact(out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => cut(Packing::Zstd),
            _ => error,
        })
    }

    /// Decodes a block. What goes wrong is told later: first comes what was decoded before.
    fn block(&mut self) {
        match self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1)) {
            Ok(false) => {}
            Ok(true) => {
                self.in_frame = false;
                self.unverified = true;
            }
            Err(error) => {
                self.in_frame = false;
                self.error = Some(self.wrong(&error));
                // The decoder keeps a window of what it decoded for the next block. Told that there is none, it gives it.
                let _ = self.decoder.decode_blocks(ZSTD_LAST_BLOCK, BlockDecodingStrategy::UptoBlocks(1));
            }
        }
    }

    /// Compares a frame's checksum with that of the bytes that were given; it is complete once all were.
    fn verify(&mut self) {
        self.unverified = false;
        let stated = self.decoder.get_checksum_from_data();
        if stated.is_some() && stated != self.decoder.get_calculated_checksum() {
            self.error = Some(damaged(Packing::Zstd, &"its checksum is another"));
        }
    }

    fn wrong(&mut self, error: &impl fmt::Display) -> io::Error {
        match self.source.fill_buf() {
            Ok([]) => cut(Packing::Zstd),
            Ok(_) => damaged(Packing::Zstd, error),
            Err(error) => error,
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let decoded = if self.ended { 0 } else { self.decoder.read(out)? };
            if decoded > 0 || self.ended {
                return Ok(decoded);
            }
            if self.unverified {
                self.verify();
            }
            if let Some(error) = self.error.take() {
                self.ended = true;
                return Err(error);
            }
            if self.in_frame {
                self.block();
                continue;
            }
            match self.begin() {
                Ok(begun) => {
                    self.in_frame = begun;
                    self.ended = !begun;
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
    }
}
