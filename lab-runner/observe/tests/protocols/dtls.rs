//! DTLS hellos, whole and in fragments.

use std::ops::Range;

use lab_observe::{FlowRecord, NameKind, Reason};

use crate::packets::{self, Wire};

const PHONE: &str = "192.0.2.10:40000";
const CLOUD: &str = "203.0.113.5:4433";
/// A message in one fragment.
pub(crate) const WHOLE: Range<usize> = 0..usize::MAX;

fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1][..], &length, body].concat()
}

/// A handshake message's fragment in a record.
fn fragment(kind: u8, body: &[u8], part: Range<usize>) -> Vec<u8> {
    let three = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
    let part = part.start..part.end.min(body.len());
    let fragment = &body[part.clone()];
    let header =
        [vec![kind], three(body.len()), vec![0, 0], three(part.start), three(fragment.len())].concat();
    record(22, 0, &[&header, fragment].concat())
}

/// A ClientHello with an empty cookie, a datagram for each of these parts of it.
pub(crate) fn client_hello(name: &str, parts: &[Range<usize>]) -> Vec<Vec<u8>> {
    let over_tcp = packets::client_hello(Some(name), &[])[9..].to_vec();
    // Version, random and the empty session id come before the cookie.
    let (before, after) = over_tcp.split_at(35);
    let mut body = [before, &[0], after].concat();
    body[..2].copy_from_slice(&[0xfe, 0xfd]);
    parts.iter().map(|part| fragment(1, &body, part.clone())).collect()
}

fn flow(from_client: &[Vec<u8>], from_server: &[Vec<u8>]) -> FlowRecord {
    let mut wire = Wire::new();
    from_client.iter().for_each(|datagram| wire.udp(PHONE, CLOUD, datagram));
    from_server.iter().for_each(|datagram| wire.udp(CLOUD, PHONE, datagram));
    wire.observe().flows.remove(0)
}

#[test]
fn a_hello_in_fragments_out_of_order_names_its_server_and_has_a_fingerprint() {
    let mut server_hello = vec![0xfe, 0xfd];
    server_hello.extend([7; 32]);
    server_hello.extend([0, 0xc0, 0x2b, 0, 0, 0]);
    let hello = client_hello("api.nucleus-u8.example", &[60..500, 0..40, 30..70]);
    let flow = flow(&hello, &[fragment(2, &server_hello, 0..100)]);
    assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.nucleus-u8.example"]);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("dtls", Some("dtls1.2")));
    assert!(flow.ja4.is_some_and(|ja4| ja4.starts_with("dd2d")));
}

#[test]
fn a_handshake_that_begins_anew_behind_another_session_is_read() {
    let hello = |name: &str| client_hello(name, &[WHOLE]).remove(0);
    let (data, finished) = (record(23, 1, &[9; 40]), record(22, 1, &[9; 40]));
    let mut wire = Wire::new();
    wire.udp(PHONE, CLOUD, &hello("api.example"));
    for _ in 0..3 {
        wire.udp(CLOUD, PHONE, &finished);
        wire.udp(PHONE, CLOUD, &data);
        wire.udp(CLOUD, PHONE, &data);
    }
    // Before the hello is a record of no use, and behind it what is none: servers drop both.
    wire.udp(PHONE, CLOUD, &[record(20, 0, &[1]), hello("far.example"), vec![0]].concat());
    wire.udp(CLOUD, PHONE, &finished);
    let flow = wire.observe().flows.remove(0);
    assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example", "far.example"]);
    assert_eq!((flow.app.as_str(), flow.unread), ("dtls", false));
}

#[test]
fn a_hello_that_is_left_for_another_leaves_doubt_and_a_client_does_not_end_the_handshake() {
    let meant = client_hello("far-away.example", &[0..40, 40..500]);
    let shown = client_hello("api.example", &[WHOLE]).remove(0);
    let left = flow(&[meant[0].clone(), shown.clone(), meant[1].clone()], &[]);
    assert!(left.unread && left.weird.iter().any(|weird| weird.word == "dtls_hello_left"));
    let done = fragment(14, &[], WHOLE);
    let ended = flow(&[shown, done, client_hello("far.example", &[WHOLE]).remove(0)], &[]);
    assert!(ended.unread || ended.names_of(NameKind::Sni).count() == 2);
}

#[test]
fn a_hello_with_a_fragment_missing_is_a_loss() {
    let flow = flow(&client_hello("api.nucleus-u8.example", &[0..40, 60..500]), &[]);
    assert_eq!((flow.names.len(), flow.reason), (0, Some(Reason::Loss)));
}

#[test]
fn a_session_in_its_midst_is_told_by_records_that_fill_the_datagram() {
    let data = record(23, 1, &[9; 40]);
    let two = [&data[..], &data].concat();
    let midst = flow(std::slice::from_ref(&two), std::slice::from_ref(&data));
    assert_eq!((midst.app.as_str(), midst.guessed, midst.reason), ("dtls", false, Some(Reason::Loss)));
    // One side's alone could be before anything.
    let midst = flow(&[two], &[]);
    assert_eq!((midst.app.as_str(), midst.guessed), ("dtls", true));
    assert_eq!(flow(&[[&data[..], &[0]].concat()], &[]).app, "unknown");
}

#[test]
fn a_hello_that_the_server_answers_with_something_else_is_told() {
    let hello = client_hello("api.nucleus-u8.example", &[WHOLE]);
    let flow = flow(&hello, &[b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "dtls_refused"));
}

#[test]
fn a_session_that_encrypts_nothing_is_not_called_dtls() {
    let hello = client_hello("api.nucleus-u8.example", &[WHOLE]);
    // TLS_RSA_WITH_NULL_SHA256.
    let server_hello = [&[0xfe, 0xfd][..], &[7; 32], &[0, 0, 0x3b, 0, 0, 0]].concat();
    assert_eq!(flow(&hello, &[fragment(2, &server_hello, 0..100)]).app, "dtls_null");
}
