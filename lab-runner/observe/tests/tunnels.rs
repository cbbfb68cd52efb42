//! Every tunnel leads to what it carries, and stays a flow of its own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{NameKind, Observation};
use packets::{Wire, dns_query};

const NEAR: &str = "192.0.2.10";
const FAR: &str = "198.51.100.20";
const NEAR6: &str = "2001:db8:1::10";
const FAR6: &str = "2001:db8:2::20";

/// A frame that asks for `asked.example`, from its Ethernet header on.
fn frame() -> Vec<u8> {
    let mut wire = Wire::new();
    wire.udp("192.0.2.30:40000", "203.0.113.53:53", &dns_query(7, "asked.example"));
    wire.frames.remove(0)
}

fn question() -> Vec<u8> {
    frame()[14..].to_vec()
}

fn question6(src: &str) -> Vec<u8> {
    let mut wire = Wire::new();
    wire.udp(&format!("[{src}]:40000"), "[2001:db8:53::1]:53", &dns_query(7, "asked.example"));
    wire.frames[0][14..].to_vec()
}

#[track_caller]
fn carries(seen: &Observation, app: &str) {
    assert_eq!(seen.flows.len(), 2, "{:#?}", seen.flows);
    assert_eq!((seen.flows[0].app.as_str(), seen.flows[0].unread), (app, false));
    let inner = &seen.flows[1];
    assert_eq!(inner.names_of(NameKind::DnsQuery).collect::<Vec<_>>(), ["asked.example"], "{app}");
    assert_eq!(inner.tunnel, Some(1));
    assert!(seen.summary.weird.is_empty(), "{:?}", seen.summary.weird);
}

/// A tunnel by its IP protocol.
#[track_caller]
fn by_protocol(app: &str, ends: (&str, &str), protocol: u8, parts: &[&[u8]]) {
    let mut wire = Wire::new();
    wire.ip(ends.0, ends.1, protocol, 64, &parts.concat());
    carries(&wire.observe(), app);
}

/// A tunnel by its UDP port.
#[track_caller]
fn by_port(app: &str, port: u16, parts: &[&[u8]]) {
    let mut wire = Wire::new();
    wire.udp(&format!("{NEAR}:50000"), &format!("{FAR}:{port}"), &parts.concat());
    carries(&wire.observe(), app);
}

#[test]
fn ip_in_ip_of_either_version_in_either_is_opened() {
    by_protocol("ipip", (NEAR, FAR), 4, &[&question()]);
    by_protocol("4in6", (NEAR6, FAR6), 4, &[&question()]);
    by_protocol("6in4", (NEAR, FAR), 41, &[&question6("2001:db8:9::1")]);
    by_protocol("6in6", (NEAR6, FAR6), 41, &[&question6("2001:db8:9::1")]);
    by_protocol("etherip", (NEAR, FAR), 97, &[&[0x30, 0], &frame()]);
    by_protocol("mpls", (NEAR, FAR), 137, &[&[0, 1, 1, 9], &question()]);
}

#[test]
fn every_form_of_gre_is_opened() {
    let gre = |parts: &[&[u8]]| by_protocol("gre", (NEAR, FAR), 47, parts);
    gre(&[&[0, 0, 8, 0], &question()]);
    gre(&[&[0xb0, 0, 8, 0], &[0; 12], &question()]);
    gre(&[&[0, 0, 0x86, 0xdd], &question6("2001:db8:9::1")]);
    gre(&[&[0x20, 0, 0x65, 0x58], &[0, 0, 1, 0], &frame()]);
    // With a route of one stop (RFC 1701), and its end.
    gre(&[&[0x40, 0, 8, 0], &[0; 4], &[8, 0, 0, 4, 192, 0, 2, 1], &[0; 4], &question()]);
    // PPTP: key, sequence and acknowledgement; PPP.
    gre(&[&[0x30, 0x81, 0x88, 0x0b], &[0; 12], &[0xff, 3, 0, 0x21], &question()]);
    gre(&[&[0, 0, 0x88, 0x47], &[0, 1, 1, 9], &question()]);
    gre(&[&[0, 0, 0x88, 0x3e], &[0, 0, 0, 0], &question()]);
    gre(&[&[0x10, 0, 0x88, 0xbe], &[0; 4], &[0x10; 8], &frame()]);
    gre(&[&[0x10, 0, 0x22, 0xeb], &[0; 4], &[0x20; 11], &[1], &[0; 8], &frame()]);
}

#[test]
fn overlays_are_opened() {
    let vxlan = [8, 0, 0, 0, 0, 0, 7, 0];
    by_port("vxlan", 4789, &[&vxlan, &frame()]);
    by_port("vxlan", 8472, &[&vxlan, &frame()]);
    by_port("vxlan", 4789, &[&[0x88, 0, 1, 2, 0, 0, 7, 0], &frame()]);
    by_port("vxlan", 4790, &[&[0x0c, 0, 0, 1, 0, 0, 7, 0], &question()]);
    by_port("vxlan", 4790, &[&[0x0c, 0, 0, 3, 0, 0, 7, 0], &frame()]);
    by_port("geneve", 6081, &[&[1, 0, 0x65, 0x58, 0, 0, 7, 0], &[0; 4], &frame()]);
    by_port("geneve", 6081, &[&[0, 0, 8, 0, 0, 0, 7, 0], &question()]);
    let gtp = [0x30, 255, 0, 0, 0, 0, 0, 9];
    by_port("gtp-u", 2152, &[&gtp, &question()]);
    // A sequence number and an extension header.
    by_port("gtp-u", 2152, &[&[0x36], &gtp[1..], &[0, 1, 0, 0x85], &[1, 0, 9, 0], &question()]);
}

#[test]
fn teredo_is_opened_behind_its_headers() {
    let packet = question6("2001:0:c000:201::1");
    by_port("teredo", 3544, &[&packet]);
    by_port("teredo", 3544, &[&[0, 0, 1, 2, 3, 4, 5, 6], &packet]);
    by_port("teredo", 3544, &[&[0, 1, 1, 2, 9, 9, 9], &[7; 9], &[0, 0, 1, 2, 3, 4, 5, 6], &packet]);
}

#[test]
fn what_access_points_and_concentrators_wrap_is_opened() {
    by_port("capwap", 5247, &[&[0, 0x10, 2, 0, 0, 0, 0, 0], &frame()]);
    let wifi = [&[8, 1, 0, 0][..], &[2; 18], &[0x10, 0], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat();
    let header = [0, 0x20, 3, 0x20, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    by_port("capwap", 5247, &[&header, &wifi, &question()]);
    by_port("capwap", 5247, &[&header, &[1, 8], &wifi[2..], &question()]);
    by_port("tzsp", 37008, &[&[1, 0, 0, 1, 10, 1, 7, 0, 1], &frame()]);
    by_port("tzsp", 37008, &[&[1, 0, 0, 18, 1], &wifi, &question()]);
    by_port("l2tp", 1701, &[&[0, 2, 0, 1, 0, 2], &[0xff, 3, 0, 0x21], &question()]);
    by_port("l2tp", 1701, &[&[0x4a, 2], &[0; 2], &[0, 1, 0, 2], &[0; 4], &[0, 1, 9], &[0x21], &question()]);
}

#[test]
fn what_only_has_a_tunnels_port_is_no_tunnel() {
    for port in [1701, 2152, 3544, 4789, 4790, 5247, 6081, 8472, 37008] {
        for byte in [0x00, 0x45, 0xff, b'x'] {
            for length in [0, 1, 7, 60] {
                let mut wire = Wire::new();
                wire.udp(&format!("{NEAR}:50000"), &format!("{FAR}:{port}"), &vec![byte; length]);
                let seen = wire.observe();
                assert_eq!((seen.flows.len(), seen.flows[0].unread), (1, false), "{port} {byte:x} {length}");
            }
        }
    }
}

#[test]
fn tunnels_in_tunnels_are_opened_to_a_depth_that_is_said() {
    let mut packet = question();
    for depth in 1..=6 {
        let mut wire = Wire::new();
        wire.ip(NEAR, FAR, 4, 64, &packet);
        let seen = wire.observe();
        assert_eq!(seen.flows.len(), (depth + 1).min(5), "{depth}");
        assert_eq!(seen.summary.weird.contains_key("tunnel_too_deep"), depth > 4);
        packet = wire.frames[0][14..].to_vec();
    }
}
