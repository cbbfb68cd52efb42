//! Frames for tests, as a phone and its router would send them.
#![allow(clippy::unwrap_used, dead_code, reason = "tests may panic, and each uses a part")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::{Ethernet2Header, IpHeaders, IpNumber, PacketBuilder, PacketBuilderStep};
use lab_observe::{Frame, Halves, Observation, Observer, Options};

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x0a];
const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x01];

/// A link on which a capture runs.
pub(crate) struct Wire {
    pub(crate) frames: Vec<Vec<u8>>,
    /// Seconds that pass before a frame, by its index.
    pauses: Vec<(usize, u64)>,
    seq: u32,
    /// What each end expects next of each other.
    expected: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self { frames: Vec::new(), pauses: Vec::new(), seq: 1000, expected: HashMap::new() }
    }

    pub(crate) fn raw(&mut self, frame: &[u8]) {
        self.frames.push(frame.to_vec());
    }

    pub(crate) fn pause(&mut self, seconds: u64) {
        self.pauses.push((self.frames.len(), seconds));
    }

    /// Has the last frame come from the phone's link address, whatever its IP header says.
    pub(crate) fn by_phone(&mut self) {
        let frame = self.frames.last_mut().unwrap();
        frame[..6].copy_from_slice(&ROUTER_MAC);
        frame[6..12].copy_from_slice(&CLIENT_MAC);
    }

    fn network(&self, src: IpAddr, dst: IpAddr, hops: u8) -> PacketBuilderStep<IpHeaders> {
        // Clients are 192.0.2.x and 2001:db8:1::1x; the rest is behind the router.
        let is_client =
            src.to_string().starts_with("192.0.2.1") || src.to_string().starts_with("2001:db8:1::1");
        let (from, to) = if is_client { (CLIENT_MAC, ROUTER_MAC) } else { (ROUTER_MAC, CLIENT_MAC) };
        let link: PacketBuilderStep<Ethernet2Header> = PacketBuilder::ethernet2(from, to);
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => link.ipv4(src.octets(), dst.octets(), hops),
            (IpAddr::V6(src), IpAddr::V6(dst)) => link.ipv6(src.octets(), dst.octets(), hops),
            _ => panic!("ends of two families"),
        }
    }

    pub(crate) fn ip(&mut self, src: &str, dst: &str, protocol: u8, hops: u8, payload: &[u8]) {
        let builder = self.network(src.parse().unwrap(), dst.parse().unwrap(), hops);
        let mut frame = Vec::new();
        builder.write(&mut frame, IpNumber(protocol), payload).unwrap();
        self.frames.push(frame);
    }

    pub(crate) fn udp(&mut self, src: &str, dst: &str, payload: &[u8]) {
        let (src, dst): (SocketAddr, SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        let mut frame = Vec::new();
        self.network(src.ip(), dst.ip(), 64).udp(src.port(), dst.port()).write(&mut frame, payload).unwrap();
        self.frames.push(frame);
    }

    fn tcp(&mut self, src: &str, dst: &str, seq: u32, flags: u8, payload: &[u8]) {
        let (src, dst): (SocketAddr, SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        let mut builder = self.network(src.ip(), dst.ip(), 64).tcp(src.port(), dst.port(), seq, 65000);
        if flags & SYN != 0 {
            builder = builder.syn();
            self.expected.insert((dst, src), seq + 1);
        }
        if flags & ACK != 0 {
            builder = builder.ack(self.expected.get(&(src, dst)).copied().unwrap_or(1));
        }
        if !payload.is_empty() {
            self.expected.insert((dst, src), seq.wrapping_add(payload.len() as u32));
        }
        if flags & FIN != 0 {
            builder = builder.fin();
        }
        let mut frame = Vec::new();
        builder.write(&mut frame, payload).unwrap();
        self.frames.push(frame);
    }

    /// A SYN, which acknowledges one or none.
    pub(crate) fn tcp_syn(&mut self, src: &str, dst: &str, seq: u32, ack: Option<u32>) {
        let (src, dst): (SocketAddr, SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        let builder = self.network(src.ip(), dst.ip(), 64).tcp(src.port(), dst.port(), seq, 65000).syn();
        let mut frame = Vec::new();
        match ack {
            Some(ack) => builder.ack(ack).write(&mut frame, &[]).unwrap(),
            None => builder.write(&mut frame, &[]).unwrap(),
        }
        self.frames.push(frame);
    }

    /// Three packets; returns the sequence number of the client's first byte.
    pub(crate) fn tcp_handshake(&mut self, client: &str, server: &str) -> u32 {
        self.seq += 100_000;
        let isn = self.seq;
        self.tcp(client, server, isn, SYN, &[]);
        self.tcp(server, client, 5000, SYN | ACK, &[]);
        self.tcp(client, server, isn + 1, ACK, &[]);
        isn + 1
    }

    pub(crate) fn tcp_segment(&mut self, src: &str, dst: &str, seq: u32, payload: &[u8]) {
        self.tcp(src, dst, seq, ACK, payload);
    }

    /// A handshake, and the client's segments in order.
    pub(crate) fn tcp_opens(&mut self, client: &str, server: &str, segments: &[&[u8]]) {
        let mut seq = self.tcp_handshake(client, server);
        for segment in segments {
            self.tcp_segment(client, server, seq, segment);
            seq += segment.len() as u32;
        }
    }

    pub(crate) fn tcp_close(&mut self, client: &str, server: &str) {
        self.tcp(client, server, self.seq + 50_000, FIN | ACK, &[]);
        self.tcp(server, client, 6000, FIN | ACK, &[]);
    }

    pub(crate) fn observe(&self) -> Observation {
        self.observe_with(Options::default())
    }

    /// Observes thrice: the frames whole, cut to what was consulted, all on the slow path, and in two halves where none
    /// of the bounds is near; all must tell the same.
    pub(crate) fn observe_with(&self, options: Options) -> Observation {
        let mut whole = Observer::new(options.clone());
        let mut again = Observer::new(options.clone());
        again.explain(u64::MAX);
        for frame in self.captured() {
            let consulted = whole.push(frame);
            assert_eq!(again.push(Frame { data: &frame.data[..consulted.0], ..frame }), consulted);
        }
        let halves = Halves::of_frames([self.captured(), self.captured()], &options);
        let (whole, again) = (whole.finish(), again.finish());
        assert_eq!(whole, again, "cut frames tell something else");
        if let Some(halves) = halves {
            assert_eq!(whole, halves.finish(), "two halves tell something else");
        }
        whole
    }

    /// The frames as a capture has them, a millisecond apart but for the pauses.
    pub(crate) fn captured(&self) -> impl Iterator<Item = Frame<'_>> + Clone {
        self.frames.iter().enumerate().map(|(number, bytes)| {
            let paused: u64 = self.pauses.iter().filter(|(at, _)| *at <= number).map(|(_, s)| s).sum();
            Frame {
                ts_ns: 1_700_000_000_000_000_000 + paused * 1_000_000_000 + number as u64 * 1_000_000,
                data: bytes,
                orig_len: bytes.len() as u32,
                link_type: 1,
                interface: 0,
            }
        })
    }
}

/// A ClientHello in one record.
pub(crate) fn client_hello(sni: Option<&str>, alpn: &[&str]) -> Vec<u8> {
    client_hello_with(sni, alpn, &[])
}

/// A ClientHello with further extensions.
pub(crate) fn client_hello_with(sni: Option<&str>, alpn: &[&str], more: &[(u16, &[u8])]) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend((body.len() as u16).to_be_bytes());
        extensions.extend(body);
    };
    extension(0x0a0a, &[]);
    if let Some(name) = sni {
        let length = name.len() as u16;
        extension(
            0,
            &[&(length + 3).to_be_bytes()[..], &[0], &length.to_be_bytes(), name.as_bytes()].concat(),
        );
    }
    if !alpn.is_empty() {
        let list: Vec<u8> =
            alpn.iter().flat_map(|word| [&[word.len() as u8][..], word.as_bytes()].concat()).collect();
        extension(16, &[&(list.len() as u16).to_be_bytes()[..], &list].concat());
    }
    for (kind, body) in more {
        extension(*kind, body);
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    [&[22, 3, 1][..], &(message.len() as u16).to_be_bytes(), &message].concat()
}

fn name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
}

/// A question for A.
pub(crate) fn dns_query(id: u16, asked: &str) -> Vec<u8> {
    let mut message = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    name(&mut message, asked);
    message.extend([0, 1, 0, 1]);
    message
}

/// An answer with an address, through CNAMEs.
pub(crate) fn dns_answer(id: u16, asked: &str, cnames: &[&str], address: &str) -> Vec<u8> {
    let count = cnames.len() as u8 + 1;
    let mut message = [&id.to_be_bytes()[..], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0]].concat();
    name(&mut message, asked);
    message.extend([0, 1, 0, 1]);
    let mut owner = asked;
    for target in cnames {
        name(&mut message, owner);
        message.extend([0, 5, 0, 1, 0, 0, 0, 60]);
        let mut data = Vec::new();
        name(&mut data, target);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
        owner = target;
    }
    name(&mut message, owner);
    let (kind, data) = match address.parse().unwrap() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (28, ip.octets().to_vec()),
    };
    message.extend([0, kind, 0, 1, 0, 0, 0, 60]);
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(data);
    message
}
