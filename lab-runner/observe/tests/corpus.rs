//! Names against an independent dissector's, on captures that nobody of this project made.
//!
//! The corpus is no part of the repository: `LAB_CORPUS` names its folder, or it lies in `../shared/corpus` beside the
//! workspace. Without it these tests say that they were skipped.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use lab_observe::{FlowRecord, NameKind, Options, observe};
use serde_json::Value;

/// Rows whose protocol is not compared: the expected name is a multicast address, or bytes that don't print.
const NOT_COMPARED: &[&str] = &["SSDP", "LLMNR"];

/// Captures with a flow that begins with a SYN-ACK: the reference takes its sender for the client.
const BEGINS_WITH_SYN_ACK: &[&str] = &["stun.pcap", "tls_2_reasms_b.pcapng"];

/// Name, and the least share of rows that must be right, in percent.
const GATES: &[(&str, f64)] = &[("TLS", 99.5), ("DNS", 99.0), ("HTTP", 99.0)];

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("LAB_CORPUS").map_or(beside, PathBuf::from);
    let found = folder.join("names/expected.jsonl").is_file();
    if !found {
        println!("skipped: no corpus at {} (set LAB_CORPUS)", folder.display());
    }
    found.then_some(folder)
}

type Key = (String, [String; 2], Option<u64>);

fn key(l4: &str, a: String, b: String, vlan: Option<u64>) -> Key {
    let mut ends = [a, b];
    ends.sort();
    (l4.to_lowercase(), ends, vlan)
}

fn end(value: &Value) -> String {
    let ip: std::net::IpAddr = value[0].as_str().unwrap().parse().unwrap();
    std::net::SocketAddr::new(ip, value[1].as_u64().unwrap() as u16).to_string()
}

/// As the corpus writes names: its last 79 bytes, in lower case, what doesn't print as one character.
fn as_expected(name: &str, blank: u8) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        if rest.starts_with(b"\\x") {
            let byte = std::str::from_utf8(&rest[2..4]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
            bytes.push(byte.filter(|byte| (0x20..0x7f).contains(byte)).unwrap_or(blank));
            rest = &rest[4..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes.make_ascii_lowercase();
    let from = bytes.len().saturating_sub(79);
    String::from_utf8_lossy(&bytes[from..]).trim_end().to_owned()
}

/// What carried the name.
fn carrier(proto: &str) -> String {
    let (numbers, words) = proto.split_once('/').unwrap_or(("", proto));
    let _ = numbers;
    words.split('.').next().unwrap_or(words).to_owned()
}

/// The reference writes whatever is no letter, digit, dot, dash or colon of a DNS name as `_`.
fn dns_form(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-:".contains(c) { c } else { '_' }).collect()
}

fn matches(flow: &FlowRecord, expected: &str) -> bool {
    flow.names.iter().filter(|name| name.kind != NameKind::Dns).any(|name| match name.kind {
        NameKind::DnsQuery => dns_form(&as_expected(&name.name, b'_')) == dns_form(expected),
        _ => as_expected(&name.name, b'?') == expected,
    })
}

#[test]
fn names_agree_with_an_independent_dissector() {
    let Some(folder) = corpus() else { return };
    let rows = std::fs::read_to_string(folder.join("names/expected.jsonl")).unwrap();
    let mut observed: HashMap<String, HashMap<Key, Vec<FlowRecord>>> = HashMap::new();
    let mut table: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    let mut misses = Vec::new();
    // Of flows whose opening was captured.
    let (mut right_sides, mut wrong) = (0, 0);
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let Some(host) = row["host"].as_str() else { continue };
        let carrier = carrier(row["proto"].as_str().unwrap());
        if NOT_COMPARED.contains(&carrier.as_str()) {
            continue;
        }
        let pcap = row["pcap"].as_str().unwrap();
        let flows = observed.entry(pcap.to_owned()).or_insert_with(|| {
            let bytes = std::fs::read(folder.join("names/pcap").join(pcap)).unwrap();
            let mut flows: HashMap<Key, Vec<FlowRecord>> = HashMap::new();
            for flow in observe(&bytes, Options::default()).unwrap().flows {
                let (a, b) = (flow.client.to_string(), flow.server.to_string());
                let key = key(&flow.l4.to_string(), a, b, flow.vlan.map(u64::from));
                flows.entry(key).or_default().push(flow);
            }
            flows
        });
        let key = key(row["l4"].as_str().unwrap(), end(&row["a"]), end(&row["b"]), row["vlan"].as_u64());
        let expected = host.to_lowercase().trim_end().to_owned();
        let found = flows.get(&key).is_some_and(|flows| flows.iter().any(|flow| matches(flow, &expected)));
        for flow in flows.get(&key).into_iter().flatten().take(1).filter(|flow| flow.opening_seen) {
            let right = flow.client.to_string() == end(&row["a"]);
            right_sides += u32::from(right);
            if !right && !BEGINS_WITH_SYN_ACK.contains(&pcap) {
                wrong += 1;
                println!("client: {pcap} {} -> {}, expected {}", flow.client, flow.server, end(&row["a"]));
            }
        }
        let counts = table.entry(carrier.clone()).or_default();
        counts[0] += u32::from(found);
        counts[1] += 1;
        if !found {
            let ours: Vec<_> =
                flows.get(&key).into_iter().flatten().map(|flow| (&flow.app, &flow.names)).collect();
            misses.push(format!("{carrier:8} {pcap} {key:?}: expected {expected}, found {ours:?}"));
        }
    }
    for miss in &misses {
        println!("{miss}");
    }
    for (carrier, [right, all]) in &table {
        println!("{carrier:12} {right:4} of {all:4}  {:5.1} %", 100.0 * f64::from(*right) / f64::from(*all));
    }
    println!("clients: {right_sides} right, {wrong} wrong");
    assert_eq!(wrong, 0, "the side that opened a flow");
    for (carrier, gate) in GATES {
        let [right, all] = table[*carrier];
        let share = 100.0 * f64::from(right) / f64::from(all);
        assert!(share >= *gate, "{carrier}: {share:.1} % of names found, expected at least {gate} %");
    }
}

#[test]
fn every_capture_is_read_to_its_end_and_frames_cut_to_what_was_consulted_tell_the_same() {
    let Some(folder) = corpus() else { return };
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("names/pcap")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(frames) = lab_observe::frames(&bytes) else {
            println!("no capture: {}", file.display());
            continue;
        };
        let mut whole = lab_observe::Observer::new(Options::default());
        let mut again = lab_observe::Observer::new(Options::default());
        for frame in frames {
            let consulted = whole.push(frame);
            let cut = lab_observe::Frame { data: &frame.data[..consulted.0], ..frame };
            assert_eq!(again.push(cut), consulted, "{} {:?}", file.display(), frame.ts_ns);
        }
        let (whole, again) = (whole.finish(), again.finish());
        for (whole, again) in whole.flows.iter().zip(&again.flows) {
            assert_eq!(whole, again, "{}", file.display());
        }
        assert_eq!(whole, again, "{}", file.display());
    }
}
