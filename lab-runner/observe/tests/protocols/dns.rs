//! DNS beyond addresses: services, keys, types, what is hidden behind the last record, and DNS where none is expected.

use lab_observe::{FlowRecord, NameKind};

use crate::packets::{self, Wire};

const PHONE: &str = "192.0.2.10:50000";
const RESOLVER: &str = "198.51.100.53:53";
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const HTTPS: u16 = 65;

fn name(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// A record of class IN.
fn record(owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let head = [&kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes()].concat();
    [&name(owner)[..], &head, &(data.len() as u16).to_be_bytes(), data].concat()
}

fn message(flags: [u8; 2], asked: &[(&str, u16)], answers: &[Vec<u8>], additional: &[Vec<u8>]) -> Vec<u8> {
    let counts = [asked.len() as u8, answers.len() as u8, 0, additional.len() as u8];
    let mut bytes = [&[0, 7][..], &flags, &counts.map(|count| [0, count]).concat()].concat();
    for (asked, kind) in asked {
        bytes.extend([&name(asked)[..], &kind.to_be_bytes(), &[0, 1]].concat());
    }
    [bytes, answers.concat(), additional.concat()].concat()
}

fn question(asked: &str, kind: u16) -> Vec<u8> {
    message([1, 0], &[(asked, kind)], &[], &[])
}

fn answer(asked: &str, kind: u16, answers: &[Vec<u8>], additional: &[Vec<u8>]) -> Vec<u8> {
    message([0x81, 0x80], &[(asked, kind)], answers, additional)
}

/// A look-up, and a flow to an address behind it.
fn looked_up(asked: &str, kind: u16, answers: &[Vec<u8>], additional: &[Vec<u8>]) -> [FlowRecord; 2] {
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &question(asked, kind));
    wire.udp(RESOLVER, PHONE, &answer(asked, kind, answers, additional));
    wire.tcp_opens("192.0.2.10:40000", "198.51.100.20:8883", &[&packets::client_hello(None, &[])]);
    wire.observe().flows.try_into().unwrap()
}

fn names(flow: &FlowRecord, kind: NameKind) -> Vec<&str> {
    flow.names_of(kind).collect()
}

const ADDRESS: [u8; 4] = [198, 51, 100, 20];

#[test]
fn the_host_of_a_service_names_the_address_that_came_with_it() {
    let service = [&[0, 1, 0, 1, 0x22, 0xb3][..], &name("mq1.nucleus-u8.example")].concat();
    let asked = "_mqtt._tcp.nucleus-u8.example";
    let host = record("mq1.nucleus-u8.example", A, 30, &ADDRESS);
    let foreign = record("other.example", A, 30, &ADDRESS);
    let [dns, flow] = looked_up(asked, SRV, &[record(asked, SRV, 60, &service)], &[foreign, host]);
    assert_eq!(names(&dns, NameKind::Srv), ["mq1.nucleus-u8.example"]);
    assert_eq!(dns.names[0].qtype.as_deref(), Some("SRV"));
    assert_eq!((flow.best_name(), flow.names[0].ttl), (Some("mq1.nucleus-u8.example"), Some(30)));
}

#[test]
fn an_answer_holds_as_long_as_the_shortest_record_on_the_way() {
    let alias = record("fw.nucleus-u8.example", CNAME, 20, &name("edge.example"));
    let [dns, flow] =
        looked_up("fw.nucleus-u8.example", A, &[alias, record("edge.example", A, 300, &ADDRESS)], &[]);
    assert_eq!(
        (flow.names[0].ttl, flow.names[0].chain.as_slice()),
        (Some(20), &["edge.example".to_owned()][..])
    );
    assert_eq!(dns.names[0].qtype, None);
}

#[test]
fn keys_for_encrypted_client_hello_are_told_with_the_question() {
    // Priority, target, then the parameters ech and ipv4hint.
    let data = [&[0, 1, 0][..], &[0, 4, 0, 4], &ADDRESS, &[0, 5, 0, 2, 1, 2]].concat();
    let [dns, flow] =
        looked_up("nucleus-u8.example", HTTPS, &[record("nucleus-u8.example", HTTPS, 60, &data)], &[]);
    assert!(dns.names[0].ech && dns.names[0].qtype.as_deref() == Some("HTTPS"));
    assert_eq!(flow.best_name(), Some("nucleus-u8.example"));
}

#[test]
fn the_name_of_an_address_is_only_told_and_names_nothing() {
    let asked = "20.100.51.198.in-addr.arpa";
    let [dns, flow] = looked_up(asked, PTR, &[record(asked, PTR, 60, &name("api.nucleus-u8.example"))], &[]);
    assert_eq!(names(&dns, NameKind::Ptr), ["api.nucleus-u8.example"]);
    assert_eq!(flow.best_name(), None);
}

#[test]
fn a_question_of_another_type_for_the_same_name_is_kept_with_its_type() {
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &question("t.nucleus-u8.example", A));
    wire.udp(PHONE, RESOLVER, &question("t.nucleus-u8.example", TXT));
    wire.udp(PHONE, RESOLVER, &question("t.nucleus-u8.example", 65399));
    let flow = wire.observe().flows.remove(0);
    let types: Vec<_> = flow.names.iter().map(|name| name.qtype.as_deref()).collect();
    assert_eq!(types, [None, Some("TXT"), Some("TYPE65399")]);
}

#[test]
fn bytes_behind_the_last_record_are_told() {
    let mut wire = Wire::new();
    // EDNS is a record as any other (RFC 6891 §6.1.2).
    let edns = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0].to_vec();
    wire.udp(PHONE, RESOLVER, &message([1, 0], &[("api.nucleus-u8.example", A)], &[], &[edns]));
    wire.udp(
        "192.0.2.10:50001",
        RESOLVER,
        &[question("api.nucleus-u8.example", A), b"secret".to_vec()].concat(),
    );
    let flows = wire.observe().flows;
    assert!(!flows[0].unread && flows[0].weird.is_empty());
    assert!(flows[1].unread && flows[1].weird[0].word == "dns_trailing_bytes");
}

#[test]
fn a_plain_question_is_told_on_any_port() {
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.66:8443", &question("api.nucleus-u8.example", A));
    wire.udp("192.0.2.10:50001", "203.0.113.66:8443", &[question("a.example", A), vec![0]].concat());
    let flows = wire.observe().flows;
    assert_eq!(
        (flows[0].app.as_str(), names(&flows[0], NameKind::DnsQuery)),
        ("dns", vec!["api.nucleus-u8.example"])
    );
    assert_eq!(flows[1].app, "unknown");

    // Over TCP it has to come alone.
    let question = question("api.nucleus-u8.example", A);
    let framed = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    let mut wire = Wire::new();
    wire.tcp_opens("192.0.2.10:50002", "203.0.113.66:8053", &[&framed]);
    wire.tcp_opens("192.0.2.10:50003", "203.0.113.66:8053", &[&[&framed[..], &[0]].concat()]);
    let flows = wire.observe().flows;
    assert_eq!(
        (flows[0].app.as_str(), names(&flows[0], NameKind::DnsQuery)),
        ("dns", vec!["api.nucleus-u8.example"])
    );
    assert_eq!(flows[1].app, "unknown");
}

#[test]
fn multicast_dns_tells_questions_owners_instances_and_hosts() {
    let service = [&[0, 0, 0, 0, 0, 80][..], &name("u8.local")].concat();
    let instance = "Nucleus._hap._tcp.local";
    let records = [
        record("_hap._tcp.local", PTR, 60, &name(instance)),
        record(instance, SRV, 60, &service),
        record("u8.local", A, 60, &[192, 0, 2, 9]),
    ];
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:5353", "224.0.0.251:5353", &message([0, 0], &[("_ipp._tcp.local", PTR)], &[], &[]));
    wire.udp("192.0.2.10:5353", "224.0.0.251:5353", &message([0x84, 0], &[], &records, &[]));
    let flow = wire.observe().flows.remove(0);
    let expected = ["_ipp._tcp.local", "_hap._tcp.local", "nucleus._hap._tcp.local", "u8.local"];
    assert_eq!((flow.app.as_str(), names(&flow, NameKind::Mdns)), ("mdns", expected.to_vec()));
}

#[test]
fn an_owner_is_told_whatever_its_record_holds() {
    // HINFO, NSEC, a kind that nobody knows, and what stands for the message.
    let records = [
        record("u8.local", 13, 60, b"\x01x\x01y"),
        record("v9.local", 47, 60, b"\xc0\x0c\x00\x01\x40"),
        record("w1.local", 65_399, 60, b"?"),
        record("x2.local", 41, 60, &[]),
    ];
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:5353", "224.0.0.251:5353", &message([0x84, 0], &[], &records, &[]));
    let flow = wire.observe().flows.remove(0);
    assert_eq!(names(&flow, NameKind::Mdns), ["u8.local", "v9.local", "w1.local"]);
    // An owner that points at itself is nobody's, and ends nothing.
    let mut odd = record("x", 47, 60, &[]);
    odd.splice(..3, [0xc0, 12]);
    let mut wire = Wire::new();
    let records = [odd, record("u8.local", A, 60, &[192, 0, 2, 9])];
    wire.udp("192.0.2.10:5353", "224.0.0.251:5353", &message([0x84, 0], &[], &records, &[]));
    let flow = wire.observe().flows.remove(0);
    assert_eq!((names(&flow, NameKind::Mdns), flow.unread), (vec!["u8.local"], false));
}

#[test]
fn where_nothing_is_asked_the_first_owner_is_told_and_vouches_for_nothing() {
    let mut wire = Wire::new();
    let told = [record("api.nucleus-u8.example", A, 60, &[198, 51, 100, 20])];
    wire.udp(PHONE, RESOLVER, &message([0x08, 0], &[], &told, &[]));
    wire.udp(RESOLVER, PHONE, &message([0x88, 0], &[], &told, &[]));
    wire.udp("192.0.2.10:40001", "198.51.100.20:9000", b"whatever");
    let flows = wire.observe().flows;
    assert_eq!(names(&flows[0], NameKind::DnsQuery), ["api.nucleus-u8.example"]);
    assert!(flows[1].names.is_empty());
}

#[test]
fn a_question_that_is_cut_behind_its_name_is_told_and_leaves_doubt() {
    let asked = question("api.nucleus-u8.example", A);
    for (missing, told) in [(1, true), (4, true), (5, false)] {
        let mut wire = Wire::new();
        wire.udp(PHONE, RESOLVER, &asked[..asked.len() - missing]);
        let flow = wire.observe().flows.remove(0);
        assert_eq!((!names(&flow, NameKind::DnsQuery).is_empty(), flow.unread), (told, true));
    }
}

#[test]
fn what_is_no_dns_on_its_port_is_read_on() {
    let mut wire = Wire::new();
    for datagram in [crate::stun::ask(), crate::stun::answer()] {
        let (from, to) = if datagram[0] == 0 { (PHONE, RESOLVER) } else { (RESOLVER, PHONE) };
        wire.udp(from, to, &datagram);
    }
    wire.udp(PHONE, RESOLVER, &question("api.nucleus-u8.example", A));
    let flow = wire.observe().flows.remove(0);
    assert_eq!(names(&flow, NameKind::StunMapped), [crate::stun::ADDRESS]);
    assert_eq!(names(&flow, NameKind::DnsQuery), ["api.nucleus-u8.example"]);
    assert!(flow.unread);
}

#[test]
fn what_is_said_again_on_the_link_tells_each_flow_the_same_and_each_oddity_counts() {
    let (device, group) = ("192.0.2.10:5353", "224.0.0.251:5353");
    let said = |host| message([0x84, 0], &[], &[record(host, A, 60, &[192, 0, 2, 9])], &[]);
    let odd = [&said("odd.local")[..], b"\0"].concat();
    let mut wire = Wire::new();
    for _ in 0..3 {
        for message in [&said("u8.local"), &said("v9.local"), &odd] {
            wire.udp(device, group, message);
        }
    }
    // Another's words are its own, and so is what comes after a rest.
    wire.udp("192.0.2.11:5353", group, &said("u8.local"));
    wire.pause(61);
    wire.udp(device, group, &said("v9.local"));
    let seen = wire.observe();
    let told: Vec<_> = seen.flows.iter().map(|flow| names(flow, NameKind::Mdns)).collect();
    assert_eq!(told, [vec!["u8.local", "v9.local", "odd.local"], vec!["u8.local"], vec!["v9.local"]]);
    assert_eq!(seen.summary.weird["dns_trailing_bytes"], 3);
}

#[test]
fn names_that_do_not_fit_count_each_time_that_they_are_said() {
    let said =
        |number: u32| message([0x84, 0], &[], &[record(&format!("h{number}.local"), A, 60, &ADDRESS)], &[]);
    let mut wire = Wire::new();
    // A flow keeps 512.
    for number in (0..513).chain([511, 512, 512]) {
        wire.udp("192.0.2.10:5353", "224.0.0.251:5353", &said(number));
    }
    let seen = wire.observe();
    assert_eq!((seen.flows[0].names.len(), seen.summary.names_evicted), (512, 3));
}
