//! STUN, TURN and what shares their ports: datagrams, and messages over TCP.
#![no_main]

use lab_observe_fuzz::{Conversation, pieces};
use libfuzzer_sys::fuzz_target;

const PORTS: [u16; 8] = [3478, 5349, 40001, 3478, 3479, 443, 8801, 4444];
/// The bit of the first byte that says TCP.
const STREAM: u8 = 0x80;

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    let mut conversation = Conversation::new(PORTS[usize::from(*how) % PORTS.len()]);
    if how & STREAM != 0 {
        conversation.opens();
    }
    for piece in pieces(rest) {
        match how & STREAM {
            0 => conversation.says(piece.how, piece.bytes),
            _ => conversation.goes_on(piece.how, piece.bytes),
        }
    }
    conversation.ends();
});
