//! Conversations in which bytes are changed, left out and cut apart: whatever that makes of them, it is read without harm,
//! and the same again from what was consulted.

use proptest::prelude::*;

use crate::conversation::{C, S, conversation};
use crate::packets::client_hello;
use crate::tls::{certified, record, server_hello};

/// A conversation in each protocol of streams.
fn seeds() -> Vec<Vec<(bool, Vec<u8>)>> {
    let hello = client_hello(Some("inner.example"), &["h2", "http/1.1"]);
    let answer =
        record(22, &certified("CA", "inner.example", &["inner.example", "*.example"], Some([192, 0, 2, 1])));
    let newer = record(22, &server_hello(Some(0x0304)));
    let talks: &[&[(bool, &[u8])]] = &[
        &[(C, &hello), (S, &answer)],
        &[(C, &hello), (S, &newer), (C, &[23, 3, 3, 0, 2, 1, 2])],
        &[
            (C, b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\n\r\n"),
            (C, &hello),
            (S, &answer),
        ],
        &[
            (C, b"POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"),
            (S, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            (C, b"GET / HTTP/1.1\r\nHost: b.example\r\nUpgrade: h2c\r\n\r\n"),
            (S, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            (C, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x0c\x01\x04\0\0\0\x01\x82\x41\x89\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab"),
        ],
        &[(S, b"220 mx.example ESMTP\r\n"), (C, b"EHLO desk.example\r\nSTARTTLS\r\n"), (S, b"220 go\r\n"), (C, &hello)],
        &[(C, b"<stream:stream to='chat.example'><starttls/>"), (C, &hello)],
        &[(C, &[5, 1, 0]), (S, &[5, 0]), (C, b"\x05\x01\0\x03\x0bfar.example\x01\xbb"), (S, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), (C, &hello)],
        &[(C, b"\x04\x01\x01\xbb\0\0\0\x07me\0far.example\0"), (S, &[0, 90, 0, 0, 0, 0, 0, 0]), (C, &hello)],
        &[(C, b"\x10\x13\0\x04MQTT\x05\xc2\0\x3c\x02\x11\0\0\x05watch\0\x01u")],
        &[(C, b"AMQP\0\x01\0\0\0\0\0\x20\x02\0\0\0\0\x53\x10\xc0\x11\x02\xa1\x02me\xa1\x0bbus.example")],
        &[(C, b"\0\0\0\x48\xfeSMB\x40\0\0\0\0\0\0\0\x03\0\0\0NTLMSSP\0\x02\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\x08\0\0\0"), (S, b"\x81\0\0\x44 CKAAAAAA")],
        &[(S, b"SSH-2.0-a\r\n"), (C, b"SSH-2.0-b\r\n")],
        &[(C, &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]), (S, b"S"), (C, &hello), (S, &answer)],
        &[(C, b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"), (C, &hello)],
        &[(C, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02\x07\x07"), (C, &hello)],
        &[(S, &[0xff, 0xfd, 1, 0xff, 0xfd, 31]), (C, b"*1\r\n$4\r\nPING\r\n")],
    ];
    let owned = |talk: &&[(bool, &[u8])]| talk.iter().map(|(side, bytes)| (*side, bytes.to_vec())).collect();
    talks.iter().map(owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mangled_conversations_are_read_without_harm(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..6),
        left_out in prop::option::of(any::<prop::sample::Index>()),
        size in 1..200_usize,
        port in prop::sample::select(vec![21_u16, 23, 25, 53, 80, 443, 853, 40_000]),
    ) {
        let seeds = seeds();
        let mut talk = seed.get(&seeds).clone();
        let talk_length = talk.len();
        for (part, at, byte) in changes {
            let bytes = &mut talk[part.index(talk_length)].1;
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(part) = left_out.filter(|_| talk.len() > 1) {
            talk.remove(part.index(talk.len()));
        }
        let parts: Vec<(bool, &[u8])> =
            talk.iter().flat_map(|(side, bytes)| bytes.chunks(size).map(move |part| (*side, part))).collect();
        let flow = conversation(port, &parts);
        prop_assert!(flow.names.iter().all(|name| name.name.is_ascii() && !name.name.is_empty()));
    }
}
