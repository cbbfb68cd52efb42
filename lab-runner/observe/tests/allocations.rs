//! A flow that was answered costs no allocation per packet.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod memory;
mod packets;

use lab_observe::{Observer, Options};
use memory::{allocations, alone};
use packets::{Wire, client_hello, dns_answer, dns_query};

const PACKETS: u32 = 5000;

/// A capture file of frames that come after each other by a millisecond.
fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for (number, frame) in (0u32..).zip(frames) {
        let length = (frame.len() as u32).to_le_bytes();
        let [seconds, micros] = [number / 1000, number % 1000 * 1000].map(u32::to_le_bytes);
        file.extend([&seconds[..], &micros, &length, &length, frame].concat());
    }
    file
}

/// Allocations of reading and observing what stands behind the opening of the conversation.
fn after_opening(wire: &Wire, opening: usize) -> u64 {
    let _alone = alone();
    let bytes = file(&wire.frames);
    let mut observer = Observer::new(Options::default());
    let mut frames = lab_observe::frames(&bytes).unwrap();
    frames.by_ref().take(opening).for_each(|frame| {
        observer.push(frame);
    });
    let before = allocations();
    frames.for_each(|frame| {
        observer.push(frame);
    });
    let made = allocations() - before;
    assert_eq!(observer.finish().summary.packets, wire.frames.len() as u64);
    made
}

/// Segments to and fro, with some that are lost and some that come twice.
fn bulk(wire: &mut Wire, near: &str, far: &str, sent: u32, received: u32) {
    let data = [&[23, 3, 3, 0x04, 0][..], &[7; 1024]].concat();
    for number in 0..PACKETS {
        let at = received + (number - number % 3) * data.len() as u32;
        wire.tcp_segment(far, near, at, &data);
        wire.tcp_segment(near, far, sent + number * 5, if number % 2 == 0 { &[] } else { &data[..5] });
    }
}

#[test]
fn packets_of_a_named_tls_flow_allocate_nothing() {
    for (near, far) in
        [("192.0.2.10:40000", "198.51.100.20:443"), ("[2001:db8:1::10]:40000", "[2001:db8:2::20]:443")]
    {
        let mut wire = Wire::new();
        let sent = wire.tcp_handshake(near, far);
        let hello = client_hello(Some("api.example"), &["h2"]);
        wire.tcp_segment(near, far, sent, &hello);
        // A ServerHello of TLS 1.3, after which nothing is in the clear.
        let server_hello = [
            &[22, 3, 3, 0, 56, 2, 0, 0, 52, 3, 3][..],
            &[5; 32],
            &[0, 0x13, 0x01, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 29],
        ]
        .concat();
        wire.tcp_segment(far, near, 5001, &server_hello);
        wire.tcp_segment(far, near, 5001 + server_hello.len() as u32, &[23, 3, 3, 0, 1, 9]);
        let opening = wire.frames.len();
        bulk(&mut wire, near, far, sent + hello.len() as u32, 5001 + server_hello.len() as u32 + 6);
        assert_eq!(after_opening(&wire, opening), 0, "{near}");
    }
}

#[test]
fn packets_of_a_stream_that_is_nothing_known_allocate_nothing() {
    let (near, far) = ("192.0.2.10:40000", "198.51.100.20:4444");
    let mut wire = Wire::new();
    let sent = wire.tcp_handshake(near, far);
    wire.tcp_segment(near, far, sent, &[0xf7; 512]);
    wire.tcp_segment(far, near, 5001, &[0xf6; 512]);
    // Until as much was seen of each side as is ever put in order.
    bulk(&mut wire, near, far, sent + 512, 5001 + 512);
    let opening = wire.frames.len() / 2;
    assert_eq!(after_opening(&wire, opening), 0);
}

#[test]
fn datagrams_that_are_nothing_known_allocate_nothing_after_the_first_few() {
    let (near, far) = ("192.0.2.10:40000", "198.51.100.20:4444");
    let mut wire = Wire::new();
    for number in 0..PACKETS {
        let payload = [&number.to_be_bytes()[..], &[0xf7; 600]].concat();
        wire.udp(near, far, &payload);
        wire.udp(far, near, &payload);
    }
    assert_eq!(after_opening(&wire, 64), 0);
}

#[test]
fn packets_between_ends_that_were_looked_up_allocate_nothing() {
    let (near, far) = ("192.0.2.10:40000", "198.51.100.20:443");
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", "203.0.113.53:53", &dns_query(7, "api.example"));
    wire.udp("203.0.113.53:53", "192.0.2.10:50000", &dns_answer(7, "api.example", &[], "198.51.100.20"));
    let sent = wire.tcp_handshake(near, far);
    let hello = client_hello(Some("api.example"), &[]);
    wire.tcp_segment(near, far, sent, &hello);
    wire.tcp_segment(far, near, 5001, &[21, 3, 3, 0, 2, 2, 40]);
    wire.tcp_segment(near, far, sent + hello.len() as u32, &[23, 3, 3, 0, 1, 9]);
    wire.tcp_segment(far, near, 5008, &[23, 3, 3, 0, 1, 9]);
    let opening = wire.frames.len();
    bulk(&mut wire, near, far, sent + hello.len() as u32 + 6, 5014);
    assert_eq!(after_opening(&wire, opening), 0);
}
