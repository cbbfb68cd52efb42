//! A capture file of any bytes: read from memory, and as a stream that comes in small portions; both must give the same.
#![no_main]

use std::io::Read;

use lab_observe::capture::{CaptureError, Reader};
use lab_observe::frames;
use libfuzzer_sys::fuzz_target;

/// Frames that are compared of one input.
const MOST_FRAMES: usize = 4096;

/// Gives some bytes at a time.
struct Portions<'a> {
    rest: &'a [u8],
    size: usize,
}

impl Read for Portions<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.size.min(into.len()).min(self.rest.len());
        let (given, rest) = self.rest.split_at(length);
        into[..length].copy_from_slice(given);
        self.rest = rest;
        Ok(length)
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let streamed = Reader::new(Portions { rest: bytes, size: usize::from(*size) + 1 });
    match (frames(bytes), streamed) {
        (Ok(mut whole), Ok(mut streamed)) => {
            for _ in 0..MOST_FRAMES {
                let frame = whole.next();
                assert_eq!(frame, streamed.next_frame());
                if frame.is_none() {
                    assert_eq!(whole.end(), streamed.end());
                    assert_eq!(whole.interfaces(), streamed.interfaces());
                    assert_eq!(whole.drops(), streamed.drops());
                    break;
                }
            }
        }
        // What is packed is only read as a stream.
        (Err(CaptureError::Packed(_)), streamed) => {
            let Ok(mut streamed) = streamed else { return };
            for _ in 0..MOST_FRAMES {
                if streamed.next_frame().is_none() {
                    break;
                }
            }
        }
        (whole, streamed) => assert!(whole.is_err() && streamed.is_err()),
    }
});
