//! Both sides of a connection, in any order: segments that overlap, repeat, overtake each other, are lost or cut.
#![no_main]

use lab_observe_fuzz::{Conversation, pieces};
use libfuzzer_sys::fuzz_target;

const ACK: u8 = 16;
/// Bits of a piece beside that of the side.
const CUT: u8 = 2;
const AWAY: u8 = 4;
const FLAGS: u8 = 8;
const PORTS: [u16; 8] = [443, 80, 53, 25, 143, 3478, 1080, 4444];

fuzz_target!(|input: &[u8]| {
    let Some((port, rest)) = input.split_first() else { return };
    let mut conversation = Conversation::new(PORTS[usize::from(*port) % PORTS.len()]);
    if port & 0x80 == 0 {
        conversation.opens();
    }
    for piece in pieces(rest) {
        match (piece.how & (CUT | AWAY | FLAGS), piece.bytes) {
            (0, bytes) => conversation.goes_on(piece.how, bytes),
            (how, [low, high, bytes @ ..]) => {
                let offset = if how & AWAY == 0 { 0 } else { i32::from(i16::from_le_bytes([*low, *high])) };
                let missing = if how & CUT == 0 { 0 } else { u32::from(*low) };
                let flags = if how & FLAGS == 0 { ACK } else { *high & 0x3f };
                conversation.segment(piece.how, flags, offset, bytes, missing);
            }
            _ => {}
        }
    }
    conversation.ends();
});
