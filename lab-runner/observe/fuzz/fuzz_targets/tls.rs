//! TLS and DTLS, and what TLS may be inside of: both sides' bytes in order.
#![no_main]

use lab_observe_fuzz::{Conversation, pieces};
use libfuzzer_sys::fuzz_target;

/// 0 is a datagram's.
const PORTS: [u16; 8] = [443, 25, 143, 5222, 0, 443, 853, 8443];

fuzz_target!(|input: &[u8]| {
    let Some((port, rest)) = input.split_first() else { return };
    let port = PORTS[usize::from(*port) % PORTS.len()];
    let mut conversation = Conversation::new(if port == 0 { 4433 } else { port });
    if port != 0 {
        conversation.opens();
    }
    for piece in pieces(rest) {
        match port {
            0 => conversation.says(piece.how, piece.bytes),
            _ => conversation.goes_on(piece.how, piece.bytes),
        }
    }
    conversation.ends();
});
