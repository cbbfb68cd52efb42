//! Bytes that mean harm: nothing panics, nothing takes long, and cut frames tell what whole ones told.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{Frame, Halves, Observer, Options};
use packets::{Wire, client_hello, dns_answer, dns_query};
use proptest::prelude::*;

const LINK_TYPES: &[u16] = &[0, 1, 9, 12, 101, 104, 108, 113, 228, 276, 105];

fn conversation() -> Wire {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", "203.0.113.53:53", &dns_query(7, "api.example"));
    wire.udp(
        "203.0.113.53:53",
        "192.0.2.10:50000",
        &dns_answer(7, "api.example", &["a.example", "b.example"], "198.51.100.20"),
    );
    wire.tcp_opens("192.0.2.10:40000", "198.51.100.20:443", &[&client_hello(Some("api.example"), &["h2"])]);
    let (request, rest) = b"GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n".split_at(20);
    wire.tcp_opens("192.0.2.10:40001", "198.51.100.20:80", &[request, rest]);
    wire.ip("2001:db8:1::10", "ff02::1", 58, 255, &[135, 0, 0, 0]);
    wire.ip("2001:db8:1::10", "2001:db8:1::1", 58, 255, &[&[135, 0, 0, 0][..], &[0; 28]].concat());
    let about = wire.frames[1][14..].to_vec();
    wire.ip("192.0.2.10", "203.0.113.53", 1, 64, &[&[3, 3, 0, 0, 0, 0, 0, 0][..], &about].concat());
    let record = [23, 3, 3, 0, 4, 1, 2, 3, 4];
    wire.tcp_opens("192.0.2.10:40002", "198.51.100.20:443", &[&record]);
    wire.tcp_segment("198.51.100.20:443", "192.0.2.10:40002", 5001, &record);
    wire
}

/// Observes frames, with their times in seconds and their links, thrice: as they are, cut to what was consulted, all on
/// the slow path, and in two halves where none of the bounds is near.
fn thrice(frames: &[(u64, u16, Vec<u8>)]) {
    let options = Options { max_flows: 64, max_answers: 16, stream_bytes: 4096, kept_bytes: 4096 };
    let frames = frames.iter().map(|(seconds, link_type, bytes)| Frame {
        ts_ns: seconds * 1_000_000_000,
        data: bytes,
        orig_len: bytes.len() as u32,
        link_type: *link_type,
        interface: 0,
    });
    let mut whole = Observer::new(options.clone());
    let mut again = Observer::new(options.clone());
    again.explain(u64::MAX);
    for frame in frames.clone() {
        let consulted = whole.push(frame);
        again.push(Frame { data: &frame.data[..consulted.0], ..frame });
    }
    let whole = whole.finish();
    assert_eq!(whole, again.finish());
    if let Some(halves) = Halves::of_frames([frames.clone(), frames], &options) {
        assert_eq!(whole, halves.finish());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_capture_or_one_that_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..512), magic in 0..5usize) {
        let magics: [&[u8]; 5] = [
            &[],
            &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0],
            &[0xa1, 0xb2, 0xcd, 0x34, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1],
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0",
        ];
        let _ = lab_observe::observe(&[magics[magic], &bytes].concat(), Options::default());
    }

    #[test]
    fn arbitrary_frames_on_any_link_are_taken(frames in proptest::collection::vec((0..LINK_TYPES.len(), proptest::collection::vec(any::<u8>(), 0..128)), 0..8)) {
        let frames: Vec<_> = frames.into_iter().map(|(link, bytes)| (0, LINK_TYPES[link], bytes)).collect();
        thrice(&frames);
    }

    #[test]
    fn damaged_cut_and_repeated_packets_are_taken(
        order in proptest::collection::vec((0..20usize, any::<proptest::sample::Index>(), any::<u8>(), 0..5u8), 1..40),
    ) {
        let wire = conversation();
        let mut seconds = 0;
        let frames: Vec<_> = order.into_iter().map(|(which, at, value, how)| {
            let mut bytes = wire.frames[which % wire.frames.len()].clone();
            let at = at.index(bytes.len());
            match how {
                0 => {}
                1 => bytes[at] = value,
                2 => bytes.truncate(at),
                // Longer than any flow without connections rests.
                3 => seconds += 61,
                _ => bytes[at] ^= 1 << (value % 8),
            }
            (seconds, 1, bytes)
        }).collect();
        thrice(&frames);
    }
}

#[test]
fn a_capture_cut_at_any_byte_tells_what_came_before_and_that_it_is_cut() {
    let wire = conversation();
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut ends = vec![file.len()];
    for frame in &wire.frames {
        let length = (frame.len() as u32).to_le_bytes();
        file.extend([&[1, 0, 0, 0, 0, 0, 0, 0][..], &length, &length, frame].concat());
        ends.push(file.len());
    }
    for end in 24..=file.len() {
        let seen = lab_observe::observe(&file[..end], Options::default()).unwrap();
        let whole = ends.iter().filter(|at| **at <= end).count() - 1;
        assert_eq!(seen.summary.packets, whole as u64);
        assert_eq!(seen.summary.cut, !ends.contains(&end));
        let unread = end - ends[whole];
        assert_eq!(seen.summary.unparsed_bytes, unread as u64);
    }
}

#[test]
fn a_million_one_byte_segments_and_gaps_take_neither_long_nor_much() {
    let begun = std::time::Instant::now();
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake("192.0.2.10:40000", "198.51.100.20:80");
    wire.tcp_segment("192.0.2.10:40000", "198.51.100.20:80", seq, b"G");
    let template = wire.frames.pop().unwrap();
    let mut observer = Observer::new(Options::default());
    let mut push = |bytes: &[u8]| {
        observer.push(Frame {
            ts_ns: 1,
            data: bytes,
            orig_len: bytes.len() as u32,
            link_type: 1,
            interface: 0,
        });
    };
    wire.frames.iter().for_each(|frame| push(frame));
    let request: Vec<u8> = [&b"GET / HTTP/1.1\r\nX: "[..], &vec![b'x'; 1_000_000]].concat();
    for (at, byte) in (0u32..).zip(request) {
        let mut frame = template.clone();
        // Every third comes too early.
        let number = seq.wrapping_add(if at % 3 == 0 { at + 2 } else { at - 1 });
        frame[38..42].copy_from_slice(&number.to_be_bytes());
        *frame.last_mut().unwrap() = byte;
        push(&frame);
    }
    assert_eq!(observer.finish().flows.len(), 1);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
