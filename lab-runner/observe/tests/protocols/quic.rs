//! QUIC, from the RFCs' sample packets and from packets sealed here.

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockEncrypt;
use hkdf::Hkdf;
use lab_observe::{FlowRecord, NameKind, Options, Reason};
use sha2::Sha256;

use crate::packets::{self, Wire};

const PHONE: &str = "192.0.2.10:40000";
const CLOUD: &str = "203.0.113.5:443";
/// RFC 9001 §A.1.
const DCID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;
const RESERVED: u32 = 0x1a2a_3a4a;
const DRAFT_29: u32 = 0xff00_001d;
const V2_DRAFT_00: u32 = 0xff02_0000;
const V2_DRAFT_01: u32 = 0x709a_50c4;

/// RFC 9001 §A.2: the CRYPTO frame of the sample.
const SAMPLE: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868\
    04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578\
    616d706c652e636f6dff01000100000a00080006001d00170018001000070005\
    04616c706e000500050100000000003300260024001d00209370b2c9caa47fba\
    baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400\
    0d0010000e0403050306030203080408050806002d00020101001c0002400100\
    3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000\
    75300901100f088394c8f03e51570806048000ffff";

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn expand(secret: &Hkdf<Sha256>, label: &str, size: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let info = [&[0, size as u8, label.len() as u8][..], label.as_bytes(), &[0]].concat();
    let mut out = vec![0; size];
    secret.expand(&info, &mut out).unwrap();
    out
}

/// A client's Initial packet, filled up to 1200 bytes.
fn initial(version: u32, dcid: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
    let (salt, prefix, first) = match version {
        V1 | RESERVED => ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "quic", 0xc3),
        DRAFT_29 => ("afbfec289993d24c9e9786f19c6111e04390a899", "quic", 0xc3),
        V2_DRAFT_00 => ("a707c203a59b47184a1d62ca570406ea7ae3e5d3", "quicv2", 0xc3),
        V2_DRAFT_01 => ("a707c203a59b47184a1d62ca570406ea7ae3e5d3", "quicv2", 0xd3),
        _ => ("0dede3def700a6db819381be6e269dcbf9bd2ed9", "quicv2", 0xd3),
    };
    let (_, secret) = Hkdf::<Sha256>::extract(Some(&unhex(salt)), dcid);
    let secret = Hkdf::<Sha256>::from_prk(&expand(&secret, "client in", 32)).unwrap();
    let mut header = vec![first];
    header.extend(version.to_be_bytes());
    header.push(dcid.len() as u8);
    header.extend(dcid);
    header.extend([0, 0]);
    // What the two bytes of the length, the number and the tag leave of 1200.
    let room = 1200 - header.len() - 2 - 4 - 16;
    header.extend((0x4000 | (room as u16 + 20)).to_be_bytes());
    let number_at = header.len();
    header.extend(number.to_be_bytes());
    let mut body = frames.to_vec();
    body.resize(room, 0);
    let mut nonce = expand(&secret, &format!("{prefix} iv"), 12);
    nonce.iter_mut().skip(8).zip(number.to_be_bytes()).for_each(|(byte, part)| *byte ^= part);
    let key = aes_gcm::Aes128Gcm::new_from_slice(&expand(&secret, &format!("{prefix} key"), 16)).unwrap();
    let tag = key.encrypt_in_place_detached(nonce.as_slice().into(), &header, &mut body).unwrap();
    body.extend(tag);
    let mask_key = Aes128::new_from_slice(&expand(&secret, &format!("{prefix} hp"), 16)).unwrap();
    let mut mask = *aes_gcm::aes::Block::from_slice(&body[..16]);
    mask_key.encrypt_block(&mut mask);
    header[0] ^= mask[0] & 0x0f;
    header[number_at..].iter_mut().zip(&mask[1..]).for_each(|(byte, mask)| *byte ^= mask);
    [header, body].concat()
}

fn crypto(offset: u16, data: &[u8]) -> Vec<u8> {
    let varint = |number: u16| (0x4000 | number).to_be_bytes();
    [&[6][..], &varint(offset), &varint(data.len() as u16), data].concat()
}

/// A ClientHello's handshake message, without a record around it.
fn hello(name: &str) -> Vec<u8> {
    packets::client_hello(Some(name), &["h3"])[5..].to_vec()
}

fn flow(datagrams: &[(bool, Vec<u8>)]) -> FlowRecord {
    let mut wire = Wire::new();
    for (from_client, datagram) in datagrams {
        let (from, to) = if *from_client { (PHONE, CLOUD) } else { (CLOUD, PHONE) };
        wire.udp(from, to, datagram);
    }
    wire.observe().flows.remove(0)
}

fn names(flow: &FlowRecord) -> Vec<&str> {
    flow.names_of(NameKind::QuicSni).collect()
}

#[test]
fn the_sample_packets_of_rfc_9001_and_rfc_9369_name_their_server() {
    // Header and first bytes as the RFCs print them.
    for (version, word, printed) in [
        (V1, "v1", "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11"),
        (V2, "v2", "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485"),
    ] {
        let packet = initial(version, &DCID, 2, &unhex(SAMPLE));
        assert_eq!(packet[..32], unhex(printed));
        let flow = flow(&[(true, packet)]);
        assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("quic", Some(word)));
        assert_eq!(names(&flow), ["example.com"]);
    }
}

#[test]
fn drafts_name_their_server_as_well() {
    for (version, word) in
        [(DRAFT_29, "draft-29"), (V2_DRAFT_00, "v2-draft-00"), (V2_DRAFT_01, "v2-draft-01")]
    {
        let flow = flow(&[(true, initial(version, &DCID, 0, &crypto(0, &hello("api.nucleus-u8.example"))))]);
        assert_eq!((names(&flow), flow.version.as_deref()), (vec!["api.nucleus-u8.example"], Some(word)));
    }
}

#[test]
fn a_hello_in_a_reserved_version_is_read_and_the_server_says_which_is_spoken() {
    let reserved = initial(RESERVED, &DCID, 0, &crypto(0, &hello("api.nucleus-u8.example")));
    let alone = flow(&[(true, reserved.clone())]);
    assert_eq!((names(&alone), alone.version.as_deref()), (vec!["api.nucleus-u8.example"], None));
    let negotiation = [&[0x80, 0, 0, 0, 0, 0, 8][..], &DCID, &[0, 0, 0, 1]].concat();
    let again = initial(V1, &DCID, 1, &crypto(0, &hello("api.nucleus-u8.example")));
    let answer = initial(V1, &[], 0, &[]);
    let flow = flow(&[(true, reserved), (false, negotiation), (true, again), (false, answer)]);
    assert_eq!((names(&flow), flow.version.as_deref()), (vec!["api.nucleus-u8.example"], Some("v1")));
}

#[test]
fn a_hello_in_pieces_over_packets_out_of_order_names_its_server() {
    let hello = hello("api.nucleus-u8.example");
    let (head, tail) = hello.split_at(40);
    let second = initial(V1, &DCID, 1, &crypto(40, tail));
    let first = initial(V1, &DCID, 0, &[crypto(20, &head[20..]), crypto(0, &head[..20])].concat());
    let flow = flow(&[(true, second), (true, first)]);
    assert_eq!(names(&flow), ["api.nucleus-u8.example"]);
    assert_eq!(flow.alpn, ["h3"]);
    assert_eq!(flow.names[0].frame, 2);
}

#[test]
fn behind_dns_over_quic_look_ups_are_hidden() {
    let hello = packets::client_hello(None, &["doq"])[5..].to_vec();
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.5:8853", &initial(V1, &DCID, 0, &crypto(0, &hello)));
    wire.tcp_opens("192.0.2.10:40001", "203.0.113.66:443", &[&packets::client_hello(None, &[])]);
    assert_eq!(wire.observe().flows[1].reason, Some(Reason::HiddenDns));
}

#[test]
fn a_hello_that_never_becomes_whole_is_a_loss() {
    let hello = hello("api.nucleus-u8.example");
    let flow = flow(&[(true, initial(V1, &DCID, 0, &crypto(0, &hello[..30])))]);
    assert_eq!(names(&flow), [""; 0]);
    assert_eq!(flow.reason, Some(Reason::Loss));
}

#[test]
fn after_a_retry_the_hello_is_read_with_new_keys() {
    let hello = crypto(0, &hello("api.nucleus-u8.example"));
    // The first packet is damaged on the way; the Retry gives another connection id.
    let mut lost = initial(V1, &DCID, 0, &hello);
    lost[600] ^= 1;
    let retry = [&[0xf0, 0, 0, 0, 1, 0, 4, 9, 9, 9, 9][..], &[7; 40]].concat();
    let again = initial(V1, &[9; 4], 1, &hello);
    let flow = flow(&[(true, lost), (false, retry), (true, again)]);
    assert_eq!(names(&flow), ["api.nucleus-u8.example"]);
}

#[test]
fn the_version_is_the_one_that_the_server_chose() {
    let hello = crypto(0, &hello("api.nucleus-u8.example"));
    let mut answer = initial(V2, &[], 0, &[]);
    answer.truncate(1200);
    let flow = flow(&[(true, initial(V1, &DCID, 0, &hello)), (false, answer)]);
    assert_eq!((names(&flow), flow.version.as_deref()), (vec!["api.nucleus-u8.example"], Some("v2")));
}

#[test]
fn a_connection_that_goes_on_from_another_address_is_known_by_its_id() {
    let hello = crypto(0, &hello("api.nucleus-u8.example"));
    // The server's handshake packet gives the id that the client sends to from then on.
    let id = [3; 8];
    let answer = [&[0xe0, 0, 0, 0, 1, 0, 8][..], &id, &[0x40, 40], &[9; 40]].concat();
    let short = |id: &[u8]| [&[0x41][..], id, &[9; 40]].concat();
    let mut wire = Wire::new();
    wire.udp(PHONE, CLOUD, &initial(V1, &DCID, 0, &hello));
    wire.udp(CLOUD, PHONE, &answer);
    wire.udp("192.0.2.10:41000", CLOUD, &short(&id));
    wire.udp("192.0.2.10:42000", CLOUD, &short(&[4; 8]));
    // To another server it proves nothing.
    wire.udp("192.0.2.10:43000", "203.0.113.66:443", &short(&id));
    let flows = wire.observe().flows;
    assert_eq!((flows[1].app.as_str(), names(&flows[1])), ("quic", vec!["api.nucleus-u8.example"]));
    assert_eq!((flows[2].app.as_str(), flows[3].app.as_str()), ("unknown", "unknown"));
}

#[test]
fn a_hello_whose_pieces_contradict_each_other_is_told() {
    let (shown, meant) = (hello("api.nucleus-u8.example"), hello("api.elsewhere1.example"));
    let head = initial(V1, &DCID, 0, &crypto(0, &shown[..75]));
    let whole = initial(V1, &DCID, 1, &crypto(0, &meant));
    let flow = flow(&[(true, head), (true, whole)]);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "quic_crypto_conflict"));
}

/// A packet of the server's Handshake, or of another kind, with its id.
fn server(kind: u8, id: &[u8]) -> Vec<u8> {
    let token = if kind == INITIAL { &[0][..] } else { &[] };
    [&[kind, 0, 0, 0, 1, 0, id.len() as u8][..], id, token, &[0x40, 40], &[9; 40]].concat()
}

const INITIAL: u8 = 0xc0;
const HANDSHAKE: u8 = 0xe0;
const OTHER_ID: [u8; 8] = [6; 8];

#[test]
fn until_the_server_goes_on_from_a_hello_others_are_read() {
    let shown = initial(V1, &DCID, 0, &crypto(0, &hello("api.example")));
    let meant = initial(V1, &OTHER_ID, 0, &crypto(0, &hello("far.example")));
    let both = vec!["api.example", "far.example"];
    // The first never reached the server.
    let flow = |datagrams: &[(bool, Vec<u8>)]| flow(datagrams);
    let decoyed = flow(&[(true, shown.clone()), (true, meant.clone()), (false, server(HANDSHAKE, &[3; 8]))]);
    assert_eq!((names(&decoyed), decoyed.disagreement.len(), decoyed.unread), (both.clone(), 1, false));
    // The server asks for another hello, which follows on from the first; or the same one comes again.
    let (first, second) = (hello("api.example"), hello("far.example"));
    let asked_again = |more: &[u8]| {
        let again = initial(V1, &DCID, 1, &crypto(first.len() as u16, more));
        flow(&[(true, shown.clone()), (false, server(INITIAL, &[3; 8])), (true, again)])
    };
    assert_eq!((names(&asked_again(&second)), asked_again(&second).unread), (both.clone(), false));
    assert_eq!((names(&asked_again(&first)), asked_again(&first).unread), (vec!["api.example"], false));
    assert!(asked_again(&second[..40]).unread);
    // Another connection begins once the first was answered, even with an id of the first.
    for id in [OTHER_ID, DCID, [3; 8]] {
        let later = initial(V1, &id, 0, &crypto(0, &hello("far.example")));
        let short = (true, [&[0x41][..], &[3; 8], &[9; 40]].concat());
        let answered = flow(&[
            (true, shown.clone()),
            (false, server(HANDSHAKE, &[3; 8])),
            (true, server(HANDSHAKE, &[])),
            short.clone(),
            (true, later),
            (false, server(HANDSHAKE, &[4; 8])),
            short,
        ]);
        assert_eq!((names(&answered), answered.unread), (both.clone(), false), "{id:?}");
    }
    // A client acknowledges what the server said, and its hello comes late once more.
    let acknowledges = initial(V1, &DCID, 2, &[2, 0, 0, 0, 0]);
    let late = flow(&[
        (true, shown.clone()),
        (false, server(HANDSHAKE, &[3; 8])),
        (true, acknowledges),
        (true, shown),
        (true, server(HANDSHAKE, &[])),
    ]);
    assert_eq!((names(&late), late.unread, late.weird.len()), (vec!["api.example"], false, 0));
}

#[test]
fn behind_another_protocol_or_none_a_hello_is_read() {
    let mut ntp = [0; 48];
    ntp[0] = 0x23;
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    for (before, count) in [(&ntp[..], 1), (b"something", 40), (&stun, 1)] {
        let mut datagrams = vec![(true, before.to_vec()); count];
        datagrams.push((true, initial(V1, &DCID, 0, &crypto(0, &hello("far.example")))));
        assert_eq!(names(&flow(&datagrams)), ["far.example"]);
    }
}

#[test]
fn a_hello_that_is_left_or_can_t_be_read_leaves_doubt() {
    let (shown, meant) = (hello("api.example"), hello("far.example"));
    let part = |id: &[u8], number, bytes: &[u8], at| (true, initial(V1, id, number, &crypto(at, bytes)));
    let taken_up = (false, server(HANDSHAKE, &[3; 8]));
    let same = 50;
    assert_eq!(shown[..same], meant[..same]);
    let close: Vec<u8> = [&[0x1c][..], &[0; 3]].concat();
    for (word, datagrams) in [
        // Another stands between the halves of the one that counts.
        (
            "quic_hello_left",
            vec![
                part(&DCID, 0, &meant[..same], 0),
                part(&OTHER_ID, 0, &shown, 0),
                part(&DCID, 1, &meant[same..], same as u16),
            ],
        ),
        // The second half is a packet with a number that the server never saw, and then one that it sees.
        (
            "quic_crypto_conflict",
            vec![
                part(&DCID, 0, &meant[..same], 0),
                part(&DCID, 0xf000_0000, &shown[same..], same as u16),
                part(&DCID, 1, &meant[same..], same as u16),
            ],
        ),
        (
            "quic_crypto_conflict",
            vec![
                part(&DCID, 0, &shown, 0),
                (true, initial(V1, &DCID, 1, &[&[0x40][..], &crypto(0, &meant)].concat())),
            ],
        ),
        (
            "quic_frame_unknown",
            vec![(true, initial(V1, &DCID, 0, &[crypto(0, &shown), vec![0x3f]].concat()))],
        ),
        // A client's packet in the server's name.
        (
            "quic_both_begin",
            vec![
                (false, initial(V1, &DCID, 0, &crypto(0, &shown))),
                (true, initial(V1, &OTHER_ID, 0, &crypto(0, &meant))),
            ],
        ),
        ("quic_version_unknown", vec![part(&DCID, 0, &shown, 0), (true, vec![0xc0, 9, 9, 9, 9, 0, 0, 1])]),
        ("", vec![part(&DCID, 0, &shown, 0), (true, initial(V1, &DCID, 1, &close)), taken_up.clone()]),
    ] {
        let flow = flow(&datagrams);
        let words: Vec<_> = flow.weird.iter().map(|weird| weird.word.to_string()).collect();
        assert_eq!((words.join(" ").as_str(), flow.unread), (word, !word.is_empty()));
    }
}

#[test]
fn a_connection_that_goes_on_in_another_version_is_one() {
    // RFC 9369 §4.1: the keys still follow from the first id, and the id is the server's by then.
    let first = (true, initial(V1, &DCID, 0, &crypto(0, &hello("api.example"))));
    let mut datagrams = vec![first, (false, initial(V2, &[], 0, &[]))];
    datagrams.extend((1..20).map(|number| (true, initial(V2, &DCID, number, &[2, 0, 0, 0, 0]))));
    let flow = flow(&datagrams);
    assert_eq!((names(&flow), flow.weird.len(), flow.unread), (vec!["api.example"], 0, false));
}

#[test]
fn more_beginnings_than_are_looked_at_leave_doubt() {
    let begins = |id: u8| (true, initial(V1, &[id; 8], 0, &crypto(0, &hello("api.example"))));
    let mut datagrams: Vec<_> = (0..40).map(begins).collect();
    datagrams.push((true, initial(V1, &DCID, 0, &crypto(0, &hello("far.example")))));
    let flow = flow(&datagrams);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "quic_begins_too_often"));
}

#[test]
fn a_connection_in_its_midst_has_lost_its_name() {
    let handshake = [&[0xe0, 0, 0, 0, 1, 0, 0][..], &[0x40, 40], &[9; 40]].concat();
    let flow = flow(&[(false, handshake)]);
    assert_eq!((flow.app.as_str(), flow.guessed), ("quic", true));
    assert_eq!(flow.reason, Some(Reason::Loss));
}

#[test]
fn a_hello_that_the_server_answers_with_something_else_is_told() {
    let hello = initial(V1, &DCID, 0, &crypto(0, &hello("api.nucleus-u8.example")));
    let plain = |text: &str| (false, text.as_bytes().to_vec());
    let flow = flow(&[(true, hello), plain("one"), plain("two"), plain("three")]);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "quic_refused"));
}

#[test]
fn pieces_come_out_of_the_pool_of_all_flows_and_what_did_not_fit_is_told() {
    let mut wire = Wire::new();
    for port in 0..8 {
        let far = crypto(15_000, &[7; 100]);
        wire.udp(&format!("192.0.2.10:4000{port}"), CLOUD, &initial(V1, &DCID, 0, &far));
    }
    let seen = wire.observe_with(Options { stream_bytes: 64 << 10, ..Options::default() });
    assert_eq!(seen.summary.streams_evicted, 4);
    let lost = |flow: &&FlowRecord| flow.reason == Some(Reason::Loss);
    assert_eq!(seen.flows.iter().filter(lost).count(), 8);
}

#[test]
fn what_only_resembles_quic_is_not_called_so() {
    // A version, but no length that fits; a greased version in a short datagram; a list of unknown versions.
    let mut packet = initial(V1, &DCID, 0, &[]);
    packet.truncate(300);
    for bytes in
        [packet, vec![0xca, 0x1a, 0x2a, 0x3a, 0x4a, 0, 0, 1], vec![0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]]
    {
        assert_eq!(flow(&[(true, bytes)]).app, "unknown");
    }
}
