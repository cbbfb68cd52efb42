//! What a draft declares, what it leaves to a person, and that a capture is taken for no more than it shows.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../observe/tests/packets/mod.rs"]
mod packets;

use std::path::Path;

use lab_runner::captured::{self, Captured, Device, PHASE, read};
use lab_runner::draft::{Accepted, Draft, Head, Run, draft, render};
use lab_runner::judge::{Outcome, Verdict};
use lab_runner::manifest::Manifest;
use lab_runner::observation::attribute;
use lab_runner::yaml::{Document, Source};
use packets::{Wire, client_hello, dns_answer, dns_query};

const RESOLVER: &str = "192.0.2.2:53";

/// A capture that begins with the device's joining.
fn joining() -> Wire {
    let mut wire = Wire::new();
    let message = |op: u8, kind: u8, given: [u8; 4], options: &[u8]| {
        let mut message = vec![0; 240];
        message[0] = op;
        message[16..20].copy_from_slice(&given);
        message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a]);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        [&message[..], &[53, 1, kind], options, &[255]].concat()
    };
    wire.udp("0.0.0.0:68", "255.255.255.255:67", &message(1, 1, [0; 4], &[]));
    wire.by_phone();
    let options = [1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 2, 6, 4, 192, 0, 2, 2];
    wire.udp("192.0.2.2:67", "192.0.2.10:68", &message(2, 5, [192, 0, 2, 10], &options));
    wire
}

fn look_up(wire: &mut Wire, port: u16, name: &str, address: &str) {
    let client = format!("192.0.2.10:{port}");
    wire.udp(&client, RESOLVER, &dns_query(port, name));
    wire.udp(RESOLVER, &client, &dns_answer(port, name, &[], address));
}

fn tls(wire: &mut Wire, port: u16, server: &str, sni: Option<&str>) {
    wire.tcp_opens(&format!("192.0.2.10:{port}"), server, &[&client_hello(sni, &[])]);
}

/// What the product is meant to do.
fn meant() -> Wire {
    let mut wire = joining();
    look_up(&mut wire, 4000, "api.vendor.example", "198.51.100.20");
    tls(&mut wire, 4001, "198.51.100.20:443", Some("api.vendor.example"));
    wire
}

fn captured(wire: &Wire) -> Captured {
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
        file.extend(field.to_le_bytes());
    }
    for (second, frame) in (1_700_000_000u32..).zip(&wire.frames) {
        for field in [second, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(frame);
    }
    let device: Device = "02:00:00:00:00:0A".parse().unwrap();
    read(1, "setup.pcap", &file, device, PHASE).unwrap()
}

fn drafted(captures: &[Captured]) -> Draft {
    let runs: Vec<Run<'_>> = captures
        .iter()
        .map(|captured| Run { name: captured.file.clone(), observed: attribute(&captured.attempt) })
        .collect();
    draft(&runs, |_| true)
}

fn manifest(draft: &Draft, accepted: &Accepted) -> (String, Manifest) {
    let text = render(draft, &Head::Manifest(None), accepted);
    let source = Source::from_bytes(Path::new("drafted.yaml"), text.clone().into_bytes()).unwrap();
    let document = Document::parse(source).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let manifest =
        Manifest::from_document(document).unwrap_or_else(|problems| panic!("{problems}\n{text}")).0;
    (text, manifest)
}

fn judged(manifest: &Manifest, wire: &Wire) -> Verdict {
    captured::judge(manifest, &[captured(wire)], None)
}

fn rules(verdict: &Verdict) -> (Outcome, Vec<&str>) {
    (verdict.outcome, verdict.findings.iter().map(|finding| finding.rule.as_str()).collect())
}

#[test]
fn an_address_that_was_never_looked_up_is_declared_by_nobody_but_a_person() {
    let mut wire = meant();
    tls(&mut wire, 4002, "203.0.113.66:443", None);
    let draft = drafted(&[captured(&wire), captured(&wire)]);
    let (text, as_drafted) = manifest(&draft, &Accepted::None);
    assert!(text.contains("# SUSPICIOUS: IP LITERAL: 203.0.113.66 was never looked up"), "{text}");
    assert_eq!(rules(&judged(&as_drafted, &wire)), (Outcome::Fail, vec!["undeclared-endpoint"]));
    assert_eq!(rules(&judged(&as_drafted, &meant())), (Outcome::Pass, vec![]));
    let (_, accepted) = manifest(&draft, &Accepted::Some(vec!["address-203-0-113-66-tls".into()]));
    assert_eq!(rules(&judged(&accepted, &wire)), (Outcome::Pass, vec![]));
}

#[test]
fn a_resolver_that_the_network_did_not_give_is_suspicious_and_the_networks_own_is_a_class() {
    let mut wire = meant();
    wire.udp("192.0.2.10:4003", "203.0.113.53:53", &dns_query(7, "api.vendor.example"));
    let draft = drafted(&[captured(&wire)]);
    let (text, manifest) = manifest(&draft, &Accepted::None);
    assert!(text.contains("class: dns-resolver"), "{text}");
    assert!(text.contains("# SUSPICIOUS: a resolver that the network did not give the product"), "{text}");
    assert_eq!(judged(&manifest, &wire).outcome, Outcome::Fail);
}

#[test]
fn a_name_that_looks_like_a_more_common_one_is_suspicious() {
    let mut odd = meant();
    look_up(&mut odd, 4004, "api.vend0r.example", "203.0.113.9");
    tls(&mut odd, 4005, "203.0.113.9:443", Some("api.vend0r.example"));
    let draft = drafted(&[captured(&meant()), captured(&odd), captured(&meant())]);
    let (text, _) = manifest(&draft, &Accepted::None);
    assert!(text.contains("# SUSPICIOUS: its name looks like vendor.example"), "{text}");
    assert!(!text.contains("\n    host: \"api.vend0r.example\""), "{text}");
}

#[test]
fn names_from_the_wire_write_no_yaml() {
    for name in ["a\n- id: evil", "\"}\n", "#", "a: b", "*.*", "\u{202e}x.example", "!!str", "- a", "[", "no"]
    {
        let mut wire = joining();
        look_up(&mut wire, 4006, "api.vendor.example", "198.51.100.20");
        tls(&mut wire, 4007, "198.51.100.20:443", Some(name));
        let (text, manifest) = manifest(&drafted(&[captured(&wire)]), &Accepted::All);
        assert!(manifest.endpoints.iter().all(|declaration| !declaration.id.starts_with("evil")), "{text}");
        assert!(text.lines().all(|line| line.is_ascii() || line.contains('“')), "{text}");
    }
}

#[test]
fn what_is_only_asked_for_is_no_leave_to_connect() {
    let mut asks = meant();
    look_up(&mut asks, 4008, "later.vendor.example", "198.51.100.21");
    let (_, manifest) = manifest(&drafted(&[captured(&asks)]), &Accepted::None);
    assert_eq!(rules(&judged(&manifest, &asks)), (Outcome::Pass, vec![]));
    tls(&mut asks, 4009, "198.51.100.21:443", Some("later.vendor.example"));
    assert_eq!(judged(&manifest, &asks).outcome, Outcome::Fail);
}

#[test]
fn the_order_of_runs_changes_nothing_that_is_declared() {
    let of = |number: u16| {
        let mut wire = meant();
        let name = format!("lb{number}.vendor.example");
        look_up(&mut wire, 4010, &name, "198.51.100.30");
        tls(&mut wire, 4011, "198.51.100.30:443", Some(&name));
        captured(&wire)
    };
    let texts = |order: [u16; 3]| {
        let (_, manifest) = manifest(&drafted(&order.map(of)), &Accepted::None);
        manifest.endpoints.iter().map(|declaration| declaration.text.clone()).collect::<Vec<_>>()
    };
    let first = texts([1, 2, 3]);
    assert!(first.iter().any(|text| text.contains("glob *.vendor.example")), "{first:?}");
    assert_eq!(first, texts([3, 1, 2]));
}

/// Datagrams there and back, of no known protocol.
fn exchange(wire: &mut Wire, port: u16, server: &str) {
    let client = format!("192.0.2.10:{port}");
    wire.udp(&client, server, &[0x5a, 1, 2, 3]);
    wire.udp(server, &client, &[0x5a, 4, 5, 6]);
}

/// The draft from one capture a port, in which the device does `what` with that port.
fn drafted_from(ports: &[u16], what: impl Fn(&mut Wire, u16)) -> String {
    let captures: Vec<Captured> = ports
        .iter()
        .map(|port| {
            let mut wire = meant();
            what(&mut wire, *port);
            captured(&wire)
        })
        .collect();
    manifest(&drafted(&captures), &Accepted::None).0
}

#[test]
fn a_name_that_counts_stands_for_others_only_where_servers_beside_it_take_turns() {
    let sent_on = |wire: &mut Wire, last: u16| {
        look_up(wire, 4014, "lb02.eu.vendor.example", "198.51.100.104");
        exchange(wire, 4015, "198.51.100.104:9000");
        exchange(wire, 4016, &format!("198.51.100.{last}:9000"));
    };
    let text = drafted_from(&[71, 72, 71], sent_on);
    assert!(text.contains("glob: \"*.eu.vendor.example\""), "{text}");
    assert!(
        text.contains("cidr: \"198.51.100.71/32\"") && text.contains("cidr: \"198.51.100.72/32\""),
        "{text}"
    );
    // The same one every time is a server of its own, and so is what counts somewhere else.
    let text = drafted_from(&[71, 71, 71], sent_on);
    assert!(text.contains("host: \"lb02.eu.vendor.example\""), "{text}");
    let text = drafted_from(&[71, 72, 71], |wire, last| {
        sent_on(wire, last);
        look_up(wire, 4017, "db1.eu.vendor.example", "203.0.113.80");
        exchange(wire, 4018, "203.0.113.80:9000");
    });
    assert!(text.contains("host: \"db1.eu.vendor.example\""), "{text}");
}

#[test]
fn who_searches_and_who_calls_on_the_local_network_is_not_the_products_choice() {
    let answer = b"HTTP/1.1 200 OK\r\nLOCATION: http://192.0.2.10/d.xml\r\nST: upnp:rootdevice\r\n\r\n";
    let text = drafted_from(&[50_123, 50_124], |wire, port| {
        wire.udp("192.0.2.10:1900", &format!("192.0.2.77:{port}"), answer);
    });
    assert!(
        text.contains("class: lan\n    transport: udp\n    ports: \"1024-65535\"\n    protocol: \"ssdp\""),
        "{text}"
    );
    let text = drafted_from(&[8080], |wire, port| {
        wire.tcp_opens("192.0.2.77:4019", &format!("192.0.2.10:{port}"), &[b"GET / HTTP/1.1\r\n\r\n"]);
    });
    assert!(text.contains("class: lan\n    opened-by: peer\n    ports: 8080"), "{text}");
    // Whom it calls is.
    let text = drafted_from(&[8080, 8080], |wire, port| {
        wire.tcp_opens("192.0.2.10:4020", &format!("192.0.2.77:{port}"), &[b"GET / HTTP/1.1\r\n\r\n"]);
    });
    assert!(text.contains("cidr: \"192.0.2.77/32\""), "{text}");
}

#[test]
fn a_port_that_every_run_shows_hides_no_other_that_changes() {
    let broadcast = |wire: &mut Wire, port: u16| {
        for port in [2000, port] {
            wire.udp("192.0.2.10:4021", &format!("255.255.255.255:{port}"), &[0x5a, 1, 2, 3]);
        }
    };
    let text = drafted_from(&[40_001, 40_002, 40_003], broadcast);
    assert!(text.contains("ports: \"1024-65535\""), "{text}");
    let text = drafted_from(&[40_001, 40_001, 2000], broadcast);
    assert!(text.contains("ports: [2000, 40001]"), "{text}");
}

#[test]
fn a_declared_name_on_a_foreign_address_fails_only_where_no_look_up_can_have_been_missed() {
    let (_, manifest) = manifest(&drafted(&[captured(&meant())]), &Accepted::None);
    let mut pretended = meant();
    tls(&mut pretended, 4012, "203.0.113.77:443", Some("api.vendor.example"));
    assert_eq!(rules(&judged(&manifest, &pretended)), (Outcome::Fail, vec!["uncorroborated-name"]));
    // The same without the joining: the look-up may have been made before.
    let mut late = Wire::new();
    tls(&mut late, 4012, "203.0.113.77:443", Some("api.vendor.example"));
    assert_eq!(rules(&judged(&manifest, &late)), (Outcome::Inconclusive, vec!["uncorroborated-name"]));
}

#[test]
fn what_comes_under_another_hosts_address_and_what_shows_one_direction_is_in_doubt() {
    let (_, manifest) = manifest(&drafted(&[captured(&meant())]), &Accepted::None);
    let mut forwarded = meant();
    forwarded.tcp_opens("198.18.0.2:4013", "203.0.113.66:443", &[&client_hello(None, &[])]);
    // The last packets that go out came through the device.
    let frames = forwarded.frames.len();
    for frame in &mut forwarded.frames[frames - 4..] {
        let (to, from) = frame[..12].split_at_mut(6);
        if to == [2, 0, 0, 0, 0, 0x0a] {
            to.swap_with_slice(from);
        }
    }
    let verdict = judged(&manifest, &forwarded);
    assert_eq!(rules(&verdict), (Outcome::Inconclusive, vec!["forwarded-traffic"]));
    let mut one_way = meant();
    one_way.frames.retain(|frame| frame[6..12] == [2, 0, 0, 0, 0, 0x0a]);
    assert!(rules(&judged(&manifest, &one_way)).1.contains(&"one-way-capture"));
    assert!(rules(&judged(&manifest, &Wire::new())).1.contains(&"device-unseen"));
}

#[test]
fn an_ambient_profile_is_one_that_a_manifest_can_include() {
    let folder = tempfile::tempdir().unwrap();
    let profile = render(&drafted(&[captured(&meant())]), &Head::Ambient("phone".into()), &Accepted::None);
    std::fs::write(folder.path().join("phone.yaml"), &profile).unwrap();
    let text = "format: 1\nproduct: {vendor: Nucleus, model: U8}\ninclude: [phone.yaml]\nendpoints: []\n";
    let file = folder.path().join("manifest.yaml");
    std::fs::write(&file, text).unwrap();
    let (manifest, _) = Manifest::load(&file).unwrap_or_else(|problems| panic!("{problems}\n{profile}"));
    assert!(manifest.declarations().any(|declaration| declaration.id == "phone/api-vendor-example-tls"));
}
