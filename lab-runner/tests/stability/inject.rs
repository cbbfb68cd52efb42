//! What a product must not do, as packets at the end of a capture of what it does.
//!
//! Nothing is told to the judge but bytes: each injection is a capture again.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use etherparse::PacketBuilder;
use lab_observe::{Frame, L4, MacAddr, NameKind};
use lab_runner::captured::{Captured, Device};

use super::packets::{client_hello, dns_answer, dns_query};

/// Kinds of injection.
pub(crate) const KINDS: [Kind; 13] = [
    Kind::NewDomain,
    Kind::SiblingOnSameAddress,
    Kind::BareAddress,
    Kind::AnotherPort,
    Kind::AnotherProtocol,
    Kind::DeclaredNameOnForeignAddress,
    Kind::ForeignHostOnKeptAlive,
    Kind::ForeignResolver,
    Kind::TunnelUnderDeclared,
    Kind::UnansweredAttempt,
    Kind::Icmp,
    Kind::UnansweredDatagram,
    Kind::QuietTunnel,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A domain that was never there, looked up and opened.
    NewDomain,
    /// Another domain, looked up to the address of one that the product uses.
    SiblingOnSameAddress,
    /// TLS to an address that nobody looked up.
    BareAddress,
    /// The product's own server on another port.
    AnotherPort,
    /// The product's own server, spoken to in another protocol.
    AnotherProtocol,
    /// A name of the product, asserted to an address that was never given for it.
    DeclaredNameOnForeignAddress,
    /// A second request on the connection to the product's server, for another host.
    ForeignHostOnKeptAlive,
    /// A look-up at somebody else's resolver.
    ForeignResolver,
    /// Data in names under a domain that the product uses.
    TunnelUnderDeclared,
    /// A connection attempt that nobody answers.
    UnansweredAttempt,
    /// A ping with something in it.
    Icmp,
    /// A datagram that nobody answers.
    UnansweredDatagram,
    /// A few short labels under a domain that the product uses, asked for as text.
    QuietTunnel,
}

const FOREIGN: [u8; 3] = [198, 51, 100];
const FIN_ACK: u8 = 0x11;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Who talks on a capture's link.
struct Scene {
    device: [u8; 6],
    router: [u8; 6],
    own: Ipv4Addr,
    resolver: Ipv4Addr,
    /// A server that the product uses.
    server: Option<Server>,
}

struct Server {
    name: String,
    address: SocketAddrV4,
    l4: L4,
    app: String,
}

/// The capture with an injection at its end, and the number of the first injected frame. `None` where the capture has
/// nothing of the kind that the injection needs.
pub(crate) fn inject(
    kind: Kind,
    seed: u8,
    bytes: &[u8],
    captured: &Captured,
    device: Device,
) -> Option<(Vec<u8>, u64)> {
    let scene = Scene::of(captured, device)?;
    let mut wire = Wire { scene, frames: Vec::new(), port: 50_000 + u16::from(seed) * 40 };
    wire.play(kind, seed)?;
    let mut file = Vec::new();
    for field in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
        file.extend(field.to_le_bytes());
    }
    let (mut last, mut count) = (0, 0);
    for frame in lab_observe::frames(bytes).unwrap() {
        last = frame.ts_ns;
        count += 1;
        record(&mut file, &frame);
    }
    for (number, data) in (1u64..).zip(&wire.frames) {
        let ts_ns = last + number * 20_000_000;
        record(&mut file, &Frame { ts_ns, data, orig_len: data.len() as u32, link_type: 1, interface: 0 });
    }
    Some((file, count + 1))
}

fn record(file: &mut Vec<u8>, frame: &Frame<'_>) {
    const SECOND: u64 = 1_000_000_000;
    let fields = [
        (frame.ts_ns / SECOND) as u32,
        (frame.ts_ns % SECOND) as u32,
        frame.data.len() as u32,
        frame.orig_len,
    ];
    for field in fields {
        file.extend(field.to_le_bytes());
    }
    file.extend(frame.data);
}

impl Scene {
    fn of(captured: &Captured, device: Device) -> Option<Self> {
        let Device::Link(MacAddr(mac)) = device else { return None };
        let flows = &captured.attempt.captures[0].observation.flows;
        let v4 = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        };
        let own = flows.iter().filter_map(|flow| v4(flow.client.ip())).find(|own| own.is_private())?;
        let resolver = flows.iter().find(|flow| flow.app == "dns").and_then(|flow| v4(flow.server.ip()));
        let beyond =
            flows.iter().find(|flow| flow.answered && flow.server_mac.is_some_and(|mac| mac.0[0] & 1 == 0));
        let router = beyond.and_then(|flow| flow.server_mac).map_or([2, 0, 0, 0, 0, 1], |mac| mac.0);
        let [a, b, c, _] = own.octets();
        let named = flows.iter().filter(|flow| flow.answered && flow.app != "ntp" && flow.app != "dns");
        let server = named
            .filter_map(|flow| {
                let mut names = flow.names.iter().filter(|name| name.kind == NameKind::Dns);
                let address = SocketAddrV4::new(v4(flow.server.ip())?, flow.server.port());
                Some(Server {
                    name: names.next()?.name.clone(),
                    address,
                    l4: flow.l4,
                    app: flow.app.to_string(),
                })
            })
            .max_by_key(|server| (server.l4 == L4::Tcp, server.app != "unknown"));
        Some(Self {
            device: mac,
            router,
            own,
            resolver: resolver.unwrap_or(Ipv4Addr::new(a, b, c, 1)),
            server,
        })
    }
}

/// The link, while an injection is played.
struct Wire {
    scene: Scene,
    frames: Vec<Vec<u8>>,
    port: u16,
}

impl Wire {
    fn play(&mut self, kind: Kind, seed: u8) -> Option<()> {
        let foreign = Ipv4Addr::new(FOREIGN[0], FOREIGN[1], FOREIGN[2], seed % 250 + 1);
        let at = |port: u16| SocketAddrV4::new(foreign, port);
        let resolver = self.scene.resolver;
        let evil = format!("c{seed}.foreign-{seed}.example");
        let own = self
            .scene
            .server
            .as_ref()
            .map(|server| (server.name.clone(), server.address, server.l4, server.app.clone()));
        match kind {
            Kind::NewDomain => {
                self.look_up(resolver, &evil, foreign);
                self.tcp(at(443), &[&client_hello(Some(&evil), &["h2"])]);
            }
            Kind::SiblingOnSameAddress => {
                let (_, address, ..) = own?;
                self.look_up(resolver, &evil, *address.ip());
                self.tcp(address, &[&client_hello(Some(&evil), &[])]);
            }
            Kind::BareAddress => self.tcp(at(443), &[&client_hello(None, &[])]),
            Kind::AnotherPort => {
                let (name, address, ..) = own?;
                let other = SocketAddrV4::new(*address.ip(), 4_444 + u16::from(seed));
                self.tcp(other, &[&client_hello(Some(&name), &[])]);
            }
            Kind::AnotherProtocol => {
                let (name, address, l4, app) = own?;
                if l4 == L4::Udp {
                    self.udp(address, &stun_request(seed), Some(&stun_request(seed)));
                } else if app == "tls" {
                    self.tcp(address, &[request(&name, "/").as_bytes()]);
                } else {
                    self.tcp(address, &[&client_hello(Some(&name), &[])]);
                }
            }
            Kind::DeclaredNameOnForeignAddress => {
                let (name, address, _, app) = own?;
                let first = if app == "http" {
                    request(&name, "/").into_bytes()
                } else {
                    client_hello(Some(&name), &[])
                };
                self.tcp(at(address.port()), &[&first]);
            }
            Kind::ForeignHostOnKeptAlive => {
                let (name, address, ..) = own?;
                let (first, second) = (request(&name, "/"), request(&evil, "/collect"));
                self.tcp(address, &[first.as_bytes(), second.as_bytes()]);
            }
            Kind::ForeignResolver => {
                let name = own.map_or(evil, |(name, ..)| name);
                self.look_up(foreign, &name, Ipv4Addr::new(203, 0, 113, 7));
            }
            Kind::TunnelUnderDeclared => {
                let domain = self.domain(own.map(|(name, ..)| name));
                for number in 0..40 {
                    self.question(resolver, &format!("{}.{domain}", data(seed, number, 50)), 1);
                }
            }
            Kind::QuietTunnel => {
                let domain = self.domain(own.map(|(name, ..)| name));
                for number in 0..6 {
                    self.question(resolver, &format!("{}.{domain}", data(seed, number, 12)), 16);
                }
            }
            Kind::UnansweredAttempt => {
                for _ in 0..3 {
                    self.segment(true, at(8443), 1000, SYN, &[]);
                }
            }
            Kind::Icmp => self.ping(foreign, &[seed; 48]),
            Kind::UnansweredDatagram => self.udp(at(9_999), &[seed; 200], None),
        }
        Some(())
    }

    /// The domain that a name of the product stands in, which a pattern for it leaves open; where it uses no names, one
    /// that nobody declared.
    fn domain(&self, name: Option<String>) -> String {
        let name = name.unwrap_or_else(|| "collect.foreign.example".into());
        match name.split_once('.') {
            Some((_, parent)) if parent.contains('.') => parent.to_owned(),
            _ => name,
        }
    }

    fn look_up(&mut self, resolver: Ipv4Addr, name: &str, address: Ipv4Addr) {
        let id = self.port;
        let answer = dns_answer(id, name, &[], &address.to_string());
        self.udp(SocketAddrV4::new(resolver, 53), &dns_query(id, name), Some(&answer));
    }

    fn question(&mut self, resolver: Ipv4Addr, name: &str, qtype: u8) {
        let mut query = dns_query(self.port, name);
        let at = query.len() - 3;
        query[at] = qtype;
        self.udp(SocketAddrV4::new(resolver, 53), &query, None);
    }

    /// A connection with these segments from the device, each acknowledged.
    fn tcp(&mut self, server: SocketAddrV4, segments: &[&[u8]]) {
        let mut seq = 1001;
        self.segment(true, server, 1000, SYN, &[]);
        self.segment(false, server, 5000, SYN | ACK, &[]);
        self.segment(true, server, seq, ACK, &[]);
        for segment in segments {
            self.segment(true, server, seq, ACK, segment);
            seq += segment.len() as u32;
            self.segment(false, server, 5001, ACK, &[]);
        }
        self.segment(true, server, seq, FIN_ACK, &[]);
        self.port += 1;
    }

    fn segment(&mut self, out: bool, server: SocketAddrV4, seq: u32, flags: u8, payload: &[u8]) {
        let (src, dst) = if out { (self.port, server.port()) } else { (server.port(), self.port) };
        let mut builder = self.ip(out, *server.ip()).tcp(src, dst, seq, 65_000);
        if flags & SYN != 0 {
            builder = builder.syn();
        }
        if flags & ACK != 0 {
            builder = builder.ack(if out { 5001 } else { 1001 });
        }
        if flags & 1 != 0 {
            builder = builder.fin();
        }
        let mut frame = Vec::new();
        builder.write(&mut frame, payload).unwrap();
        self.frames.push(frame);
    }

    fn udp(&mut self, server: SocketAddrV4, payload: &[u8], answer: Option<&[u8]>) {
        let mut frame = Vec::new();
        self.ip(true, *server.ip()).udp(self.port, server.port()).write(&mut frame, payload).unwrap();
        self.frames.push(frame);
        if let Some(answer) = answer {
            let mut frame = Vec::new();
            self.ip(false, *server.ip()).udp(server.port(), self.port).write(&mut frame, answer).unwrap();
            self.frames.push(frame);
        }
        self.port += 1;
    }

    fn ping(&mut self, to: Ipv4Addr, payload: &[u8]) {
        let mut frame = Vec::new();
        self.ip(true, to).icmpv4_echo_request(7, 1).write(&mut frame, payload).unwrap();
        self.frames.push(frame);
    }

    fn ip(&self, out: bool, other: Ipv4Addr) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
        let Scene { device, router, own, .. } = &self.scene;
        let (from, to) = if out { (*device, *router) } else { (*router, *device) };
        let (src, dst) = if out { (*own, other) } else { (other, *own) };
        PacketBuilder::ethernet2(from, to).ipv4(src.octets(), dst.octets(), 64)
    }
}

fn request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n")
}

/// A binding request with the magic cookie (RFC 8489 section 5).
fn stun_request(seed: u8) -> Vec<u8> {
    [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[seed; 12]].concat()
}

/// Letters that look like data, other ones for each seed and number.
fn data(seed: u8, number: u32, letters: u32) -> String {
    (0..letters).map(|at| letter(u32::from(seed) * 7919 + number * 104_729 + at * 31)).collect()
}

/// Looks like base 32.
fn letter(number: u32) -> char {
    let mixed = number.wrapping_mul(2_654_435_761) >> 27;
    char::from(b"abcdefghijklmnopqrstuvwxyz234567"[mixed as usize % 32])
}
