//! A capture file of any bytes, through the whole pipeline and both renderings.
#![no_main]

use lab_observe::{Options, Style, observe, render_json, render_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = Options { max_flows: 256, max_answers: 64, stream_bytes: 1 << 18 };
    if let Ok(seen) = observe(bytes, options) {
        let mut out = Vec::new();
        render_json(&seen, "fuzz", &mut out).expect("a vector takes all");
        render_text(&seen, "fuzz", Style::Plain, &mut out).expect("a vector takes all");
        assert!(out.iter().all(|byte| matches!(byte, b'\n' | 0x20..0x7f)), "unprintable output");
    }
});
