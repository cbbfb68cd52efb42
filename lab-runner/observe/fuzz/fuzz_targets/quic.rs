//! QUIC: datagrams as they are, and frames in Initial packets that are sealed as a client seals them.
#![no_main]

use lab_observe_fuzz::{Conversation, SERVER, V1, V2, initial, pieces};
use libfuzzer_sys::fuzz_target;

/// Bits of a piece beside that of the side.
const SEALED: u8 = 2;
const SECOND: u8 = 4;
const OTHER: u8 = 8;
const TAKEN_UP: u8 = 16;
/// A server's packet that shows that it has taken up a hello (RFC 9000 §17.2.4).
const HANDSHAKE: [u8; 18] = [0xe0, 0, 0, 0, 1, 0, 8, 3, 3, 3, 3, 3, 3, 3, 3, 2, 9, 9];

fuzz_target!(|input: &[u8]| {
    let mut conversation = Conversation::new(443);
    for (number, piece) in (0..=u8::MAX).cycle().zip(pieces(input)) {
        if piece.how & SEALED == 0 {
            conversation.says(piece.how, piece.bytes);
        } else {
            let version = if piece.how & SECOND == 0 { V1 } else { V2 };
            let connection = u8::from(piece.how & OTHER != 0);
            conversation.says(piece.how, &initial(version, connection, number, piece.bytes));
        }
        if piece.how & TAKEN_UP != 0 {
            conversation.says(SERVER, &HANDSHAKE);
        }
    }
    conversation.ends();
});
