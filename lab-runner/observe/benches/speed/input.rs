//! The captures that are measured: the corpus of the tests again and again, each time with other addresses.
//!
//! Where the corpus isn't there, conversations that [`crate::made`] makes take its place. Built once, and kept in the
//! folder of the build.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::{address, made};

/// Bytes of the large capture, and of the small one, which is its beginning.
const WHOLE_BYTES: u64 = 700_000_000;
const SMALL_BYTES: u64 = 35_000_000;
/// Goes up when the same sources give another input.
const VERSION: u32 = 1;
/// Ethernet, little-endian, microseconds.
pub(crate) const HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
const RECORD_HEADER: usize = 16;
const START_NS: u64 = 1_700_000_000_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// An Ethernet frame of a source capture.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) ts_ns: u64,
    pub(crate) data: Vec<u8>,
    pub(crate) orig_len: u32,
}

#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) origin: String,
    pub(crate) whole: PathBuf,
    pub(crate) small: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) small_bytes: u64,
    pub(crate) small_frames: u64,
}

impl Input {
    /// Builds the captures in a folder, or takes those that are there.
    pub(crate) fn prepare(folder: &Path) -> Self {
        let corpus = corpus();
        let kind = if corpus.is_some() { "corpus" } else { "made" };
        let whole = folder.join(format!("speed-{kind}-{VERSION}-whole.pcap"));
        let small = folder.join(format!("speed-{kind}-{VERSION}-small.pcap"));
        if !(whole.is_file() && small.is_file()) {
            let captures = corpus.as_deref().map_or_else(made::captures, from_corpus);
            build(&captures, &small, SMALL_BYTES);
            build(&captures, &whole, WHOLE_BYTES);
        }
        let origin = match &corpus {
            Some(folder) => format!("the captures of {}, in copies with other addresses", folder.display()),
            None => "made conversations, for there is no corpus (set LAB_CORPUS)".to_owned(),
        };
        let (bytes, frames) = size(&whole);
        let (small_bytes, small_frames) = size(&small);
        Self { origin, whole, small, bytes, frames, small_bytes, small_frames }
    }
}

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("LAB_CORPUS").map_or(beside, PathBuf::from);
    folder.join("names/pcap").is_dir().then(|| folder.canonicalize().unwrap())
}

/// Reads it all, which warms the cache as well; frames are counted by their record headers alone.
fn size(path: &Path) -> (u64, u64) {
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    let (mut at, mut frames) = (HEADER.len(), 0);
    while let Some(field) = bytes.get(at + 8..at + 12) {
        at += RECORD_HEADER + u32::from_le_bytes(field.try_into().unwrap()) as usize;
        frames += 1;
    }
    assert_eq!(at, bytes.len(), "{} is not whole: remove it", path.display());
    (bytes.len() as u64, frames)
}

fn from_corpus(folder: &Path) -> Vec<Vec<Source>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("names/pcap"))
        .unwrap()
        .chain(
            std::fs::read_dir(folder.join("repeats"))
                .into_iter()
                .flatten()
                .flatten()
                .flat_map(|device| std::fs::read_dir(device.path()).into_iter().flatten()),
        )
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut captures = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(frames) = lab_observe::frames(&bytes) else { continue };
        let frames: Vec<_> = frames.filter_map(ethernet).collect();
        if !frames.is_empty() {
            captures.push(frames);
        }
    }
    captures
}

/// The frame with an Ethernet header; `None` for links that have nothing like it.
fn ethernet(frame: lab_observe::Frame<'_>) -> Option<Source> {
    // What each link has before the packet, and where it says what the packet is.
    let (header, ether_type) = match frame.link_type {
        1 => (0, None),
        0 => (4, None),
        12 | 101 | 228 | 229 => (0, None),
        113 => (16, Some(frame.data.get(14..16)?)),
        _ => return None,
    };
    let packet = frame.data.get(header..)?;
    let mut data = Vec::with_capacity(14 + packet.len());
    if frame.link_type != 1 {
        data.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        let by_version = match packet.first()? >> 4 {
            6 => [0x86, 0xdd],
            _ => [0x08, 0x00],
        };
        data.extend(ether_type.unwrap_or(&by_version));
    }
    data.extend(packet);
    let orig_len = (frame.orig_len as usize + data.len()).checked_sub(frame.data.len())? as u32;
    Some(Source { ts_ns: frame.ts_ns, data, orig_len })
}

/// Writes whole captures one after the other, each copy with addresses of its own and later than the one before.
fn build(captures: &[Vec<Source>], path: &Path, most: u64) {
    let half_made = path.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&half_made).unwrap());
    out.write_all(&HEADER).unwrap();
    let mut written = HEADER.len() as u64;
    let mut clock = START_NS;
    let mut frame = Vec::new();
    'all: for copy in 0..=u8::MAX {
        for capture in captures {
            let begun = capture.iter().map(|source| source.ts_ns).min().unwrap_or_default();
            let mut latest = clock;
            for source in capture {
                if written + (RECORD_HEADER + source.data.len()) as u64 > most {
                    break 'all;
                }
                frame.clear();
                frame.extend(&source.data);
                address::change(&mut frame, copy);
                let ts_ns = clock + (source.ts_ns - begun);
                latest = latest.max(ts_ns);
                let [captured, on_wire] = [frame.len() as u32, source.orig_len].map(u32::to_le_bytes);
                // The format's seconds have 32 bits; damaged captures have times far apart.
                let seconds = (ts_ns / SECOND_NS).min(u64::from(u32::MAX)) as u32;
                let micros = (ts_ns % SECOND_NS / 1000) as u32;
                for field in [seconds.to_le_bytes(), micros.to_le_bytes(), captured, on_wire] {
                    out.write_all(&field).unwrap();
                }
                out.write_all(&frame).unwrap();
                written += (RECORD_HEADER + frame.len()) as u64;
            }
            clock = (latest + SECOND_NS).min(clock + 3600 * SECOND_NS);
        }
    }
    out.into_inner().unwrap();
    std::fs::rename(half_made, path).unwrap();
}
