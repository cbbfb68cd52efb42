//! Writes the inputs that the fuzzer begins with, all of them made here: `cargo run --example seeds` in this folder.
//!
//! They go to `corpus/<target>`, beside what the fuzzer found from there and `cargo fuzz cmin` left.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../../tests/packets/mod.rs"]
mod packets;

use std::path::Path;

use lab_observe_fuzz::joined;
use packets::{Wire, client_hello, client_hello_with, dns_answer, dns_query};

/// As the targets say what the bits of a piece mean.
const SERVER: u8 = 1;
const CUT: u8 = 2;
const AWAY: u8 = 4;
const FLAGS: u8 = 8;
const SEALED: u8 = 2;
const SECOND: u8 = 4;

const NAME: &str = "api.example";

fn main() {
    let hello = client_hello(Some(NAME), &["h2", "http/1.1"]);
    tcp(&hello);
    tls(&hello);
    quic(&hello[5..]);
    dns();
    http();
    stun();
    captures(&hello);
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

/// An input whose first byte is not a piece's.
fn after(first: u8, pieces: &[(u8, &[u8])]) -> Vec<u8> {
    [&[first][..], &joined(pieces)].concat()
}

fn tcp(hello: &[u8]) {
    let (early, late) = hello.split_at(40);
    let away = |offset: i16, bytes: &[u8]| [&offset.to_le_bytes()[..], bytes].concat();
    write("tcp", "in-order", &after(0, &[(0, early), (0, late), (SERVER, &[21, 3, 3, 0, 2, 2, 40])]));
    write("tcp", "overtaking", &after(0, &[(AWAY, &away(40, late)), (0, early)]));
    write("tcp", "overlapping", &after(0, &[(0, early), (AWAY, &away(-10, &hello[30..]))]));
    write("tcp", "cut-and-reset", &after(1, &[(CUT, &away(100, b"GET / HT")), (FLAGS | SERVER, &[0, 4])]));
}

fn tls(hello: &[u8]) {
    let certificate = certificate(&[b"api.example", b"*.api.example"]);
    let server_hello = [&[22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3][..], &[5; 32], &[0, 0x13, 0x01, 0]].concat();
    write("tls", "hello", &after(0, &[(0, hello), (SERVER, &server_hello), (SERVER, &certificate)]));
    let records: Vec<u8> = hello[5..]
        .chunks(16)
        .flat_map(|part| [&[22, 3, 1, 0, part.len() as u8][..], part].concat())
        .collect();
    write("tls", "records", &after(0, &[(0, &records)]));
    let ech =
        client_hello_with(Some("outer.example"), &[], &[(0xfe0d, &[0, 0, 1, 0, 1, 7, 0, 2, 1, 2, 0, 1, 3])]);
    write("tls", "encrypted-hello", &after(0, &[(0, &ech)]));
    let mail: [(u8, &[u8]); 5] = [
        (SERVER, b"220 mail.example ESMTP\r\n"),
        (0, b"EHLO phone.example\r\n"),
        (SERVER, b"250-mail.example\r\n250 STARTTLS\r\n"),
        (0, b"STARTTLS\r\n"),
        (SERVER, b"220 go ahead\r\n"),
    ];
    write("tls", "smtp", &after(1, &[&mail[..], &[(0, hello)]].concat()));
    let imap: [(u8, &[u8]); 3] =
        [(SERVER, b"* OK ready\r\n"), (0, b"a STARTTLS\r\n"), (SERVER, b"a OK begin\r\n")];
    write("tls", "imap", &after(2, &[&imap[..], &[(0, hello)]].concat()));
    let xmpp: [(u8, &[u8]); 3] = [
        (0, b"<?xml version='1.0'?><stream:stream to='chat.example' xmlns='jabber:client'>"),
        (0, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (SERVER, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ];
    write("tls", "xmpp", &after(3, &[&xmpp[..], &[(0, hello)]].concat()));
    // DTLS: a record's header with epoch and number, and a handshake header that knows of fragments.
    let body = &hello[9..];
    let dtls_body = [&[0xfe, 0xfd], &body[2..34], &[0, 0], &body[35..]].concat();
    let length = (dtls_body.len() as u32).to_be_bytes();
    let message = [&[1], &length[1..], &[0, 0, 0, 0, 0], &length[1..], &dtls_body].concat();
    let record =
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &(message.len() as u16).to_be_bytes(), &message]
            .concat();
    write("tls", "dtls", &after(4, &[(0, &record)]));
}

/// A handshake record with a certificate of which only the alternative names make sense.
fn certificate(names: &[&[u8]]) -> Vec<u8> {
    let tagged = |tag: u8, value: &[u8]| match u8::try_from(value.len()) {
        Ok(length) if length < 0x80 => [&[tag, length][..], value].concat(),
        _ => [&[tag, 0x82][..], &(value.len() as u16).to_be_bytes(), value].concat(),
    };
    let names: Vec<u8> = names.iter().flat_map(|name| tagged(0x82, name)).collect();
    let extension =
        tagged(0x30, &[tagged(6, &[0x55, 0x1d, 0x11]), tagged(4, &tagged(0x30, &names))].concat());
    let empty = tagged(0x30, &[]);
    let body = [
        &tagged(0xa0, &[2, 1, 2])[..],
        &tagged(2, &[1]),
        &empty,
        &empty,
        &empty,
        &empty,
        &empty,
        &tagged(0xa3, &tagged(0x30, &extension)),
    ]
    .concat();
    let whole = tagged(0x30, &[tagged(0x30, &body), empty.clone(), tagged(3, &[0])].concat());
    let long = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat();
    let message = [&[11][..], &long(&long(&long(&whole)))].concat();
    [&[22, 3, 3][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}

fn quic(hello: &[u8]) {
    let crypto = |offset: u16, data: &[u8]| {
        let varint = |number: u16| (0x4000 | number).to_be_bytes();
        [&[6][..], &varint(offset), &varint(data.len() as u16), data].concat()
    };
    let (early, late) = hello.split_at(50);
    let (first, second) = (crypto(0, early), crypto(50, late));
    write("quic", "version-1", &joined(&[(SEALED, &crypto(0, hello))]));
    write("quic", "version-2", &joined(&[(SEALED | SECOND, &crypto(0, hello))]));
    write("quic", "in-pieces", &joined(&[(SEALED, &second), (SEALED, &[&[1, 0, 0][..], &first].concat())]));
    let ack = [2, 1, 0, 1, 0, 0, 0, 0x1c, 0, 0, 0];
    write("quic", "other-frames", &joined(&[(SEALED, &[&ack[..], &first].concat()), (SEALED, &second)]));
    let negotiation =
        [&[0x80, 0, 0, 0, 0, 4, 1, 2, 3, 4, 4, 5, 6, 7, 8][..], &[0, 0, 0, 1, 0xff, 0, 0, 0x1d]].concat();
    let reserved = [&[0xc0, 0x0a, 0x0a, 0x0a, 0x0a, 4, 5, 6, 7, 8, 4, 1, 2, 3, 4][..], &[0; 1190]].concat();
    write(
        "quic",
        "negotiation",
        &joined(&[(0, &reserved), (SERVER, &negotiation), (SEALED, &crypto(0, hello))]),
    );
    let name = NAME.as_bytes();
    let mut google = b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08Q043\x01".to_vec();
    google.extend(
        [&[0; 12][..], b"\xa0\x01\x00\x00\x00CHLO\x01\0\0\0SNI\0", &(name.len() as u32).to_le_bytes(), name]
            .concat(),
    );
    write("quic", "google", &joined(&[(0, &google)]));
}

fn dns() {
    let (query, answer) = (dns_query(7, NAME), dns_answer(7, NAME, &["a.example"], "198.51.100.20"));
    write("dns", "look-up", &after(0, &[(0, &query), (SERVER, &answer)]));
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    write("dns", "stream", &after(0x80, &[(0, &framed(&query)), (SERVER, &framed(&answer))]));
    write("dns", "multicast", &after(1, &[(0, &query), (0, &answer)]));
    let circle = [&query[..12], &[0xc0, 12, 0, 1, 0, 1]].concat();
    write("dns", "circle", &after(0, &[(0, &circle)]));
    // An HTTPS record with a hint, ALPN and a configuration for ECH (RFC 9460 §2.2).
    let mut service = query.clone();
    (service[2], service[7]) = (0x81, 1);
    let parameters = [0, 1, 0, 0, 1, 0, 3, 2, b'h', b'2', 0, 4, 0, 4, 198, 51, 100, 20, 0, 5, 0, 2, 0, 0];
    service
        .extend([&[0xc0, 12, 0, 65, 0, 1, 0, 0, 0, 60, 0, parameters.len() as u8][..], &parameters].concat());
    write("dns", "service", &after(0, &[(SERVER, &service)]));
    let encoded: Vec<u8> =
        b"WATCH          \0".iter().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]).collect();
    let netbios =
        [&[0, 1, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1, 32][..], &encoded, &[0, 0, 0x20, 0, 1]].concat();
    write("dns", "netbios", &after(3, &[(0, &netbios)]));
}

fn http() {
    let get = b"GET /a HTTP/1.1\r\nHost: api.example\r\n\r\n";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    write("http", "keep-alive", &joined(&[(0, get), (SERVER, ok), (0, get), (SERVER, ok)]));
    let chunked = b"POST http://api.example:8080/ HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    write("http", "chunked", &joined(&[(0, chunked), (0, get)]));
    let connect = b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n";
    let hello = client_hello(Some(NAME), &[]);
    write("http", "proxy", &joined(&[(0, connect), (SERVER, b"HTTP/1.1 200 fine\r\n\r\n"), (0, &hello)]));
    let upgrade =
        b"GET /ws HTTP/1.1\r\nHost: api.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    write(
        "http",
        "upgrade",
        &joined(&[(0, upgrade), (SERVER, b"HTTP/1.1 101 yes\r\nUpgrade: websocket\r\n\r\n\x81\0")]),
    );
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // HEADERS with GET, http, / from the static table and the authority in plain (RFC 7541 §6.2.2).
    let block = [&[0x82, 0x86, 0x84, 0x01, NAME.len() as u8][..], NAME.as_bytes()].concat();
    let headers = [&[0, 0, block.len() as u8, 1, 4, 0, 0, 0, 1][..], &block].concat();
    write("http", "second", &joined(&[(0, preface), (0, &[0, 0, 0, 4, 0, 0, 0, 0, 0]), (0, &headers)]));
}

fn stun() {
    let message = |kind: u16, attributes: &[u8]| {
        let length = (attributes.len() as u16).to_be_bytes();
        [&kind.to_be_bytes()[..], &length, &[0x21, 0x12, 0xa4, 0x42], &[7; 12], attributes].concat()
    };
    let mapped = [0, 0x20, 0, 8, 0, 1, 0x25, 0x13, 0xe7, 0x21, 0xc0, 0x45];
    let relayed = [&[0, 0x16, 0, 8, 0, 1, 0x25, 0x13, 0xe7, 0x21, 0xc0, 0x45][..], &mapped].concat();
    let (ask, told) = (message(1, &[]), message(0x0101, &mapped));
    write("stun", "binding", &after(0, &[(0, &ask), (SERVER, &told)]));
    write("stun", "relay", &after(0, &[(0, &message(3, &[])), (SERVER, &message(0x0103, &relayed))]));
    let channel = [0x40, 0, 0, 4, 1, 2, 3, 4];
    write("stun", "stream", &after(0x80, &[(0, &ask), (SERVER, &[&told[..], &channel].concat())]));
    let plain = [&[1, 1, 0, 12][..], &[9; 16], &[0, 1, 0, 8, 0, 1, 4, 1, 198, 51, 100, 7]].concat();
    write(
        "stun",
        "before-the-cookie",
        &after(0, &[(0, &[&[0, 1, 0, 0][..], &[9; 16]].concat()), (SERVER, &plain)]),
    );
}

/// Whole files, and frames behind the number of their link.
fn captures(hello: &[u8]) {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", "203.0.113.53:53", &dns_query(7, NAME));
    wire.udp("203.0.113.53:53", "192.0.2.10:50000", &dns_answer(7, NAME, &[], "198.51.100.20"));
    wire.tcp_opens("192.0.2.10:40000", "198.51.100.20:443", &[hello]);
    wire.udp("[2001:db8:1::10]:40000", "[2001:db8:2::20]:4444", b"hello");
    wire.ip("192.0.2.10", "198.51.100.20", 4, 64, &wire.frames[0][14..].to_vec());
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut pcapng = section();
    let mut frames = Vec::new();
    for frame in &wire.frames {
        let length = (frame.len() as u32).to_le_bytes();
        pcap.extend([&[0; 8][..], &length, &length, frame].concat());
        let mut packet = [&[0; 12][..], &length, &length, frame].concat();
        packet.resize(packet.len().next_multiple_of(4), 0);
        pcapng.extend(block(6, &packet));
        frames.extend([&[0][..], &(frame.len() as u16).to_be_bytes(), frame].concat());
    }
    pcapng.extend(block(5, &[0; 12]));
    write("capture", "pcap", &pcap);
    write("capture", "pcapng", &[section(), pcapng.clone()].concat());
    write("files", "pcap", &[&[7], &pcap[..]].concat());
    write("files", "pcapng", &[&[0], &pcapng[..]].concat());
    write("frames", "ethernet", &frames);
    // Raw IP, and VLAN before it.
    let raw = &wire.frames[0][14..];
    write("frames", "raw", &[&[2][..], &(raw.len() as u16).to_be_bytes(), raw].concat());
    let tagged = [&wire.frames[0][..12], &[0x81, 0, 0, 7], &wire.frames[0][12..]].concat();
    write("frames", "vlan", &[&[0][..], &(tagged.len() as u16).to_be_bytes(), &tagged].concat());
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// A section of pcapng with one interface.
fn section() -> Vec<u8> {
    let head = [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat();
    [block(0x0a0d_0d0a, &head), block(1, &[1, 0, 0, 0, 0, 0, 4, 0])].concat()
}
