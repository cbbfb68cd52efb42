//! QUIC: datagrams as they are, and frames in Initial packets that are sealed as a client seals them.
#![no_main]

use lab_observe_fuzz::{Conversation, V1, V2, initial, pieces};
use libfuzzer_sys::fuzz_target;

/// Bits of a piece beside that of the side.
const SEALED: u8 = 2;
const SECOND: u8 = 4;

fuzz_target!(|input: &[u8]| {
    let mut conversation = Conversation::new(443);
    for (number, piece) in (0..=u8::MAX).cycle().zip(pieces(input)) {
        if piece.how & SEALED == 0 {
            conversation.says(piece.how, piece.bytes);
        } else {
            let version = if piece.how & SECOND == 0 { V1 } else { V2 };
            conversation.says(piece.how, &initial(version, number, piece.bytes));
        }
    }
    conversation.ends();
});
