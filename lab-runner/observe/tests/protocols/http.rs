//! HTTP/1 and HTTP/2 in clear text: hosts, tunnels and upgrades.

use lab_observe::{FlowRecord, NameKind};

use crate::conversation::{C, S, conversation};
use crate::packets::client_hello;
use crate::tls::{record, server_hello};

fn hosts(flow: &FlowRecord) -> Vec<&str> {
    let kinds = [NameKind::HttpHost, NameKind::HttpAuthority, NameKind::Sni, NameKind::StarttlsSni];
    flow.names.iter().filter(|name| kinds.contains(&name.kind)).map(|name| name.name.as_str()).collect()
}

const CONNECT: &[u8] =
    b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\nProxy-Authorization: Basic eA==\r\n\r\n";

#[test]
fn tls_in_a_tunnel_is_named_once_the_proxy_agrees_and_whatever_the_proxy_says() {
    let hello = client_hello(Some("inner.example"), &[]);
    let answer = record(22, &server_hello(Some(0x0304)));
    let agreed = [
        (C, CONNECT),
        (S, &b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"[..]),
        (C, &hello),
        (S, &answer),
    ];
    let refused = [
        (C, CONNECT),
        (S, &b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"[..]),
        (C, CONNECT),
        (S, b"HTTP/1.1 200 OK\r\n\r\n"),
        (C, &hello),
        (S, &answer),
    ];
    let unheard = [(C, CONNECT), (C, &hello[..])];
    for parts in [&agreed[..], &refused, &unheard] {
        let flow = conversation(8080, parts);
        assert_eq!(flow.app, "http");
        assert!(
            hosts(&flow).contains(&"far.example") && hosts(&flow).contains(&"inner.example"),
            "{:?}",
            flow.names
        );
        assert_eq!(flow.names_of(NameKind::StarttlsSni).collect::<Vec<_>>(), ["inner.example"]);
        assert_eq!(flow.carries, ["authorization"]);
    }
}

#[test]
fn a_refused_upgrade_goes_on_as_http_and_an_agreed_one_does_not() {
    let upgrade = b"GET /s HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let next = b"GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
    let flow = conversation(80, &[(C, upgrade), (S, b"HTTP/1.1 400 No\r\n\r\n"), (C, next)]);
    assert_eq!((flow.app.as_str(), hosts(&flow)), ("http", vec!["a.example", "b.example"]));
    let flow = conversation(80, &[(C, upgrade), (S, b"HTTP/1.1 101 Switching\r\n\r\n\x81\x02hi"), (C, next)]);
    assert_eq!((flow.app.as_str(), hosts(&flow)), ("websocket", vec!["a.example"]));
}

#[test]
fn an_upgrade_to_http_2_in_clear_text_is_followed() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let bytes =
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(1, 0x5, 1, &authority("b.example"))].concat();
    let flow =
        conversation(80, &[(C, upgrade), (S, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), (C, &bytes)]);
    assert_eq!((flow.version.as_deref(), hosts(&flow)), (Some("2"), vec!["a.example", "b.example"]));
}

#[test]
fn a_header_that_a_proxy_puts_before_a_connection_is_stepped_over() {
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let text = [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", &request[..]].concat();
    let binary = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[7; 12], request].concat();
    for bytes in [&text, &binary] {
        let flow = conversation(80, &[(C, &bytes[..9]), (C, &bytes[9..])]);
        assert_eq!((flow.app.as_str(), hosts(&flow)), ("http", vec!["a.example"]));
    }
}

#[test]
fn bytes_behind_a_request_that_make_no_sense_leave_doubt_and_the_next_request_is_read() {
    let long =
        [&b"GET / HTTP/1.1\r\nHost: a.example\r\nX: "[..], &[b'x'; 40_000], b"\r\nHost: b.example\r\n\r\n"]
            .concat();
    let next = b"GET / HTTP/1.1\r\nHost: c.example\r\n\r\n";
    for odd in [&long[..], b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\nsomething else\r\n"] {
        let parts: Vec<(bool, &[u8])> = odd.chunks(1400).chain([&next[..]]).map(|part| (C, part)).collect();
        let flow = conversation(80, &parts);
        assert_eq!((hosts(&flow), flow.unread), (vec!["a.example", "c.example"], true));
        assert_eq!(flow.weird[0].word, "http_malformed");
    }
}

#[test]
fn a_request_with_a_line_too_many_before_it_or_a_rare_method_names_its_host() {
    for request in [
        &b"\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..],
        b"\r\n\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"RPC_CONNECT / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"MKCALENDAR /mine HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ] {
        for part in [1, 2, request.len()] {
            let parts: Vec<(bool, &[u8])> = request.chunks(part).map(|part| (C, part)).collect();
            let flow = conversation(8080, &parts);
            assert_eq!((flow.app.as_str(), hosts(&flow)), ("http", vec!["a.example"]));
        }
    }
    for no_request in [&b"POLL the others\r\n"[..], b"\rGET / HTTP/1.1\r\n", b"\r\n\r\n"] {
        assert_eq!(conversation(8080, &[(C, no_request)]).app, "unknown");
    }
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// `:authority` with this value, put into the table.
fn authority(host: &str) -> Vec<u8> {
    [&[0x82, 0x41, host.len() as u8][..], host.as_bytes()].concat()
}

#[test]
fn every_request_of_http_2_names_its_host_whether_spread_over_frames_or_taken_from_the_table() {
    let first = authority("a.example:8443");
    let bytes = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(4, 0, 0, &[]),
        // Padded and with a priority, and cut in the middle of the name.
        &frame(1, 0x28, 1, &[&[2, 0, 0, 0, 0, 9][..], &first[..6], &[0, 0]].concat()),
        &frame(9, 0x4, 1, &first[6..]),
        &frame(0, 1, 1, &[b'x'; 3000]),
        &frame(1, 0x5, 3, &authority("b.example")),
        // Index 63: the entry before the last.
        &frame(1, 0x5, 5, &[0x82, 0xbf]),
        &frame(1, 0x5, 7, &authority("c.example")),
    ]
    .concat();
    for size in [1000, 11] {
        let parts: Vec<(bool, &[u8])> = bytes.chunks(size).map(|part| (C, part)).collect();
        let flow = conversation(50051, &parts);
        assert_eq!((flow.app.as_str(), flow.version.as_deref(), flow.unread), ("http", Some("2"), false));
        assert_eq!(hosts(&flow), ["a.example", "b.example", "c.example"]);
    }
}

#[test]
fn fields_of_http_2_that_make_no_sense_leave_doubt() {
    let bytes = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(1, 0x5, 1, &[0x82, 0xff, 0x7f])].concat();
    let flow = conversation(50051, &[(C, &bytes)]);
    assert!(flow.unread);
    assert_eq!(flow.weird[0].word, "http2_malformed");
}
