//! Ways to hide something in what looks like ordinary traffic, and that each is seen or said to be unread.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{FlowRecord, NameKind, Observation, Reason, State};
use packets::{Wire, client_hello, dns_answer, dns_query};

const PHONE: &str = "192.0.2.10:40000";
const RESOLVER: &str = "203.0.113.53:53";
const API: &str = "198.51.100.20:443";
const FOREIGN: &str = "203.0.113.66:443";

fn questions(flow: &FlowRecord) -> Vec<&str> {
    flow.names_of(NameKind::DnsQuery).collect()
}

fn weird(seen: &Observation, word: &str) -> u64 {
    seen.summary.weird.get(word).copied().unwrap_or(0)
}

#[test]
fn a_question_with_the_reserved_bit_set_is_read() {
    let mut query = dns_query(7, "hidden.example");
    query[3] |= 0x40;
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &query);
    let seen = wire.observe();
    assert_eq!((questions(&seen.flows[0]), seen.flows[0].unread), (vec!["hidden.example"], false));
}

#[test]
fn no_junk_and_no_other_protocol_makes_a_resolvers_flow_unlooked_at() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &stun);
    (0..20).for_each(|_| wire.udp(PHONE, RESOLVER, b"junk"));
    wire.udp(PHONE, RESOLVER, &dns_query(7, "hidden.example"));
    let seen = wire.observe();
    let flow = &seen.flows[0];
    assert_eq!((questions(flow), flow.app.as_str(), flow.unread), (vec!["hidden.example"], "dns", true));
    assert_eq!(weird(&seen, "dns_malformed"), 21);
}

#[test]
fn a_question_from_the_port_of_multicast_dns_to_a_resolver_is_a_question_to_it() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:5353", RESOLVER, &dns_query(7, "hidden.example"));
    assert_eq!(questions(&wire.observe().flows[0]), ["hidden.example"]);
}

/// Cuts the last frame into IPv4 fragments behind so many bytes of the UDP datagram.
fn fragment(wire: &mut Wire, at: usize) {
    let whole = wire.frames.pop().unwrap();
    let (head, body) = whole.split_at(34);
    for (number, part) in [&body[..at], &body[at..]].into_iter().enumerate() {
        let mut frame = [head, part].concat();
        frame[16..18].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        let flags = if number == 0 { 0x2000 } else { (at / 8) as u16 };
        frame[20..22].copy_from_slice(&flags.to_be_bytes());
        wire.frames.push(frame);
    }
}

#[test]
fn a_question_in_fragments_is_read_and_a_fragment_of_no_datagram_leaves_its_flow_unread() {
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &dns_query(7, "hidden-in-a-long-name.example"));
    fragment(&mut wire, 24);
    let orphan = wire.frames[1].clone();
    wire.raw(&orphan);
    let seen = wire.observe();
    assert_eq!((seen.flows.len(), seen.flows[0].packets, seen.flows[0].unread), (2, [2, 0], false));
    assert_eq!(questions(&seen.flows[0]), ["hidden-in-a-long-name.example"]);
    // After the last fragment nothing more belongs to that datagram.
    assert_eq!((seen.flows[1].server.port(), seen.flows[1].unread), (0, true));
    assert_eq!(weird(&seen, "fragment_orphaned"), 1);
}

#[test]
fn many_first_fragments_push_out_the_oldest_and_not_the_newest() {
    let mut wire = Wire::new();
    for number in 0..5000u16 {
        wire.udp(PHONE, "203.0.113.66:4000", &[1; 32]);
        fragment(&mut wire, 16);
        let rest = wire.frames.pop().unwrap();
        wire.frames.last_mut().unwrap()[18..20].copy_from_slice(&number.to_be_bytes());
        if number == 4999 {
            wire.raw(&rest);
            wire.frames.last_mut().unwrap()[18..20].copy_from_slice(&number.to_be_bytes());
        }
    }
    let seen = wire.observe();
    assert_eq!((seen.flows.len(), weird(&seen, "fragment_orphaned")), (1, 0));
}

#[test]
fn an_answer_that_the_client_sends_itself_vouches_for_nothing() {
    for resolver_answered_before in [false, true] {
        let mut wire = Wire::new();
        if resolver_answered_before {
            wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(6, "other.example"));
            wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(6, "other.example", &[], "198.51.100.20"));
        }
        wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, "api.nucleus-u8.example"));
        let answer = dns_answer(7, "api.nucleus-u8.example", &[], "203.0.113.66");
        wire.udp(RESOLVER, "192.0.2.10:50000", &answer);
        wire.by_phone();
        wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(Some("api.nucleus-u8.example"), &[])]);
        let seen = wire.observe();
        assert_eq!((seen.flows[0].unread, seen.flows[1].corroborated), (true, false));
        assert_eq!(weird(&seen, "dns_answer_from_client"), 1);
    }
}

#[test]
fn an_answer_from_any_port_but_a_resolvers_vouches_for_nothing() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:53", "203.0.113.66:4000", &dns_query(7, "api.nucleus-u8.example"));
    let answer = dns_answer(7, "api.nucleus-u8.example", &[], "203.0.113.66");
    wire.udp("203.0.113.66:4000", "192.0.2.10:53", &answer);
    wire.tcp_opens(PHONE, FOREIGN, &[&client_hello(Some("api.nucleus-u8.example"), &[])]);
    let seen = wire.observe();
    assert_eq!(seen.flows[0].client.to_string(), "192.0.2.10:53");
    assert!(!seen.flows[1].corroborated);
}

#[test]
fn who_sends_first_is_the_client_whatever_port_it_sends_from() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:443", "203.0.113.66:4000", b"hello");
    wire.udp("192.0.2.10:53", "203.0.113.66:4001", b"hello");
    // Asked before the capture began.
    wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(7, "a.example", &[], "198.51.100.20"));
    wire.pause(20);
    // Can't have been.
    wire.udp("192.0.2.10:53", "203.0.113.66:4002", &dns_answer(7, "a.example", &[], "198.51.100.20"));
    let seen = wire.observe();
    let told: Vec<_> = seen.flows.iter().map(|flow| (flow.client.port(), flow.opening_seen)).collect();
    assert_eq!(told, [(443, true), (53, true), (50000, false), (53, true)]);
}

fn neighbour(kind: u8, about: &str, tail: &[u8]) -> Vec<u8> {
    let about = about.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &about, tail].concat()
}

#[test]
fn neighbour_discovery_is_link_control_only_where_it_stays_on_the_link_or_has_no_room() {
    let (us, router, peer) = ("2001:db8:1::10", "2001:db8:1::1", "2001:db8:66::66");
    let address = [1, 1, 2, 0, 0, 0, 0, 0x0a];
    let hidden = [&address[..], &[14, 2], &[7; 14]].concat();
    let cases: &[(&str, &str, u8, Vec<u8>, bool)] = &[
        (us, "ff02::1:ff00:1", 255, neighbour(135, router, &hidden), true),
        (us, router, 255, neighbour(135, router, &address), true),
        (us, "2001:db8:1::2", 255, neighbour(136, us, &[]), true),
        ("fe80::10", "2001:db8:1::3", 255, neighbour(135, "2001:db8:1::3", &hidden), true),
        // A name for something else, options with room, no neighbour, a source that proves nothing, through a router.
        (us, "2001:db8:1::4", 255, neighbour(135, peer, &address), false),
        (us, "2001:db8:1::5", 255, neighbour(135, "2001:db8:1::5", &hidden), false),
        (us, peer, 255, neighbour(135, peer, &address), false),
        ("fe80::10", peer, 255, neighbour(135, peer, &[14, 0, 7, 7]), false),
        ("fe80::11", peer, 255, neighbour(135, peer, &[&[14, 20][..], &[7; 158]].concat()), false),
        (us, "2001:db8:1::6", 64, neighbour(135, "2001:db8:1::6", &address), false),
        (us, "ff05::1", 255, neighbour(135, router, &address), false),
    ];
    for (src, dst, hops, message, expected) in cases {
        let mut wire = Wire::new();
        wire.ip(src, dst, 58, *hops, message);
        let flow = &wire.observe().flows[0];
        let app = if *expected { "nd" } else { "icmpv6" };
        assert_eq!((flow.app.as_str(), flow.link_control), (app, *expected), "{src} -> {dst}");
    }
}

/// An ICMP error of this type, which quotes so many bytes of a frame's IP packet, and more.
fn error(kind: u8, frame: &[u8], quoted: usize, more: &[u8]) -> Vec<u8> {
    [&[kind, 3, 0, 0, 0, 0, 0, 0], &frame[14..14 + quoted], more].concat()
}

#[test]
fn an_error_counts_into_the_flow_that_it_is_about() {
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.66:4000", b"hello");
    wire.udp("203.0.113.66:4000", PHONE, b"hello, too");
    let [out, back] = [wire.frames[0].clone(), wire.frames[1].clone()];
    // The server's, a router's, and the client's own.
    wire.ip("203.0.113.66", "192.0.2.10", 1, 64, &error(3, &out, 33, &[]));
    wire.ip("203.0.113.1", "192.0.2.10", 1, 64, &error(11, &out, 28, &[0; 100]));
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &error(3, &back, 38, &[]));
    let seen = wire.observe();
    assert_eq!((seen.flows.len(), seen.flows[0].packets, seen.flows[0].frames), (1, [2, 3], [1, 5]));
}

#[test]
fn an_error_with_room_for_more_or_about_no_known_packet_is_a_flow_of_its_own() {
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.66:4000", b"hello");
    wire.udp("203.0.113.66:4000", PHONE, b"hello, too");
    let [out, back] = [wire.frames[0].clone(), wire.frames[1].clone()];
    let before = wire.frames.len();
    // More than what came, although it says that more came.
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &error(3, &back, 38, b"and the user's name"));
    let mut longer = back.clone();
    longer[16..18].copy_from_slice(&500u16.to_be_bytes());
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &error(3, &longer, 38, b"and the user's name"));
    // To somebody else, about nothing, too long, from the client in a router's name.
    wire.ip("192.0.2.10", "203.0.113.67", 1, 64, &error(3, &back, 38, &[]));
    let mut unknown = back.clone();
    unknown[34..36].copy_from_slice(&4001u16.to_be_bytes());
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &error(3, &unknown, 38, &[]));
    wire.ip("203.0.113.1", "192.0.2.10", 1, 64, &error(11, &out, 28, &[0; 600]));
    wire.ip("203.0.113.1", "192.0.2.10", 1, 64, &error(11, &out, 28, &[]));
    wire.by_phone();
    let seen = wire.observe();
    let icmp: u64 = seen.flows[1..].iter().map(|flow| flow.packets.iter().sum::<u64>()).sum();
    assert_eq!((seen.flows[0].packets, icmp), ([1, 1], (wire.frames.len() - before) as u64));
    assert!(seen.flows[1..].iter().all(|flow| flow.app == "icmp"));
}

#[test]
fn what_comes_after_a_rest_is_another_flow_with_the_same_client() {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, "a.example"));
    wire.pause(61);
    wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(7, "a.example", &[], "198.51.100.20"));
    wire.ip("192.0.2.10", "203.0.113.66", 1, 64, &[8, 0, 0, 0, 0, 1, 0, 1]);
    wire.pause(31);
    wire.ip("203.0.113.66", "192.0.2.10", 1, 64, &[8, 0, 0, 0, 0, 1, 0, 1]);
    wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(8, "b.example"));
    wire.tcp_opens(PHONE, API, &[b"x"]);
    wire.pause(600);
    wire.tcp_segment(PHONE, API, 7, b"x");
    let seen = wire.observe();
    let told: Vec<_> = seen.flows.iter().map(|flow| (flow.app.as_str(), flow.client.to_string())).collect();
    let resolver = ("dns", "192.0.2.10:50000".to_owned());
    assert_eq!(told[..2], [resolver.clone(), resolver]);
    assert_eq!(told[2..4], [("icmp", "192.0.2.10:0".to_owned()), ("icmp", "203.0.113.66:0".to_owned())]);
    assert_eq!((told.len(), questions(&seen.flows[1])), (5, vec!["a.example", "b.example"]));
    // The answer still belongs to its question.
    assert_eq!(seen.flows[4].best_name(), Some("a.example"));
}

#[test]
fn records_without_a_hello_are_tls_only_where_both_sides_send_them() {
    let record = [&[23, 3, 3, 0, 32][..], &[7; 32]].concat();
    let told = |client: &[u8], server: Option<&[u8]>| {
        let mut wire = Wire::new();
        wire.tcp_opens(PHONE, FOREIGN, &[client]);
        if let Some(server) = server {
            wire.tcp_segment(FOREIGN, PHONE, 5001, server);
        }
        wire.tcp_segment(PHONE, FOREIGN, 900_000, b"the user's name in clear text");
        let flow = wire.observe().flows.remove(0);
        (flow.app, flow.guessed)
    };
    assert_eq!(told(&record, None), ("tls".into(), true));
    assert_eq!(told(&record, Some(b"ok")), ("tls".into(), true));
    assert_eq!(told(&record, Some(&record)), ("tls".into(), false));
    assert_eq!(told(&client_hello(None, &[]), None), ("tls".into(), false));
    assert_eq!(told(b"in clear text", Some(&record)), ("tls".into(), true));
    assert_eq!(told(b"GET / HTTP/1.1\r\n\r\n", Some(&record)), ("http".into(), false));
}

#[test]
fn a_source_route_leaves_its_flow_unread() {
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &dns_query(7, "a.example"));
    // Eight bytes of options: no-operation, and a loose source route to one more stop.
    let whole = wire.frames.pop().unwrap();
    let mut frame = [&whole[..34], &[1, 131, 7, 4, 203, 0, 113, 66], &whole[34..]].concat();
    frame[14] = 0x47;
    frame[16..18].copy_from_slice(&(whole.len() as u16 - 14 + 8).to_be_bytes());
    wire.raw(&frame);
    // A routing header with a segment left: next header UDP.
    let udp = [&[0x9c, 0x40, 0x13, 0x88, 0, 9, 0, 0][..], b"x"].concat();
    let last = "2001:db8:66::66".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let route = |left| [&[17, 2, 2, left, 0, 0, 0, 0][..], &last, &udp].concat();
    wire.ip("2001:db8:1::10", "2001:db8:1::20", 43, 64, &route(1));
    wire.ip("2001:db8:1::10", "2001:db8:1::21", 43, 64, &route(0));
    let seen = wire.observe();
    let unread: Vec<_> = seen.flows.iter().map(|flow| flow.unread).collect();
    assert_eq!((unread, weird(&seen, "source_routed")), (vec![true, true, false], 2));
}

#[test]
fn what_a_host_looked_up_names_no_flow_of_another_behind_the_same_link_address() {
    let state = |others: &[&str]| {
        let mut wire = Wire::new();
        wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, "api.nucleus-u8.example"));
        let answer = dns_answer(7, "api.nucleus-u8.example", &[], "2001:db8:20::20");
        wire.udp(RESOLVER, "192.0.2.10:50000", &answer);
        others.iter().for_each(|other| {
            let server = if other.contains('[') { "[2001:db8:66::66]:9" } else { "203.0.113.66:9" };
            wire.udp(&format!("{other}:9000"), server, b"x");
            wire.by_phone();
        });
        wire.tcp_opens("[2001:db8:1::10]:40000", "[2001:db8:20::20]:443", &[&client_hello(None, &[])]);
        wire.observe().flows.pop().unwrap().state
    };
    assert_eq!(state(&[]), State::Named);
    assert_eq!(state(&["[2001:db8:1::11]", "[2001:db8:1::12]", "[2001:db8:1::13]"]), State::Named);
    assert_eq!(state(&["192.0.2.11"]), State::Unresolved);
    assert_eq!(state(&["[2001:db8:2::10]"]), State::Unresolved);
    let many: Vec<_> = (11..15).map(|host| format!("[2001:db8:1::{host}]")).collect();
    assert_eq!(state(&many.iter().map(String::as_str).collect::<Vec<_>>()), State::Unresolved);
}

#[test]
fn long_alias_chains_are_not_copied_into_every_flow_that_they_name() {
    let long = |number: usize, link: usize| {
        let label = |part: usize| format!("{number:02}{link:02}{part:02}{}", "\u{1}".repeat(50));
        (0..4).map(label).collect::<Vec<_>>().join(".")
    };
    let mut wire = Wire::new();
    for number in 0..16 {
        let links: Vec<_> = (0..8).map(|link| long(number, link)).collect();
        let links: Vec<_> = links.iter().map(String::as_str).collect();
        let asked = long(number, 99);
        wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, &asked));
        wire.udp(RESOLVER, "192.0.2.10:50000", &dns_answer(7, &asked, &links, "203.0.113.66"));
        wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, &format!("n{number}.example")));
        let answer = dns_answer(7, &format!("n{number}.example"), &links[..2], "203.0.113.67");
        wire.udp(RESOLVER, "192.0.2.10:50000", &answer);
    }
    wire.tcp_opens(PHONE, "203.0.113.66:443", &[&client_hello(None, &[])]);
    wire.tcp_opens(PHONE, "203.0.113.67:443", &[&client_hello(None, &[])]);
    let seen = wire.observe();
    let [_, cut, shown] = &seen.flows[..] else { panic!("{} flows", seen.flows.len()) };
    for flow in [cut, shown] {
        let bytes: usize = flow
            .names
            .iter()
            .map(|name| name.name.len() + name.chain.iter().map(String::len).sum::<usize>())
            .sum();
        assert!(bytes <= 6144, "{bytes}");
    }
    // A chain that is too long names nothing, and the resolver's flow says that there was more.
    assert_eq!((cut.state, cut.reason), (State::Unresolved, Some(Reason::NeverQueried)));
    assert!(weird(&seen, "dns_cut") == 16 && seen.flows[0].unread);
    assert_eq!((shown.state, shown.names.len()), (State::Ambiguous, 16));
}

#[test]
fn names_of_all_clients_together_are_bounded_in_bytes() {
    let mut observer = lab_observe::Observer::new(lab_observe::Options::default());
    for block in 0..16u16 {
        let mut wire = Wire::new();
        for number in 0..1024u16 {
            let label = "\u{1}".repeat(60);
            let asked = format!("{block:04}{number:04}.{label}.{label}.{label}");
            let [high, low] = (block * 1024 + number).to_be_bytes();
            wire.udp("192.0.2.10:50000", RESOLVER, &dns_query(7, &asked));
            let chain = format!("a.{label}.{label}.{label}");
            let answer =
                dns_answer(7, &asked, &[&chain, &format!("b{chain}")], &format!("10.0.{high}.{low}"));
            wire.udp(RESOLVER, "192.0.2.10:50000", &answer);
        }
        for bytes in &wire.frames {
            let orig_len = bytes.len() as u32;
            observer.push(lab_observe::Frame { ts_ns: 1, data: bytes, orig_len, link_type: 1, interface: 0 });
        }
    }
    let seen = observer.finish();
    assert!(seen.summary.names_evicted > 1000 && !seen.summary.complete());
}

#[test]
fn a_hello_in_many_records_and_segments_is_read_in_little_time() {
    let begun = std::time::Instant::now();
    let padding = vec![0; 40_000];
    let hello = packets::client_hello_with(Some("api.nucleus-u8.example"), &[], &[(21, &padding)]);
    let records: Vec<u8> = hello[5..]
        .chunks(1000)
        .flat_map(|part| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat())
        .collect();
    let mut wire = Wire::new();
    wire.tcp_opens(PHONE, API, &records.chunks(1).collect::<Vec<_>>());
    assert_eq!(wire.observe().flows[0].best_name(), Some("api.nucleus-u8.example"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// What a client said of whom it wants, and whether there is doubt about that.
fn told(wire: &Wire) -> (Vec<String>, Vec<String>, bool) {
    let flow = wire.observe().flows.remove(0);
    let words = flow.weird.iter().map(|weird| weird.word.to_string()).collect();
    (flow.names_of(NameKind::Sni).map(str::to_owned).collect(), words, flow.unread)
}

#[test]
fn a_hello_that_comes_again_with_another_name_before_the_server_has_it_leaves_doubt() {
    let (shown, meant) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    for pieces in [1, 2, shown.len()] {
        let mut wire = Wire::new();
        let seq = wire.tcp_handshake(PHONE, FOREIGN);
        wire.tcp_segment(PHONE, FOREIGN, seq, &shown);
        let (mut at, size) = (seq, meant.len().div_ceil(pieces));
        for piece in meant.chunks(size) {
            wire.tcp_segment(PHONE, FOREIGN, at, piece);
            at += piece.len() as u32;
        }
        wire.tcp_segment(FOREIGN, PHONE, 5001, &[]);
        assert_eq!(
            told(&wire),
            (vec!["api.example".to_owned()], vec!["tcp_sent_otherwise".to_owned()], true),
            "in pieces of {size}"
        );
    }
}

#[test]
fn what_comes_early_with_other_bytes_than_what_fills_the_gap_leaves_doubt() {
    let (shown, meant) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    for same_length in [false, true] {
        let mut wire = Wire::new();
        let seq = wire.tcp_handshake(PHONE, FOREIGN);
        wire.tcp_segment(PHONE, FOREIGN, seq + 20, &meant[20..]);
        wire.tcp_segment(PHONE, FOREIGN, seq + 20, &shown[20..shown.len() - usize::from(!same_length)]);
        wire.tcp_segment(PHONE, FOREIGN, seq, &shown[..20]);
        let (_, words, unread) = told(&wire);
        assert_eq!((words, unread), (vec!["tcp_sent_otherwise".to_owned()], true));
    }
}

#[test]
fn what_is_only_sent_again_leaves_none() {
    let hello = client_hello(Some("api.example"), &[]);
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, API);
    wire.tcp_segment(PHONE, API, seq - 1, &[0]);
    wire.tcp_segment(PHONE, API, seq, &hello[..50]);
    wire.tcp_segment(PHONE, API, seq, &hello[..30]);
    wire.tcp_segment(PHONE, API, seq + 10, &hello[10..70]);
    wire.tcp_segment(PHONE, API, seq, &hello);
    wire.tcp_segment(API, PHONE, 5001, &[]);
    // What the server has, it takes from nobody again.
    wire.tcp_segment(PHONE, API, seq, &client_hello(Some("far.example"), &[]));
    assert_eq!(told(&wire), (vec!["api.example".to_owned()], vec![], false));
}

#[test]
fn an_acknowledgement_that_the_capture_has_before_what_it_acknowledges_leaves_none() {
    let hello = client_hello(Some("api.example"), &[]);
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, API);
    wire.tcp_segment(PHONE, API, seq, &hello[..50]);
    wire.tcp_segment(PHONE, API, seq + 50, &hello[50..]);
    wire.tcp_segment(API, PHONE, 5001, &[]);
    let last = wire.frames.len() - 1;
    wire.frames.swap(last - 1, last);
    assert_eq!(told(&wire), (vec!["api.example".to_owned()], vec![], false));
}

#[test]
fn what_the_phone_acknowledges_for_the_server_is_not_acknowledged() {
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, FOREIGN);
    wire.tcp_segment(PHONE, FOREIGN, seq, &client_hello(Some("api.example"), &[]));
    wire.tcp_segment(FOREIGN, PHONE, 5001, &[]);
    wire.by_phone();
    wire.tcp_segment(PHONE, FOREIGN, seq, &client_hello(Some("far.example"), &[]));
    assert_eq!(told(&wire).1, ["tcp_sent_otherwise", "server_forged"]);
}

#[test]
fn a_server_that_acknowledges_other_bytes_than_those_that_were_read_leaves_doubt() {
    let (shown, meant) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    for elsewhere in [40_000u32, 2_000_000, 0u32.wrapping_sub(40_000)] {
        let mut wire = Wire::new();
        // The connection of before goes on, and the SYN that closes it here does not reach the server.
        let seq = wire.tcp_handshake(PHONE, FOREIGN);
        wire.tcp_segment(PHONE, FOREIGN, seq, &shown);
        wire.tcp_segment(PHONE, FOREIGN, seq.wrapping_add(elsewhere), &meant);
        wire.tcp_segment(FOREIGN, PHONE, 5001, &[]);
        let (names, words, unread) = told(&wire);
        // Where both are told, neither is hidden.
        assert!(names[0] == "api.example" && (names.len() == 2 || unread), "{words:?}");
    }
}

#[test]
fn what_comes_into_a_gap_that_was_given_up_leaves_doubt() {
    let (shown, meant) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    let request = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    // Farther ahead than any server lets it come; at once, and behind what the server has.
    for asked_before in [false, true] {
        let (server, shown, meant) = match asked_before {
            true => ("203.0.113.66:80", request("api.example"), request("far.example")),
            false => (FOREIGN, shown.clone(), meant.clone()),
        };
        let mut wire = Wire::new();
        let mut seq = wire.tcp_handshake(PHONE, server);
        if asked_before {
            wire.tcp_segment(PHONE, server, seq, &shown);
            wire.tcp_segment(server, PHONE, 5001, &[]);
            seq += shown.len() as u32;
        }
        wire.tcp_segment(PHONE, server, seq + 400_000, &shown);
        wire.tcp_segment(PHONE, server, seq, &meant);
        assert_eq!(told(&wire).1, ["tcp_sent_otherwise"]);
    }
}

#[test]
fn a_connection_that_only_seems_to_end_leaves_doubt() {
    let (shown, meant) = (client_hello(Some("api.example"), &[]), client_hello(Some("far.example"), &[]));
    for next in [500_000_000u32, 0u32.wrapping_sub(500_000_000)] {
        let mut wire = Wire::new();
        let seq = wire.tcp_handshake(PHONE, FOREIGN);
        // Neither reaches the server.
        wire.tcp_close(PHONE, FOREIGN);
        let begins = seq.wrapping_add(next);
        wire.tcp_syn(PHONE, FOREIGN, begins.wrapping_sub(1), None);
        wire.tcp_segment(PHONE, FOREIGN, seq, &meant);
        wire.tcp_segment(PHONE, FOREIGN, begins, &shown);
        let seen = wire.observe();
        let flow = seen.flows.last().unwrap();
        assert!(seen.flows.len() == 2 && flow.unread, "{flow:?}");
    }
}

#[test]
fn bytes_from_the_phone_in_the_servers_name_and_urgent_ones_leave_doubt() {
    let hello = client_hello(Some("api.example"), &[]);
    for word in ["server_forged", "tcp_urgent"] {
        let mut wire = Wire::new();
        let seq = wire.tcp_handshake(PHONE, FOREIGN);
        if word == "tcp_urgent" {
            wire.tcp_segment(PHONE, FOREIGN, seq, &hello);
            wire.frames.last_mut().unwrap()[47] |= 0x20;
        } else {
            wire.tcp_segment(PHONE, FOREIGN, seq, &hello);
            wire.tcp_segment(FOREIGN, PHONE, 5001, &[22, 3, 3, 0, 1, 2]);
            wire.by_phone();
        }
        assert_eq!((told(&wire).1, told(&wire).2), (vec![word.to_owned()], true));
    }
}

#[test]
fn more_than_a_window_on_its_way_is_compared_where_it_is_sent_again() {
    let body = vec![b'x'; 1400];
    let server = "203.0.113.66:80";
    let mut wire = Wire::new();
    let seq = wire.tcp_handshake(PHONE, server);
    let head = b"PUT / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 114800\r\n\r\n";
    wire.tcp_segment(PHONE, server, seq, head);
    let begins = seq + head.len() as u32;
    for segment in 0..80 {
        wire.tcp_segment(PHONE, server, begins + segment * 1400, &body);
    }
    // One of the last was lost on its way.
    wire.tcp_segment(PHONE, server, begins + 75 * 1400, &body);
    // Two that change places, before the server acknowledges all.
    wire.tcp_segment(PHONE, server, begins + 81 * 1400, &body);
    wire.tcp_segment(PHONE, server, begins + 80 * 1400, &body);
    wire.tcp_segment(server, PHONE, 5001, &[]);
    let flow = wire.observe().flows.remove(0);
    assert_eq!((flow.weird.len(), flow.unread), (0, false), "{:?}", flow.weird);
}
