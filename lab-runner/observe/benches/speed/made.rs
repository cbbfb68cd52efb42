//! Conversations as a phone has them, where no corpus is there: look-ups, pages, uploads, datagrams.

use crate::input::Source;
use crate::packets::{Wire, client_hello, dns_answer, dns_query};

const HOSTS: usize = 400;
const BULK_SEGMENTS: usize = 40;

/// One capture in which `HOSTS` servers are looked up and talked to.
pub(crate) fn captures() -> Vec<Vec<Source>> {
    let mut wire = Wire::new();
    for host in 0..HOSTS {
        let name = format!("host-{host}.example");
        let server = format!("198.51.100.{}", host % 250 + 1);
        let client = |port: usize| format!("192.0.2.10:{}", port + host);
        wire.udp(&client(20_000), "203.0.113.53:53", &dns_query(host as u16, &name));
        wire.udp("203.0.113.53:53", &client(20_000), &dns_answer(host as u16, &name, &[], &server));
        let (request, answer) = match host % 4 {
            0 => (format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").into_bytes(), vec![b'x'; 1400]),
            _ => (
                client_hello(Some(&name), &["h2", "http/1.1"]),
                [&[23, 3, 3, 0x40, 0][..], &[7; 1395]].concat(),
            ),
        };
        let (near, far) = (client(30_000), format!("{server}:{}", if host % 4 == 0 { 80 } else { 443 }));
        let begun = wire.tcp_handshake(&near, &far);
        wire.tcp_segment(&near, &far, begun, &request);
        let mut sent = 5001;
        for _ in 0..BULK_SEGMENTS {
            wire.tcp_segment(&far, &near, sent, &answer);
            sent += answer.len() as u32;
            wire.tcp_segment(&near, &far, begun + request.len() as u32, &[]);
        }
        wire.tcp_close(&near, &far);
        let quic = format!("{server}:443");
        for number in 0..BULK_SEGMENTS {
            let payload = [&[0x40, number as u8][..], &[9; 1198]].concat();
            wire.udp(&client(40_000), &quic, &payload[..80]);
            wire.udp(&quic, &client(40_000), &payload);
        }
    }
    let frames = wire.frames.into_iter().enumerate();
    vec![
        frames
            .map(|(at, data)| Source { ts_ns: at as u64 * 100_000, orig_len: data.len() as u32, data })
            .collect(),
    ]
}
