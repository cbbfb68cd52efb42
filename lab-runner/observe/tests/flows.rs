//! What flows are called, on packets that are made here.

mod packets;

use lab_observe::{Disagreement, NameKind, Reason, State, Style, render_text};
use packets::{Wire, client_hello, dns_answer, dns_query};

const PHONE: &str = "192.0.2.10:40000";
const RESOLVER: &str = "203.0.113.53:53";
const API: &str = "198.51.100.20:443";
const FOREIGN: &str = "203.0.113.66:443";

fn looks_up(wire: &mut Wire, name: &str, address: &str) {
    wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, name));
    wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(7, name, &[], address));
}

#[test]
fn a_client_hello_whose_name_dns_gave_for_that_address_is_corroborated() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    wire.tcp_opens(PHONE, API, &[&client_hello(Some("API.nucleus-u8.example"), &["h2", "http/1.1"])]);
    let seen = wire.observe();
    let [dns, tls] = &seen.flows[..] else { panic!("{:?}", seen.flows) };
    assert_eq!((dns.app.as_str(), dns.reason), ("dns", Some(Reason::Resolver)));
    assert_eq!(dns.names_of(NameKind::DnsQuery).collect::<Vec<_>>(), ["api.nucleus-u8.example"]);
    assert_eq!((tls.app.as_str(), tls.state, tls.corroborated), ("tls", State::Named, true));
    assert_eq!(tls.best_name(), Some("api.nucleus-u8.example"));
    assert_eq!(tls.alpn, ["h2", "http/1.1"]);
    assert_eq!((tls.client.to_string().as_str(), tls.server.to_string().as_str()), (PHONE, API));
    let frames: Vec<_> = tls.names.iter().map(|name| (name.kind, name.frame)).collect();
    assert_eq!(frames, [(NameKind::Dns, 2), (NameKind::Sni, 6)]);
}

#[test]
fn a_declared_name_in_a_client_hello_to_a_foreign_address_stays_uncorroborated() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(Some("api.nucleus-u8.example"), &[])]);
    let seen = wire.observe();
    assert_eq!((seen.flows[1].state, seen.flows[1].corroborated), (State::Named, false));
}

#[test]
fn another_name_than_the_one_dns_gave_for_the_address_is_a_disagreement() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "evil.example", "203.0.113.66");
    wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(Some("api.nucleus-u8.example"), &[])]);
    let seen = wire.observe();
    assert!(!seen.flows[1].corroborated);
    assert_eq!(seen.flows[1].disagreement, [Disagreement::SniDns]);
}

#[test]
fn tls_without_sni_to_an_address_that_was_never_looked_up_is_unresolved_and_says_why() {
    let mut wire = Wire::new();
    wire.tcp_opens("192.0.2.10:39999", FOREIGN, &[&client_hello(None, &[])]);
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(None, &[])]);
    let seen = wire.observe();
    let reasons: Vec<_> = seen.flows.iter().map(|flow| flow.reason).collect();
    assert_eq!(reasons, [Some(Reason::NoDnsSeen), Some(Reason::Resolver), Some(Reason::NeverQueried)]);
    assert!(seen.flows.iter().all(|flow| flow.state == State::Unresolved));
}

#[test]
fn an_answer_that_comes_after_the_flow_began_names_nothing() {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, API, &[&client_hello(None, &[])]);
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    assert_eq!(wire.observe().flows[0].state, State::Unresolved);
}

#[test]
fn an_answer_that_nobody_asked_for_vouches_for_nothing() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, "api.nucleus-u8.example"));
    wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(8, "api.nucleus-u8.example", &[], "203.0.113.66"));
    wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(Some("api.nucleus-u8.example"), &[])]);
    let seen = wire.observe();
    assert!(!seen.flows[1].corroborated);
    assert_eq!(seen.summary.weird.get("dns_answer_unasked"), Some(&1));
}

#[test]
fn what_another_client_looked_up_names_nothing() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.11:50000", RESOLVER, &dns_query(7, "api.nucleus-u8.example"));
    wire.udp(RESOLVER, "192.0.2.11:50000", &dns_answer(7, "api.nucleus-u8.example", &[], "198.51.100.20"));
    wire.tcp_opens(PHONE, API, &[&client_hello(None, &[])]);
    assert_eq!(wire.observe().flows[1].state, State::Unresolved);
}

#[test]
fn two_names_on_one_address_are_ambiguous_until_the_client_says_which() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    looks_up(&mut wire, "cdn.nucleus-u8.example", "198.51.100.20");
    wire.tcp_opens(PHONE, API, &[&client_hello(None, &[])]);
    wire.tcp_opens("192.0.2.10:40001", API, &[&client_hello(Some("cdn.nucleus-u8.example"), &[])]);
    let seen = wire.observe();
    assert_eq!((seen.flows[1].state, seen.flows[1].reason), (State::Ambiguous, Some(Reason::SeveralNames)));
    assert_eq!((seen.flows[2].state, seen.flows[2].corroborated), (State::Named, true));
}

#[test]
fn a_name_behind_cnames_is_the_one_that_was_asked_for() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, "fw.nucleus-u8.example"));
    let answer = dns_answer(7, "fw.nucleus-u8.example", &["edge.cdn.example"], "198.51.100.21");
    wire.udp(RESOLVER, "192.0.2.10:50000", &answer);
    wire.tcp_opens(PHONE, "198.51.100.21:443", &[&client_hello(None, &[])]);
    let flow = &wire.observe().flows[1];
    assert_eq!(flow.best_name(), Some("fw.nucleus-u8.example"));
    assert_eq!(flow.names[0].chain, ["edge.cdn.example"]);
}

#[test]
fn an_ipv6_address_that_a_host_looked_up_over_ipv4_names_its_ipv6_flow() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "api.nucleus-u8.example", "2001:db8:1::20");
    wire.tcp_opens("[2001:db8:1::10]:40000", "[2001:db8:1::20]:443", &[&client_hello(None, &[])]);
    assert_eq!(wire.observe().flows[1].best_name(), Some("api.nucleus-u8.example"));
}

#[test]
fn a_client_hello_in_reordered_overlapping_and_repeated_segments_is_read() {
    let hello = client_hello(Some("api.nucleus-u8.example"), &["h2"]);
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, API);
    let at = |from: usize| seq + from as u32;
    wire.tcp_segment(PHONE, API, at(60), &hello[60..]);
    wire.tcp_segment(PHONE, API, at(30), &hello[30..70]);
    wire.tcp_segment(PHONE, API, at(30), &hello[30..40]);
    wire.tcp_segment(PHONE, API, at(0), &hello[..35]);
    let flow = &wire.observe().flows[0];
    assert_eq!(flow.best_name(), Some("api.nucleus-u8.example"));
    assert_eq!(flow.names[0].frame, 7);
}

#[test]
fn a_connection_on_the_same_ports_after_a_close_is_another_flow() {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, API, &[&client_hello(Some("one.example"), &[])]);
    wire.tcp_close(PHONE, API);
    wire.tcp_opens(PHONE, API, &[&client_hello(Some("two.example"), &[])]);
    let seen = wire.observe();
    let names: Vec<_> = seen.flows.iter().map(|flow| flow.best_name()).collect();
    assert_eq!(names, [Some("one.example"), Some("two.example")]);
}

#[test]
fn every_host_on_a_kept_alive_http_connection_is_seen_and_none_in_a_body() {
    let mut wire = Wire::new();
    let one = b"POST / HTTP/1.1\r\nHost: one.example:80\r\nContent-Length: 30\r\n\r\n";
    let body = b"GET / HTTP/1.1\r\nHost: no.it\r\n\r\n";
    let two = b"GET / HTTP/1.1\r\nhost: Two.Example\r\n\r\n";
    wire.tcp_opens(PHONE, "198.51.100.20:80", &[one, &body[..30], two]);
    let flow = &wire.observe().flows[0];
    assert_eq!(flow.names_of(NameKind::HttpHost).collect::<Vec<_>>(), ["one.example", "two.example"]);
    assert_eq!(flow.disagreement, [Disagreement::SeveralAsserted]);
}

#[test]
fn tls_behind_a_connect_request_is_read() {
    let mut wire = Wire::new();
    let connect = b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n";
    wire.tcp_opens(PHONE, "198.51.100.20:8080", &[connect, &client_hello(Some("inner.example"), &[])]);
    let names: Vec<_> =
        wire.observe().flows[0].names.iter().map(|name| (name.kind, name.name.clone())).collect();
    assert!(names.contains(&(NameKind::HttpAuthority, "evil.example".into())), "{names:?}");
    assert!(names.contains(&(NameKind::StarttlsSni, "inner.example".into())), "{names:?}");
}

#[test]
fn a_host_that_is_the_servers_own_address_names_nothing() {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, "203.0.113.66:80", &[b"GET / HTTP/1.1\r\nHost: 203.0.113.66\r\n\r\n"]);
    assert_eq!(wire.observe().flows[0].state, State::Unresolved);
}

#[test]
fn terminal_escapes_in_a_name_never_leave_the_library() {
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, API, &[&client_hello(Some("a\x1b[31m\"<b>\n.example"), &[])]);
    let seen = wire.observe();
    let mut out = Vec::new();
    lab_observe::render_text(&seen, "a\x1bb.pcap", lab_observe::Style::Plain, &mut out).unwrap();
    lab_observe::render_json(&seen, "a.pcap", &mut out).unwrap();
    assert!(out.iter().all(|byte| matches!(byte, b'\n' | 0x20..0x7f)));
    assert_eq!(seen.flows[0].best_name(), Some("a\\x1b[31m\"<b>\\x0a.example"));
}

#[test]
fn an_echo_to_a_foreign_host_and_unknown_udp_are_flows_of_their_own() {
    let mut wire = Wire::new();
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &[8, 0, 0, 0, 0, 1, 0, 1]);
    wire.ip("203.0.113.66", "192.0.2.10", 1, 64, &[0, 0, 0, 0, 0, 1, 0, 1]);
    wire.udp("192.0.2.10:4000", "203.0.113.66:4001", b"hello");
    let seen = wire.observe();
    assert_eq!(seen.flows.len(), 2);
    assert_eq!(
        (seen.flows[0].app.as_str(), seen.flows[0].packets, seen.flows[0].answered),
        ("icmp", [1, 1], true)
    );
    assert_eq!((seen.flows[1].app.as_str(), seen.flows[1].answered), ("unknown", false));
}

#[test]
fn a_packet_of_zeros_is_a_flow_of_its_own() {
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.66:4001", b"hello");
    let mut like_tcp = [0; 20];
    like_tcp[12] = 0x50;
    wire.ip("0.0.0.0", "0.0.0.0", 0, 64, &like_tcp);
    let packets: Vec<_> = wire.observe().flows.iter().map(|flow| flow.packets).collect();
    assert_eq!(packets, [[1, 0], [1, 0]]);
}

#[test]
fn who_sends_from_a_lower_port_is_the_server_where_the_opening_was_not_seen() {
    for (server, client) in
        [("198.51.100.20:8443", "192.0.2.10:50000"), ("198.51.100.20:443", "192.0.2.10:1025")]
    {
        let mut wire = Wire::new();
        wire.tcp_segment(server, client, 5001, &[]);
        wire.tcp_segment(client, server, 1000, &client_hello(Some("api.nucleus-u8.example"), &[]));
        let flow = wire.observe().flows.remove(0);
        assert_eq!((flow.server.to_string().as_str(), flow.opening_seen), (server, false));
        assert_eq!(flow.best_name(), Some("api.nucleus-u8.example"));
    }
}

#[test]
fn a_side_that_begins_with_another_number_is_followed_and_leaves_doubt() {
    let hello = client_hello(Some("api.nucleus-u8.example"), &[]);
    // The server acknowledges the first, the second, or none.
    for (acknowledged, begins, is_sure) in [(7001, 7001, true), (9001, 9001, true), (0, 9001, false)] {
        let mut wire = Wire::new();
        wire.tcp_syn(PHONE, API, 7000, None);
        wire.tcp_syn(PHONE, API, 9000, None);
        if acknowledged > 0 {
            // A number that nobody sent tells nothing.
            wire.tcp_syn(API, PHONE, 5000, Some(8001));
            wire.tcp_syn(API, PHONE, 5000, Some(acknowledged));
        }
        wire.tcp_segment(PHONE, API, begins, &hello);
        let flow = wire.observe().flows.remove(0);
        assert_eq!(flow.names_of(NameKind::Sni).collect::<Vec<_>>(), ["api.nucleus-u8.example"]);
        assert_eq!((flow.weird.is_empty(), flow.unread), (is_sure, !is_sure));
    }
}

#[test]
fn a_number_that_the_phone_acknowledges_for_the_server_does_not_count() {
    let mut wire = Wire::new();
    wire.tcp_syn(PHONE, API, 9000, None);
    wire.tcp_syn(PHONE, API, 7000, None);
    wire.tcp_syn(API, PHONE, 5000, Some(9001));
    wire.by_phone();
    wire.tcp_syn(API, PHONE, 5000, Some(7001));
    wire.tcp_segment(PHONE, API, 9001, &client_hello(Some("api.nucleus-u8.example"), &[]));
    wire.tcp_segment(PHONE, API, 7001, &client_hello(Some("far.example"), &[]));
    let flow = wire.observe().flows.remove(0);
    assert!(flow.unread && flow.weird.iter().any(|weird| weird.word == "tcp_renumbered"));
}

#[test]
fn a_service_that_speaks_first_early_in_the_capture_goes_on_with_what_was_opened_before() {
    const SHORT: &[u8] = b"\x40 protected";
    let opener = |pause: u64, server: &str, port: u16, first: &[u8]| {
        let phone = format!("192.0.2.10:{port}");
        let mut wire = Wire::new();
        wire.udp("192.0.2.11:40000", "198.51.100.7:9999", b"\x00\x01?");
        wire.pause(pause);
        wire.udp(server, &phone, first);
        wire.udp(&phone, server, SHORT);
        let flow = wire.observe().flows.remove(1);
        assert_eq!((flow.packets, flow.answered), ([1, 1], true));
        (flow.client.port(), flow.reason)
    };
    assert_eq!(opener(2, API, 50000, SHORT), (50000, Some(Reason::BeforeCapture)));
    // Later, from no service, to none of a client's ports, or with what begins a connection, it is opened from outside.
    assert_eq!(opener(40, API, 50000, SHORT).0, 443);
    assert_eq!(opener(2, "198.51.100.20:4433", 50000, SHORT).0, 4433);
    assert_eq!(opener(2, API, 5000, SHORT).0, 443);
    assert_eq!(opener(2, API, 50000, b"\xc0 long").0, 443);
    assert_eq!(opener(2, API, 50000, b"\x16\xfe\xfd").0, 443);
}

#[test]
fn datagrams_from_an_end_to_itself_are_its_own() {
    for end in ["192.0.2.10:5000", "[2001:db8:1::10]:5000"] {
        let mut wire = Wire::new();
        for _ in 0..3 {
            wire.udp(end, end, b"hello");
        }
        let flow = wire.observe().flows.remove(0);
        assert_eq!((flow.packets, flow.answered), ([3, 0], false));
    }
}

#[test]
fn ntp_is_told_by_its_bytes() {
    let mut request = [0; 48];
    request[0] = 0x23;
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50001", "198.51.100.123:123", &request);
    wire.udp("192.0.2.10:50002", "198.51.100.123:123", b"something else on the port of NTP, 50 bytes of it");
    let seen = wire.observe();
    let apps: Vec<_> = seen.flows.iter().map(|flow| flow.app.as_str()).collect();
    assert_eq!(apps, ["ntp", "unknown"]);
}

#[test]
fn a_tunnel_hides_neither_its_own_end_nor_what_it_carries() {
    let mut inner = Wire::new();
    inner.udp("10.0.0.1:5000", "10.0.0.2:5001", b"inside");
    let packet = inner.frames[0][14..].to_vec();
    let mut wire = Wire::new();
    wire.ip("192.0.2.10", "203.0.113.66", 4, 64, &packet);
    let seen = wire.observe();
    let ends: Vec<_> = seen.flows.iter().map(|flow| (flow.server.to_string(), flow.tunnel)).collect();
    assert_eq!(ends, [("203.0.113.66:0".to_owned(), None), ("10.0.0.2:5001".to_owned(), Some(1))]);
}

#[test]
fn canary_frames_are_kept_and_other_ether_types_counted() {
    let mut wire = Wire::new();
    wire.raw(
        &[
            &[0xff; 6][..],
            &[2, 0, 0, 0, 0, 0x0a],
            &[0x88, 0xb5],
            b"lab canary 1, and much more than 32 bytes",
        ]
        .concat(),
    );
    wire.raw(&[&[0xff; 6][..], &[2, 0, 0, 0, 0, 0x0a], &[0x08, 0x06], &[0; 28]].concat());
    let seen = wire.observe();
    assert_eq!(seen.canaries.len(), 1);
    assert_eq!(seen.canaries[0].src_mac.to_string(), "02:00:00:00:00:0a");
    assert!(seen.canaries[0].payload.starts_with(b"lab canary 1") && seen.canaries[0].payload.len() == 32);
    assert_eq!(seen.summary.ether_types.get("0x0806"), Some(&1));
    let mut told = Vec::new();
    render_text(&seen, "", Style::Plain, &mut told).unwrap();
    assert!(String::from_utf8(told).unwrap().contains("frames without IP: 1 ARP, 1 0x88b5\n"));
}

#[test]
fn flows_beyond_the_bound_are_counted_and_make_the_summary_incomplete() {
    let mut wire = Wire::new();
    for port in 1000..1010 {
        wire.udp(&format!("192.0.2.10:{port}"), "203.0.113.66:9", b"x");
    }
    let seen = wire.observe_with(lab_observe::Options { max_flows: 4, ..Default::default() });
    assert_eq!((seen.flows.len(), seen.summary.flows_refused), (4, 6));
    assert!(!seen.summary.complete());
}

#[test]
fn an_outer_name_of_an_encrypted_hello_names_nothing() {
    let mut wire = Wire::new();
    looks_up(&mut wire, "api.nucleus-u8.example", "198.51.100.20");
    let hello = packets::client_hello_with(Some("cover.example"), &[], &[(0xfe0d, &[0, 1, 2, 3])]);
    wire.tcp_opens(PHONE, API, &[&hello]);
    wire.tcp_opens(PHONE, FOREIGN, &[&hello]);
    let seen = wire.observe();
    assert_eq!(seen.flows[1].best_name(), Some("api.nucleus-u8.example"));
    assert_eq!((seen.flows[2].state, seen.flows[2].reason), (State::Unresolved, Some(Reason::Ech)));
    assert_eq!(seen.flows[2].names_of(NameKind::EchOuter).collect::<Vec<_>>(), ["cover.example"]);
}
