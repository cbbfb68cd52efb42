//! Frames of any bytes on any link; again cut to what was consulted, and again in two halves where none of the bounds is
//! near, which must tell the same.
#![no_main]

use lab_observe::{Frame, Halves, Observer, Options};
use libfuzzer_sys::fuzz_target;

const LINKS: [u16; 16] = [1, 1, 101, 0, 113, 276, 9, 104, 105, 127, 119, 192, 239, 258, 51, 187];

fuzz_target!(|bytes: &[u8]| {
    let options = Options { max_flows: 64, max_answers: 16, stream_bytes: 1 << 16, kept_bytes: 1 << 14 };
    let (mut whole, mut again) = (Observer::new(options.clone()), Observer::new(options.clone()));
    let mut frames = Vec::new();
    // On the slow path.
    again.explain(u64::MAX);
    let (mut rest, mut ts_ns) = (bytes, 0);
    // Each frame: its link, and whether it comes after a rest; its length (two bytes), its bytes.
    while let [link, high, low, tail @ ..] = rest {
        let length = (usize::from(*high) << 8 | usize::from(*low)).min(tail.len());
        let (data, next) = tail.split_at(length);
        ts_ns += if link & 0x80 == 0 { 1_000_000 } else { 61_000_000_000 };
        let frame = Frame {
            ts_ns,
            data,
            orig_len: length as u32,
            link_type: LINKS[usize::from(*link) % LINKS.len()],
            interface: 0,
        };
        let consulted = whole.push(frame);
        assert_eq!(again.push(Frame { data: &data[..consulted.0], ..frame }), consulted);
        frames.push(frame);
        rest = next;
    }
    let whole = whole.finish();
    assert_eq!(whole, again.finish());
    let frames = || frames.iter().copied();
    if let Some(halves) = Halves::of_frames([frames(), frames()], &options) {
        assert_eq!(whole, halves.finish());
    }
});
