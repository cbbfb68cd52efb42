//! STUN and TURN over UDP and TCP, with what shares their ports.

use lab_observe::{FlowRecord, NameKind, State};

use crate::datagrams::names;
use crate::dtls;
use crate::packets::Wire;

const PHONE: &str = "192.0.2.10:40000";
const RELAY: &str = "203.0.113.5:3478";
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// 198.51.100.7:1025 as it is hidden from gateways.
const HIDDEN: [u8; 8] = [0, 1, 0x25, 0x13, 198 ^ 0x21, 51 ^ 0x12, 100 ^ 0xa4, 7 ^ 0x42];
const PLAIN: [u8; 8] = [0, 1, 4, 1, 198, 51, 100, 7];

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(kind: u16, cookie: [u8; 4], attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = attributes.len() as u16;
    [&kind.to_be_bytes()[..], &length.to_be_bytes(), &cookie, &[7; 12], &attributes].concat()
}

fn udp(datagrams: &[Vec<u8>]) -> FlowRecord {
    let mut wire = Wire::new();
    wire.udp(PHONE, RELAY, &message(1, COOKIE, &[attribute(0x8022, b"a program")]));
    for datagram in datagrams {
        wire.udp(RELAY, PHONE, datagram);
    }
    wire.observe().flows.remove(0)
}

pub(crate) const ADDRESS: &str = "198.51.100.7:1025";

pub(crate) fn ask() -> Vec<u8> {
    message(1, COOKIE, &[])
}

pub(crate) fn answer() -> Vec<u8> {
    message(0x0101, COOKIE, &[attribute(0x0020, &HIDDEN)])
}

#[test]
fn what_a_relay_passes_on_is_read_as_well() {
    let indication = message(0x0017, COOKIE, &[attribute(0x0013, &answer())]);
    let channel = [&[0x40, 1][..], &(answer().len() as u16).to_be_bytes(), &answer()].concat();
    for passed_on in [indication, channel] {
        let flow = udp(&[passed_on]);
        assert_eq!((flow.app.as_str(), names(&flow)), ("stun", vec![(NameKind::StunMapped, ADDRESS)]));
    }
    let hello = dtls::client_hello("media.nucleus-u8.example", &[dtls::WHOLE]).remove(0);
    let flow = udp(&[[&[0x40, 1][..], &(hello.len() as u16).to_be_bytes(), &hello].concat()]);
    assert_eq!(
        (flow.app.as_str(), names(&flow)),
        ("stun", vec![(NameKind::RelayedSni, "media.nucleus-u8.example")])
    );
    assert!(flow.state == State::Unresolved && flow.ja4.is_none());
    // The flow's own handshake is read, whatever a relay passed on.
    let alert = [20, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    let sealed = [&[0x40, 1, 0, alert.len() as u8][..], &alert].concat();
    let flow = udp(&[&vec![sealed; 70][..], &[hello]].concat());
    assert_eq!(
        (flow.app.as_str(), names(&flow)),
        ("dtls", vec![(NameKind::Sni, "media.nucleus-u8.example")])
    );
    // In each other without end.
    let mut nested = answer();
    for _ in 0..200 {
        nested = message(0x0017, COOKIE, &[attribute(0x0013, &nested)]);
    }
    assert!(udp(&[nested]).names.is_empty());
}

#[test]
fn checks_behind_media_are_read_however_late_they_come() {
    let media =
        |sequence: u8| [&[0x80, 0, 0, sequence, 0, 0, sequence, 160][..], &[7; 4], &[9; 160]].concat();
    // A piece of a hello between media is told.
    let start = std::slice::from_ref(&(0..60));
    let hello = dtls::client_hello("media.nucleus-u8.example", start).remove(0);
    let mut wire = Wire::new();
    for sequence in 0..3 {
        wire.udp(PHONE, "203.0.113.5:9000", &media(sequence));
    }
    wire.udp(PHONE, "203.0.113.5:9000", &hello);
    for sequence in 3..40 {
        wire.udp(PHONE, "203.0.113.5:9000", &media(sequence));
    }
    let flow = wire.observe().flows.remove(0);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "client_hello_cut"));
    for before in [3, 40] {
        let mut wire = Wire::new();
        for sequence in 0..before {
            wire.udp(PHONE, "203.0.113.5:9000", &media(sequence));
        }
        wire.udp("203.0.113.5:9000", PHONE, &answer());
        let flow = wire.observe().flows.remove(0);
        assert_eq!((flow.app.as_str(), names(&flow)), ("rtp", vec![(NameKind::StunMapped, ADDRESS)]));
    }
}

#[test]
fn what_telegrams_relays_wrap_is_read() {
    let tag = [&[1; 16][..], &[0xff; 12], &[0xfe, 0xff, 0xff, 0xff], &[0; 8]].concat();
    let wrapped =
        [&[1; 16][..], &[0, 0, 0, 0, 0, 0], &(answer().len() as u16).to_be_bytes(), &answer()].concat();
    for (port, answers, app) in
        [(533, &wrapped, "telegram"), (601, &wrapped, "unknown"), (533, &answer(), "stun")]
    {
        let relay = format!("203.0.113.5:{port}");
        let mut wire = Wire::new();
        wire.udp(PHONE, &relay, &tag);
        wire.udp(&relay, PHONE, answers);
        let flow = wire.observe().flows.remove(0);
        let expected = if app == "unknown" { vec![] } else { vec![(NameKind::StunMapped, ADDRESS)] };
        assert_eq!((flow.app.as_str(), flow.guessed, names(&flow)), (app, false, expected));
    }
}

#[test]
fn mapped_relayed_and_peer_addresses_and_the_realm_are_told() {
    let refused = message(0x0113, COOKIE, &[attribute(0x0014, b"turn.nucleus-u8.example")]);
    let allocated = message(0x0103, COOKIE, &[attribute(0x0016, &HIDDEN), attribute(0x0020, &HIDDEN)]);
    let indication = message(0x0017, COOKIE, &[attribute(0x0012, &HIDDEN), attribute(0x0006, b"someone")]);
    let flow = udp(&[refused, allocated, vec![0x40, 0, 0, 4, 1, 2, 3, 4], indication]);
    let expected = [
        (NameKind::StunRealm, "turn.nucleus-u8.example"),
        (NameKind::StunRelayed, ADDRESS),
        (NameKind::StunMapped, ADDRESS),
        (NameKind::StunPeer, ADDRESS),
    ];
    assert_eq!((flow.app.as_str(), names(&flow)), ("stun", expected.to_vec()));
    assert_eq!(flow.carries, ["user_name"]);
}

#[test]
fn a_message_of_the_time_before_the_cookie_is_told_by_its_exact_form() {
    let classic = message(0x0101, [1, 2, 3, 4], &[attribute(1, &PLAIN)]);
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:40000", "203.0.113.5:9000", &message(1, [1, 2, 3, 4], &[attribute(3, &[0; 4])]));
    wire.udp("203.0.113.5:9000", "192.0.2.10:40000", &classic);
    // What stands where the cookie would be hides the address, and whoever answered once may say more.
    let hidden = [0, 1, 0x04 ^ 1, 0x01 ^ 2, 198 ^ 1, 51 ^ 2, 100 ^ 3, 7 ^ 4];
    let more = message(0x0103, [1, 2, 3, 4], &[attribute(0x8020, &hidden), attribute(0x000d, &[0; 4])]);
    wire.udp(
        "203.0.113.5:9000",
        "192.0.2.12:40000",
        &message(0x0101, [1, 2, 3, 4], &[attribute(0x8020, &hidden)]),
    );
    wire.udp("192.0.2.13:40000", "203.0.113.5:9000", &more);
    wire.udp("192.0.2.10:40000", "203.0.113.5:9000", &more);
    // One byte more, and it is something else.
    wire.udp("192.0.2.11:40000", "203.0.113.5:9000", &[&classic[..], &[0]].concat());
    let flows = wire.observe().flows;
    assert_eq!((flows[0].app.as_str(), names(&flows[0])), ("stun", vec![(NameKind::StunMapped, ADDRESS)]));
    assert_eq!(names(&flows[1]), [(NameKind::StunMapped, ADDRESS)]);
    assert_eq!((flows[2].app.as_str(), flows[3].app.as_str()), ("unknown", "unknown"));
}

#[test]
fn microsofts_messages_are_told_by_their_own_cookie_and_behind_their_own_header() {
    let cookie = attribute(0x000f, &[0x72, 0xc6, 0x4b, 0xc6]);
    let relayed = message(0x0115, [9; 4], &[cookie, attribute(0x0012, &PLAIN)]);
    let answer = message(0x0101, COOKIE, &[attribute(0x0020, &HIDDEN)]);
    let length = (answer.len() + 8) as u16;
    let wrapped = [&[0xff, 0x10][..], &length.to_be_bytes(), &[5; 8], &answer].concat();
    let flow = udp(&[relayed, wrapped]);
    assert_eq!(names(&flow), [(NameKind::StunPeer, ADDRESS), (NameKind::StunMapped, ADDRESS)]);
}

#[test]
fn over_tcp_messages_are_told_with_a_length_before_them_and_without() {
    let answer = message(0x0101, COOKIE, &[attribute(0x0020, &HIDDEN)]);
    let ask = message(1, COOKIE, &[]);
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    for (first, second) in [(ask.clone(), answer.clone()), (framed(&ask), framed(&answer))] {
        let mut wire = Wire::new();
        let channel = [0x40, 1, 0, 1, 7, 0, 0, 0];
        let seq = wire.tcp_handshake(PHONE, RELAY);
        wire.tcp_segment(PHONE, RELAY, seq, &first);
        let bytes = if first == ask { [&channel[..], &second].concat() } else { second };
        wire.tcp_segment(RELAY, PHONE, 5001, &bytes[..11]);
        wire.tcp_segment(RELAY, PHONE, 5012, &bytes[11..]);
        let flow = wire.observe().flows.remove(0);
        assert_eq!((flow.app.as_str(), names(&flow)), ("stun", vec![(NameKind::StunMapped, ADDRESS)]));
    }
}

#[test]
fn dtls_between_connectivity_checks_is_read_and_the_checks_after_it_as_well() {
    let answer = message(0x0101, COOKIE, &[attribute(0x0020, &HIDDEN)]);
    let flow = udp(&[dtls::client_hello("media.nucleus-u8.example", &[dtls::WHOLE]).remove(0), answer]);
    assert_eq!(flow.app, "dtls");
    assert_eq!(names(&flow), [(NameKind::Sni, "media.nucleus-u8.example"), (NameKind::StunMapped, ADDRESS)]);
}
