//! TLS: what both sides' hellos tell, and a certificate.

use lab_observe::{Disagreement, FlowRecord, NameKind, Observation, State};
use sha2::{Digest, Sha256};

use crate::conversation::{C, S, conversation};
use crate::packets::{Wire, client_hello, client_hello_with};

pub(crate) const PHONE: &str = "192.0.2.10:40000";
pub(crate) const SERVER: &str = "198.51.100.20:443";

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A ServerHello of TLS 1.2, or of the version that its extension chooses.
pub(crate) fn server_hello(chosen: Option<u16>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0x13, 0x01, 0]);
    if let Some(version) = chosen {
        body.extend([0, 6, 0, 43, 0, 2]);
        body.extend(version.to_be_bytes());
    }
    message(2, &body)
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    match value.len() {
        short @ 0..=127 => [&[tag, short as u8][..], &value].concat(),
        long => [&[tag, 0x82][..], &(long as u16).to_be_bytes(), &value].concat(),
    }
}

fn distinguished(common_name: &str) -> Vec<u8> {
    let pair = der(0x30, &[&der(6, &[&[0x55, 4, 3]]), &der(0x0c, &[common_name.as_bytes()])]);
    der(0x30, &[&der(0x31, &[&pair])])
}

/// A certificate (RFC 5280 §4.1) with a key and a signature of zeros.
fn certificate(issuer: &str, subject: &str, names: &[&str], address: Option<[u8; 4]>) -> Vec<u8> {
    let algorithm = der(0x30, &[&der(6, &[&[0x2a, 3, 4]])]);
    let names: Vec<Vec<u8>> = names
        .iter()
        .map(|name| der(0x82, &[name.as_bytes()]))
        .chain(address.map(|address| der(0x87, &[&address])))
        .collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let is_critical = [1, 1, 0xff];
    let alternative = der(0x30, &[&der(6, &[&[0x55, 29, 17]]), &is_critical, &der(4, &[&der(0x30, &names)])]);
    let extensions = if names.is_empty() { Vec::new() } else { der(0xa3, &[&der(0x30, &[&alternative])]) };
    let body = der(
        0x30,
        &[
            &der(0xa0, &[&der(2, &[&[2]])]),
            &der(2, &[&[7]]),
            &algorithm,
            &distinguished(issuer),
            &der(0x30, &[&der(0x17, &[b"260101000000Z"]), &der(0x17, &[b"270101000000Z"])]),
            &distinguished(subject),
            &der(0x30, &[&algorithm, &der(3, &[&[0; 65]])]),
            &extensions,
        ],
    );
    let certificate = der(0x30, &[&body, &algorithm, &der(3, &[&[0; 65]])]);
    let length = (certificate.len() as u32).to_be_bytes();
    let list = (certificate.len() as u32 + 3).to_be_bytes();
    message(11, &[&list[1..], &length[1..], &certificate].concat())
}

/// A connection whose server says this; its bytes come in segments of so many.
fn connection(sni: &str, server: &[u8], segment: usize) -> FlowRecord {
    served(sni, server, segment).flows.remove(0)
}

/// The capture of such a connection.
fn served(sni: &str, server: &[u8], segment: usize) -> Observation {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, SERVER, &[&client_hello(Some(sni), &["h2"])]);
    let mut seq = 5001;
    for part in server.chunks(segment) {
        wire.tcp_segment(SERVER, PHONE, seq, part);
        seq += part.len() as u32;
    }
    wire.observe()
}

pub(crate) fn certified(issuer: &str, subject: &str, names: &[&str], address: Option<[u8; 4]>) -> Vec<u8> {
    [server_hello(None), certificate(issuer, subject, names, address)].concat()
}

#[test]
fn a_certificate_of_tls_1_2_names_its_server_however_records_and_segments_split_it() {
    let flight = certified(
        "CA",
        "www.cloud.example",
        &["www.cloud.example", "*.cloud.example"],
        Some([203, 0, 113, 7]),
    );
    let one = record(22, &flight);
    let many: Vec<u8> = flight.chunks(50).flat_map(|part| record(22, part)).collect();
    for (server, segment) in [(&one, 1400), (&one, 7), (&many, 1400), (&many, 33)] {
        let flow = connection("www.cloud.example", server, segment);
        assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("tls", Some("1.2")));
        let names: Vec<_> = flow.names_of(NameKind::CertSan).collect();
        assert_eq!(names, ["www.cloud.example", "*.cloud.example", "203.0.113.7"]);
        assert!(flow.weird.is_empty() && !flow.unread);
    }
}

#[test]
fn the_version_is_the_one_that_the_server_chose_and_a_resumed_session_has_no_certificate() {
    let flow = connection("api.example", &record(22, &server_hello(Some(0x0304))), 1400);
    assert_eq!(flow.version.as_deref(), Some("1.3"));
    let resumed = [record(22, &server_hello(None)), record(20, &[1]), record(22, &[0; 40])].concat();
    let flow = connection("api.example", &resumed, 1400);
    assert_eq!(flow.version.as_deref(), Some("1.2"));
    assert_eq!((flow.names_of(NameKind::CertSan).count(), flow.unread), (0, false));
}

#[test]
fn a_certificate_that_never_ends_is_given_up_without_doubt_about_the_flow() {
    let endless = [&server_hello(None)[..], &[11, 0xff, 0xff, 0xff], &[0x30; 300]].concat();
    let flow = connection("api.example", &record(22, &endless), 100);
    assert_eq!((flow.state, flow.unread), (State::Named, false));
    assert_eq!(flow.version.as_deref(), Some("1.2"));
}

#[test]
fn a_hello_longer_than_any_still_tells_the_name_at_its_start_and_leaves_doubt() {
    let mut hello = client_hello(Some("api.example"), &[]);
    hello.extend([0; 60_000]);
    // The extensions, the hello and its first record all claim to be longer than they are.
    hello[6..9].copy_from_slice(&[1, 0x40, 0]);
    hello[3..5].copy_from_slice(&[0x40, 0]);
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, SERVER, &hello.chunks(1400).collect::<Vec<_>>());
    let flow = wire.observe().flows.remove(0);
    assert_eq!((flow.app.as_str(), flow.names_of(NameKind::Sni).next()), ("tls", Some("api.example")));
    assert_eq!((flow.weird[0].word.as_str(), flow.unread), ("client_hello_cut", true));
}

#[test]
fn a_hello_in_records_of_a_byte_each_is_read_and_what_only_looks_like_one_is_none() {
    let hello = client_hello(Some("api.example"), &[]);
    let split: Vec<u8> = hello[5..].chunks(1).flat_map(|byte| record(22, byte)).collect();
    let mut other = hello.clone();
    other[9] = 0x20;
    for (bytes, app, name) in [(&split, "tls", Some("api.example")), (&other, "unknown", None)] {
        let mut wire = Wire::new();
        wire.tcp_opens(PHONE, SERVER, &bytes.chunks(100).collect::<Vec<_>>());
        let flow = wire.observe().flows.remove(0);
        assert_eq!((flow.app.as_str(), flow.names_of(NameKind::Sni).next()), (app, name));
    }
}

#[test]
fn a_hello_behind_an_alert_is_read_however_segments_split_it_and_leaves_doubt() {
    let bytes = [record(21, &[1, 0]), client_hello(Some("api.example"), &[])].concat();
    let halves = (5..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    for segments in halves.chain([vec![&bytes[..]], bytes.chunks(5).collect()]) {
        let mut wire = Wire::new();
        wire.tcp_opens(PHONE, SERVER, &segments);
        wire.tcp_segment(SERVER, PHONE, 5001, &record(22, &server_hello(Some(0x0304))));
        let flow = wire.observe().flows.remove(0);
        assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example"]);
        assert_eq!((flow.app.as_str(), flow.guessed, flow.version.as_deref()), ("tls", false, Some("1.3")));
        assert_eq!((flow.weird[0].word.as_str(), flow.unread), ("tls_without_hello", true));
    }
}

#[test]
fn records_that_only_begin_like_a_hello_end_nothing() {
    // Behind an alert, a record of no length.
    let start = [&record(21, &[1, 0])[..], &[22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3]].concat();
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, "198.51.100.20:80");
    wire.tcp_segment(PHONE, "198.51.100.20:80", seq, &start);
    wire.tcp_segment(
        "198.51.100.20:80",
        PHONE,
        5001,
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    );
    let next = seq + start.len() as u32;
    wire.tcp_segment(PHONE, "198.51.100.20:80", next, b"GET / HTTP/1.1\r\nHost: far.example\r\n\r\n");
    let flow = wire.observe().flows.remove(0);
    assert_eq!(flow.names_of(NameKind::HttpHost).collect::<Vec<_>>(), ["far.example"]);
}

#[test]
fn the_hello_that_a_server_asks_for_again_is_read_too() {
    // RFC 8446 §4.1.3: the random that makes a ServerHello a HelloRetryRequest.
    let random = Sha256::digest("HelloRetryRequest");
    let mut retry = server_hello(Some(0x0304));
    retry[6..38].copy_from_slice(&random);
    let (first, second) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    let rest = [record(23, &[9; 300]), record(20, &[1]), second.clone()].concat();
    for size in [1, 7, 310, rest.len()] {
        let mut parts = vec![(C, &first[..])];
        let asked = record(22, &retry);
        parts.push((S, &asked));
        parts.extend(rest.chunks(size).map(|piece| (C, piece)));
        let hello = record(22, &server_hello(Some(0x0304)));
        parts.push((S, &hello));
        let flow = conversation(443, &parts);
        assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example", "far.example"]);
        assert_eq!(flow.disagreement, [Disagreement::SeveralAsserted]);
        assert_eq!((flow.weird.is_empty(), flow.unread), (true, false));
    }
    // The first comes once more, or again farther on, before the one that counts; or the server is not in the capture.
    let asked = record(22, &retry);
    for by_server in [Some(0), Some(90_000), None] {
        let mut wire = Wire::new();
        let seq = wire.tcp_handshake(PHONE, SERVER);
        let next = seq + first.len() as u32;
        wire.tcp_segment(PHONE, SERVER, seq, &first);
        if let Some(ahead) = by_server {
            wire.tcp_segment(SERVER, PHONE, 5001, &asked);
            wire.tcp_segment(PHONE, SERVER, seq + ahead, &first);
        }
        wire.tcp_segment(PHONE, SERVER, next, &[record(20, &[1]), second.clone()].concat());
        let flow = wire.observe().flows.remove(0);
        assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example", "far.example"]);
    }
    // The same again, as all honest clients say it; and something else than a hello.
    for (again, unread) in [(first.clone(), false), (record(22, &[9; 80]), true)] {
        let flow = conversation(443, &[(C, &first), (S, &record(22, &retry)), (C, &again)]);
        assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example"]);
        assert_eq!((flow.disagreement.len(), flow.unread), (0, unread));
    }
}

#[test]
fn a_hello_behind_a_record_of_the_server_is_read() {
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, SERVER);
    wire.tcp_segment(SERVER, PHONE, 5001, &record(21, &[1, 0]));
    wire.tcp_segment(PHONE, SERVER, seq, &client_hello(Some("api.example"), &[]));
    let flow = wire.observe().flows.remove(0);
    assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.example"]);
}

#[test]
fn a_server_that_chooses_to_encrypt_nothing_is_no_tls_that_anyone_declares() {
    let mut hello = server_hello(None);
    // TLS_RSA_WITH_NULL_SHA256, behind the version, the random and an empty session.
    hello[4 + 35..][..2].copy_from_slice(&[0, 0x3b]);
    let flow = connection("api.example", &record(22, &[hello, vec![14, 0, 0, 0]].concat()), 1400);
    assert_eq!((flow.app.as_str(), flow.version.as_deref()), ("tls_null", Some("1.2")));
    assert_eq!(flow.weird[0].word, "tls_without_encryption");
}

#[test]
fn a_server_that_does_not_answer_a_hello_in_tls_leaves_doubt() {
    let flow = connection("api.example", b"\x01\x02\x03\x04 whatever it is that these two speak", 1400);
    let weird: Vec<_> = flow.weird.iter().map(|weird| weird.word.as_str()).collect();
    assert_eq!((weird, flow.unread), (vec!["tls_refused"], true));
}

#[test]
fn a_certificate_for_other_hosts_than_the_one_asked_for_is_a_disagreement() {
    let cases = [
        ("www.cloud.example", &["*.cloud.example"][..], false),
        ("cloud.example", &["*.cloud.example"], true),
        ("a.b.cloud.example", &["*.cloud.example"], true),
        ("www.cloud.example", &["default.hoster.example"], true),
        ("www.cloud.example", &["default.hoster.example", "www.cloud.example"], false),
    ];
    for (asked, names, odd) in cases {
        let flow = connection(asked, &record(22, &certified("CA", names[0], names, None)), 1400);
        assert_eq!(flow.disagreement.contains(&Disagreement::SniCert), odd, "{asked} {names:?}");
    }
}

#[test]
fn a_certificate_for_many_hosts_is_no_disagreement_where_the_one_asked_for_may_be_among_the_rest() {
    let hosts: Vec<String> = (0..700).map(|number| format!("h{number}.cloud.example")).collect();
    let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let flight = |count: usize| certified("CA", "cloud.example", &names[..count], None);
    let records = |flight: &[u8]| flight.chunks(8000).flat_map(|part| record(22, part)).collect::<Vec<_>>();
    let told = |flow: &FlowRecord| flow.names_of(NameKind::CertSan).count();
    // All of them are told; more than a flow has room for are counted; of one that is cut, those before the cut.
    let many = records(&flight(300));
    let flow = connection(names[299], &many, 1400);
    assert_eq!((told(&flow), &flow.disagreement[..]), (301, &[][..]));
    let flow = connection("other.example", &many, 1400);
    assert_eq!(flow.disagreement, [Disagreement::SniCert]);
    let seen = served("other.example", &records(&flight(700)), 1400);
    assert_eq!((seen.summary.names_evicted, &seen.flows[0].disagreement[..]), (701 - 511, &[][..]));
    let flow = connection("other.example", &many[..1400], 1400);
    assert!(told(&flow) > 10 && flow.disagreement.is_empty());
}

#[test]
fn a_relay_of_tor_is_told_by_its_certificate() {
    let tor = record(22, &certified("www.b7tqim6sieb2.com", "www.gfu7hbxpfpqq.net", &[], None));
    assert_eq!(connection("www.jmts2id.example", &tor, 1400).app, "tor");
    let other = record(
        22,
        &certified("www.b7tqim6sieb2.com", "www.gfu7hbxpfpqq.net", &["www.gfu7hbxpfpqq.net"], None),
    );
    assert_eq!(connection("www.jmts2id.example", &other, 1400).app, "tls");
}

#[test]
fn the_fingerprint_leaves_out_what_a_client_changes_at_random() {
    let signatures = (13_u16, &[0_u8, 4, 4, 3, 8, 4][..]);
    let versions = (43_u16, &[4_u8, 0x1a, 0x1a, 3, 4][..]);
    let fingerprint = |more: &[(u16, &[u8])]| {
        let mut wire = Wire::new();
        wire.tcp_opens(PHONE, SERVER, &[&client_hello_with(Some("api.example"), &["http/1.1"], more)]);
        wire.observe().flows[0].ja4.clone().unwrap()
    };
    let one = fingerprint(&[signatures, versions]);
    // SHA-256 of `1301`, and of `000d,002b_0403,0804`.
    assert_eq!(one, "t13d0104h1_0f2cb44170f4_ef5f37ab036a");
    assert_eq!(fingerprint(&[versions, (0x2a2a, &[]), signatures]), one);
}

#[test]
fn a_channel_to_a_public_resolver_hides_the_look_ups_that_follow() {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, SERVER, &[&client_hello(Some("dns.google"), &["h2"])]);
    wire.tcp_opens("192.0.2.10:40001", "203.0.113.66:443", &[&client_hello(None, &[])]);
    let seen = wire.observe();
    assert_eq!(seen.flows[1].reason.map(|reason| reason.as_str()), Some("hidden_dns"));
}
