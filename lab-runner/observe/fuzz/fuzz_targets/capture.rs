//! A capture file of any bytes, through the whole pipeline and both renderings; again as a stream, on the slow path, and
//! again in two halves where none of the bounds is near, which must tell the same.
#![no_main]

use lab_observe::{Halves, Observer, Options, Style, observe, render_json, render_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = Options { max_flows: 256, max_answers: 64, stream_bytes: 1 << 18, kept_bytes: 1 << 14 };
    let mut again = Observer::new(options.clone());
    again.explain(u64::MAX);
    let read = again.read(bytes);
    let seen = observe(bytes, options.clone());
    assert_eq!(seen.is_ok(), read.is_ok());
    let halves = Halves::read([bytes, bytes], &options);
    assert_eq!(seen.is_ok(), halves.is_ok());
    if let Ok(seen) = seen {
        assert_eq!(seen, again.finish());
        if let Ok(Some(halves)) = halves {
            assert_eq!(seen, halves.finish());
        }
        let mut out = Vec::new();
        render_json(&seen, "fuzz", &mut out).expect("a vector takes all");
        render_text(&seen, "fuzz", Style::Plain, &mut out).expect("a vector takes all");
        assert!(out.iter().all(|byte| matches!(byte, b'\n' | 0x20..0x7f)), "unprintable output");
    }
});
