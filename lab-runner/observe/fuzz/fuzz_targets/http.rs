//! HTTP/1, HTTP/2, proxies and WebSocket: both sides' bytes in order.
#![no_main]

use lab_observe_fuzz::{Conversation, pieces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut conversation = Conversation::new(80);
    conversation.opens();
    pieces(input).for_each(|piece| conversation.goes_on(piece.how, piece.bytes));
    conversation.ends();
});
