//! Captures as files and as streams: every format, cut and damaged anywhere, packed, in any pieces.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Read, Write};

use lab_observe::capture::{CaptureError, End, Frame, Interface, Reader, Skipped, frames};
use lab_observe::{Options, observe, observe_from};
use proptest::prelude::*;

/// Integers in a file's byte order.
#[derive(Debug, Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// A classic capture of these frames, a unit of time after each other.
    fn pcap(self, magic: u32, link: u32, datas: &[&[u8]]) -> Vec<u8> {
        let mut file =
            [self.u32(magic), self.u32(0x0004_0002), [0; 4], [0; 4], self.u32(65535), self.u32(link)]
                .concat();
        for (number, data) in (1..).zip(datas) {
            let length = data.len() as u32;
            for field in [1_700_000_000, number, length, length + 4] {
                file.extend(self.u32(field));
            }
            file.extend(if magic == 0xa1b2_cd34 { &[9; 8][..] } else { &[] });
            file.extend(*data);
        }
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(12 + body.len() as u32);
        [&self.u32(kind)[..], &length, &body, &length].concat()
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = [&self.u16(code)[..], &self.u16(value.len() as u16), value].concat();
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    fn section(self) -> Vec<u8> {
        let version = [self.u16(1), self.u16(0)].concat();
        self.block(0x0a0d_0d0a, &[&self.u32(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat())
    }

    fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &[0; 2], &self.u32(snaplen), options].concat())
    }

    fn enhanced(self, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for field in [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, data.len() as u32] {
            body.extend(self.u32(field));
        }
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(options);
        self.block(6, &body)
    }
}

/// All that a reader tells.
#[derive(Debug, PartialEq)]
struct Told {
    frames: Vec<(u64, Vec<u8>, u32, u16, u32)>,
    end: End,
    interfaces: Vec<Interface>,
    drops: Option<u64>,
    skipped: Skipped,
}

fn owned(frame: Frame<'_>) -> (u64, Vec<u8>, u32, u16, u32) {
    (frame.ts_ns, frame.data.to_vec(), frame.orig_len, frame.link_type, frame.interface)
}

fn in_memory(bytes: &[u8]) -> Result<Told, CaptureError> {
    let mut all = frames(bytes)?;
    let read = all.by_ref().map(owned).collect();
    let (end, interfaces) = (all.end().clone(), all.interfaces().to_vec());
    Ok(Told { frames: read, end, interfaces, drops: all.drops(), skipped: all.skipped() })
}

fn streamed(read: impl Read) -> Result<Told, CaptureError> {
    let mut reader = Reader::new(read)?;
    let mut read = Vec::new();
    while let Some(frame) = reader.next_frame() {
        read.push(owned(frame));
    }
    let (end, interfaces) = (reader.end().clone(), reader.interfaces().to_vec());
    Ok(Told { frames: read, end, interfaces, drops: reader.drops(), skipped: reader.skipped() })
}

/// Gives pieces of these sizes, over and over, and is interrupted in between.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: &'a [usize],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let size = self.sizes[self.turn % self.sizes.len()];
        if size == 0 && self.turn.is_multiple_of(2) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = size.max(1).min(out.len());
        self.bytes.read(&mut out[..length])
    }
}

fn in_pieces(bytes: &[u8], sizes: &[usize]) -> Result<Told, CaptureError> {
    streamed(Pieces { bytes, sizes, turn: 0 })
}

#[test]
fn classic_captures_of_both_orders_all_units_and_the_modified_form_are_read() {
    for order in [Order::Little, Order::Big] {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1000)] {
            // The link's upper bits tell of a frame check sequence.
            let told = in_memory(&order.pcap(magic, 0x1400_0071, &[b"first", b"", b"third"])).unwrap();
            let at = |number: u64| 1_700_000_000_000_000_000 + number * unit;
            let expected = [
                (at(1), b"first".to_vec(), 9, 113, 0),
                (at(2), Vec::new(), 4, 113, 0),
                (at(3), b"third".to_vec(), 9, 113, 0),
            ];
            assert_eq!((told.frames, told.end), (expected.to_vec(), End::default()), "{order:?} {magic:x}");
        }
    }
}

#[test]
fn sections_of_both_orders_have_interfaces_clocks_and_packets_of_their_own() {
    let (le, be) = (Order::Little, Order::Big);
    let resolution = |order: Order, value: u8| order.option(9, &[value]);
    let mut shifted = be.option(9, &[0x80 | 10]);
    shifted.extend(be.option(14, &be.u64(1_000)));
    let file = [
        le.section(),
        le.interface(1, 0, &le.option(2, b"eth\x1b0")),
        le.interface(101, 3, &resolution(le, 9)),
        le.enhanced(1, 77, b"nano", &le.option(1, b"a comment")),
        le.enhanced(0, 5, b"micro", &le.option(4, &le.u64(3))),
        // A simple packet is of the section's first interface, and has no time.
        le.block(3, &[&le.u32(900)[..], b"simple"].concat()),
        // Names, secrets, a custom block, one of an unknown type.
        le.block(4, b"names"),
        le.block(10, b"secrets"),
        le.block(0xbad, b"custom"),
        le.block(0x7777, b"?"),
        be.section(),
        be.interface(276, 2, &shifted),
        be.enhanced(0, 1024 + 512, b"binary", &[]),
        // Cut by the interface's snaplen.
        be.block(3, &[&be.u32(6)[..], b"simple"].concat()),
        // An old packet: its interface in two bytes, then packets lost.
        be.block(2, &[&be.u16(0)[..], &be.u16(2), &[0; 8], &be.u32(3), &be.u32(60), b"old"].concat()),
        be.block(5, &[&[0; 12][..], &be.option(5, &be.u64(7))].concat()),
    ]
    .concat();
    let told = in_memory(&file).unwrap();
    let s = 1_000_000_000;
    let expected = [
        (77, b"nano".to_vec(), 4, 101, 1),
        (5_000, b"micro".to_vec(), 5, 1, 0),
        (5_000, b"simple\0\0".to_vec(), 900, 1, 0),
        (1_001 * s + s / 2, b"binary".to_vec(), 6, 276, 2),
        (1_001 * s + s / 2, b"si".to_vec(), 6, 276, 2),
        (1_000 * s, b"old".to_vec(), 60, 276, 2),
    ];
    assert_eq!(told.frames, expected);
    assert_eq!((told.end, told.drops), (End::default(), Some(10)));
    assert_eq!(told.skipped, Skipped { custom: 1, unknown: 1 });
    assert_eq!(told.interfaces[0].name.as_deref(), Some("eth\\x1b0"));
}

/// A frame, a custom block of several megabytes, and another frame.
fn long_block() -> Vec<u8> {
    let le = Order::Little;
    let long = le.block(0xbad, &vec![7; 3_000_001]);
    [le.section(), le.interface(1, 0, &[]), le.enhanced(0, 1, b"a", &[]), long, le.enhanced(0, 2, b"b", &[])]
        .concat()
}

#[test]
fn a_block_longer_than_any_packet_is_stepped_over_but_a_packet_of_that_size_is_damage() {
    let file = long_block();
    let told = streamed(&file[..]).unwrap();
    assert_eq!((told.frames.len(), &told.end), (2, &End::default()));
    assert_eq!(told, in_memory(&file).unwrap());
    // Its second length counts as much as a short block's.
    let mut other = file.clone();
    let at = file.len() - 36 - 4;
    other[at] ^= 4;
    let cut = streamed(&other[..]).unwrap();
    assert_eq!((cut.frames.len(), cut.end.unread_bytes), (1, 40));
    assert!(cut.end.cut.as_ref().unwrap().contains("two lengths differ"), "{cut:?}");
    let mut packet = file;
    let at = packet.windows(4).position(|bytes| bytes == [0xad, 0x0b, 0, 0]).unwrap();
    packet[at..at + 4].copy_from_slice(&Order::Little.u32(6));
    let reason = streamed(&packet[..]).unwrap().end.cut.unwrap();
    assert!(reason.contains("damaged: a block of 3000016 bytes"), "{reason}");
}

#[test]
fn a_capture_cut_anywhere_gives_the_frames_before_and_says_so() {
    let le = Order::Little;
    let classic = le.pcap(0xa1b2_c3d4, 1, &[b"first", b"second"]);
    let enhanced = [le.enhanced(0, 1, b"first", &[]), le.enhanced(0, 2, b"second", &[])].concat();
    let blocks = [le.section(), le.interface(1, 0, &[]), enhanced].concat();
    for (file, head, ends) in [(&classic, 24, [24, 45, 67]), (&blocks, 28, [48, 88, 128])] {
        assert_eq!(file.len(), ends[2]);
        for length in 1..file.len() {
            let cut = &file[..length];
            let told = match streamed(cut) {
                Ok(told) => told,
                Err(error) => {
                    assert!(length < head, "{error} at {length}");
                    continue;
                }
            };
            let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
            assert_eq!(told.frames.len(), whole, "{length}");
            let at_the_end_of_one = ends.contains(&length) || (head == 28 && length == 28);
            assert_eq!(told.end.cut.is_none(), at_the_end_of_one, "{length}: {:?}", told.end);
            assert_eq!(told, in_memory(cut).unwrap());
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Frames that don't pack well, so that a cut file still has many.
fn many() -> Vec<u8> {
    let mut state = 1u32;
    let datas: Vec<Vec<u8>> = (0..2_000)
        .map(|_| {
            (0..300)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 28) as u8
                })
                .collect()
        })
        .collect();
    Order::Little.pcap(0xa1b2_c3d4, 1, &datas.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn packed_captures_are_unpacked_member_after_member() {
    let file = many();
    let plain = in_memory(&file).unwrap();
    let (front, back) = file.split_at(100_001);
    let note = [&0x184d_2a53_u32.to_le_bytes()[..], &5u32.to_le_bytes(), b"notes"].concat();
    // A failure shows which, and not all bytes.
    let same = |told: Result<Told, CaptureError>| assert!(told.unwrap() == plain);
    same(streamed(&gzip(&file)[..]));
    same(streamed(&[gzip(front), gzip(back)].concat()[..]));
    same(streamed(&zstd(&file)[..]));
    same(streamed(&[note, zstd(front), zstd(back)].concat()[..]));
    same(in_pieces(&gzip(&file), &[1, 0, 7, 4096]));
    same(in_pieces(&zstd(&file), &[1, 0, 7, 4096]));
    assert!(matches!(in_memory(&gzip(&file)), Err(CaptureError::Packed(_))));
    assert_eq!(
        observe(&gzip(&file), Options::default()).unwrap(),
        observe_from(&file[..], Options::default()).unwrap()
    );
}

#[test]
fn a_cut_or_damaged_packed_capture_is_read_as_far_as_it_goes() {
    let file = many();
    for (word, packed) in [("gzip", gzip(&file)), ("zstd", zstd(&file))] {
        let half = streamed(&packed[..packed.len() / 2]).unwrap();
        assert!(half.frames.len() > 700, "{word}: {}", half.frames.len());
        let reason = half.end.cut.unwrap();
        assert!(reason.contains(&format!("the {word} stream is cut")), "{reason}");
        let mut damaged = packed.clone();
        let middle = packed.len() / 2;
        damaged[middle..middle + 64].fill(0xff);
        let told = streamed(&damaged[..]).unwrap();
        assert!(told.end.cut.is_some(), "{word}");
        // A changed checksum is damage, too: both have one at the end.
        let mut damaged = packed.clone();
        let at = packed.len() - if word == "gzip" { 5 } else { 1 };
        damaged[at] ^= 1;
        assert!(streamed(&damaged[..]).unwrap().end.cut.is_some(), "{word}");
        let behind = streamed(&[&packed[..], b"something else"].concat()[..]).unwrap();
        assert_eq!(behind.frames.len(), 2_000);
        let reason = behind.end.cut.unwrap();
        assert!(reason.contains(&format!("the {word} stream is damaged")), "{reason}");
    }
}

#[test]
fn a_source_that_fails_is_read_as_far_as_it_goes() {
    struct Fails<'a>(&'a [u8]);
    impl Read for Fails<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("the disk is gone")),
                read => Ok(read),
            }
        }
    }
    let file = Order::Little.pcap(0xa1b2_c3d4, 1, &[b"first", b"second"]);
    let told = streamed(Fails(&file[..60])).unwrap();
    assert_eq!((told.frames.len(), told.end.unread_bytes), (1, 15));
    assert_eq!(told.end.cut.unwrap(), "the capture can't be read on: the disk is gone at byte 45");
    assert!(streamed(Fails(&file)).unwrap().end.cut.is_some());
    let error = streamed(Fails(&file[..20])).unwrap_err();
    assert_eq!(error.to_string(), "the capture can't be read: the disk is gone");
}

/// Without end: a capture's head, and then one record again and again.
struct Endless {
    head: Vec<u8>,
    record: Vec<u8>,
    at: usize,
    left: u64,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let source = if self.head.is_empty() { &self.record[self.at..] } else { &self.head[..] };
        let length = source.len().min(out.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        out[..length].copy_from_slice(&source[..length]);
        self.left -= length as u64;
        if self.head.is_empty() {
            self.at = (self.at + length) % self.record.len();
        } else {
            self.head.drain(..length);
        }
        Ok(length)
    }
}

#[test]
fn a_long_stream_passes_through_one_buffer() {
    let head = Order::Little.pcap(0xa1b2_c3d4, 1, &[]);
    let record = Order::Little.pcap(0xa1b2_c3d4, 1, &[&[3; 1500]])[24..].to_vec();
    let count = 20_000_u64;
    let left = head.len() as u64 + count * record.len() as u64;
    let mut reader = Reader::new(Endless { head, record, at: 0, left }).unwrap();
    let (mut seen, mut places) = (0, std::collections::BTreeSet::new());
    while let Some(frame) = reader.next_frame() {
        seen += 1;
        places.insert(frame.data.as_ptr() as usize >> 20);
    }
    assert_eq!((seen, reader.end()), (count, &End::default()));
    // 30 MB went by; the frames lay in one place of less than a megabyte.
    assert!(places.len() <= 2, "{places:?}");
}

#[test]
fn records_longer_than_what_is_read_at_once_stay_whole_among_short_ones() {
    let record = |size: usize| vec![size as u8; size];
    let records = [60, 1 << 20, 60, 90_000, 400_000, 1 << 20, 1 << 20, 70_000, 60].map(record);
    let bytes = Order::Big.pcap(0xa1b2_c3d4, 1, &records.each_ref().map(Vec::as_slice));
    let whole = in_memory(&bytes).unwrap();
    assert_eq!(whole.frames.len(), records.len());
    for sizes in [&[4_096][..], &[65_536, 1], &[1 << 20, 0, 77_777]] {
        assert_eq!(in_pieces(&bytes, sizes).unwrap(), whole, "{sizes:?}");
        assert_eq!(in_pieces(&bytes[..bytes.len() - 61], sizes), in_memory(&bytes[..bytes.len() - 61]));
    }
}

/// Captures with a little of everything, and bytes changed here and there.
fn captures() -> impl Strategy<Value = Vec<u8>> {
    let (le, be) = (Order::Little, Order::Big);
    let data = prop::collection::vec(any::<u8>(), 0..600);
    let classic = (prop::collection::vec(data.clone(), 0..20), 0..6usize).prop_map(move |(datas, form)| {
        let datas: Vec<_> = datas.iter().map(Vec::as_slice).collect();
        let magic = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34][form / 2];
        if form % 2 == 0 { le.pcap(magic, 1, &datas) } else { be.pcap(magic, 1, &datas) }
    });
    let block = (0..9u8, data).prop_map(move |(kind, data)| match kind {
        0 => be.section(),
        1 => le.section(),
        2 => le.interface(1, 64, &le.option(2, b"eth0")),
        3 => be.interface(101, 0, &be.option(9, &[9])),
        4 => be.enhanced(0, 7, &data, &be.option(1, b"comment")),
        5 => le.block(3, &[&le.u32(data.len() as u32)[..], &data].concat()),
        6 => le.block(5, &[&[0; 12][..], &le.option(5, &le.u64(7))].concat()),
        7 => le.block(0xbad, &data),
        _ => le.enhanced(0, 7, &data, &[]),
    });
    let blocks = prop::collection::vec(block, 0..20)
        .prop_map(move |blocks| [le.section(), le.interface(1, 0, &[]), blocks.concat()].concat());
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop_oneof![classic, blocks], changes).prop_map(|(mut file, changes)| {
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_stream_in_any_pieces_tells_the_same_as_bytes_in_memory(
        file in captures(),
        sizes in prop::collection::vec(0..700usize, 1..6),
    ) {
        // What looks packed after a change is another matter.
        if let Ok(told) = in_memory(&file) {
            prop_assert_eq!(&in_pieces(&file, &sizes).unwrap(), &told);
            prop_assert_eq!(&streamed(&file[..]).unwrap(), &told);
            prop_assert_eq!(streamed(&gzip(&file)[..]).unwrap(), told);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic_or_go_on_without_end(
        magic in prop::sample::select(vec![
            &[0xd4, 0xc3, 0xb2, 0xa1][..], &[0xa1, 0xb2, 0xcd, 0x34], &[0x0a, 0x0d, 0x0d, 0x0a],
            &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd], &[0x50, 0x2a, 0x4d, 0x18], &[],
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let file = [magic, &rest].concat();
        let _ = streamed(&file[..]);
        let _ = in_memory(&file);
    }
}
