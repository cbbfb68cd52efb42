//! The rows of `names/expected.jsonl`, and names in the form in which those rows have them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use lab_observe::{FlowRecord, L4, Name, NameKind};
use serde_json::Value;

/// L4, and both ends in order.
pub(crate) type Key = (String, [String; 2]);

/// What an independent dissector says of one flow.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) pcap: String,
    pub(crate) key: Key,
    vlan: Option<u64>,
    /// The end that sent the first packet.
    pub(crate) opener: String,
    /// What carried the name: `TLS`, `DNS`, …
    pub(crate) carrier: String,
    /// The name, in lower case.
    pub(crate) host: Option<String>,
    fields: Value,
}

impl Row {
    /// Whether a flow between the same ends is on the row's VLAN; a row that names none may be on any.
    pub(crate) fn may_be(&self, flow: &FlowRecord) -> bool {
        self.vlan.is_none_or(|vlan| flow.vlan.map(u64::from) == Some(vlan))
    }

    /// A field that not every row has.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields[name].as_str()
    }
}

/// The corpus: `LAB_CORPUS`, or beside the workspace. Says so where it isn't there.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("LAB_CORPUS").map_or(beside, PathBuf::from);
    let found = folder.join("names/expected.jsonl").is_file();
    if !found {
        println!("skipped: no corpus at {} (set LAB_CORPUS)", folder.display());
    }
    found.then_some(folder)
}

/// All captures, in the order of their names.
pub(crate) fn captures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("names/pcap")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn rows(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("names/expected.jsonl")).unwrap();
    let rows = text.lines().map(|line| row(serde_json::from_str(line).unwrap()));
    // The reference writes some IPv6 addresses in a way that nobody reads (`2001:db8::1::`).
    rows.filter(|row| !row.key.1.iter().any(|end| end.matches("::").count() > 1)).collect()
}

fn row(fields: Value) -> Row {
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let opener = end(&fields["a"]);
    Row {
        pcap: text("pcap"),
        key: key(&text("l4"), [opener.clone(), end(&fields["b"])]),
        vlan: fields["vlan"].as_u64(),
        opener,
        carrier: carrier(&text("proto")),
        host: fields["host"].as_str().map(|host| host.to_lowercase().trim_end().to_owned()),
        fields,
    }
}

/// Where a flow of ours would stand.
pub(crate) fn key_of(flow: &FlowRecord) -> Key {
    key(&flow.l4.to_string(), ends_of(flow))
}

/// The client and the server, as the reference writes them.
pub(crate) fn ends_of(flow: &FlowRecord) -> [String; 2] {
    let knows_ports = flow.l4 != L4::Other(132); // SCTP
    [flow.client, flow.server]
        .map(|end| SocketAddr::new(end.ip(), if knows_ports { end.port() } else { 0 }).to_string())
}

fn key(l4: &str, mut ends: [String; 2]) -> Key {
    ends.sort();
    // What the reference has words for, and we have numbers.
    let l4 = match l4.to_lowercase().as_str() {
        "igmp" => "ip-2".to_owned(),
        "esp" => "ip-50".to_owned(),
        "ospf" => "ip-89".to_owned(),
        "pgm" => "ip-113".to_owned(),
        "sctp" => "ip-132".to_owned(),
        number if number.parse::<u8>().is_ok() => format!("ip-{number}"),
        other => other.to_owned(),
    };
    (l4, ends)
}

fn end(value: &Value) -> String {
    let (address, port) = (value[0].as_str().unwrap(), value[1].as_u64().unwrap() as u16);
    address.parse().map_or_else(|_| format!("{address} {port}"), |ip| SocketAddr::new(ip, port).to_string())
}

/// `91.126/TLS.Google` is carried by TLS, and so is `GTP:91/TLS`.
fn carrier(proto: &str) -> String {
    let words = proto.split_once('/').map_or(proto, |(_, words)| words);
    words.split('.').next().unwrap_or(words).to_owned()
}

/// A name of ours as the rows have it: its last 79 bytes, in lower case, what doesn't print as one character.
pub(crate) fn form(name: &Name) -> String {
    let blank = if name.kind == NameKind::DnsQuery { b'_' } else { b'?' };
    let mut bytes = Vec::new();
    let mut rest = name.name.as_bytes();
    while let [first, tail @ ..] = rest {
        if let Some(hex) = rest.strip_prefix(b"\\x").and_then(|hex| hex.get(..2)) {
            let byte = std::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
            bytes.push(byte.filter(|byte| (0x20..0x7f).contains(byte)).unwrap_or(blank));
            rest = &rest[4..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes.make_ascii_lowercase();
    if matches!(name.kind, NameKind::HttpHost | NameKind::HttpAuthority)
        && let Some(colon) = bytes.iter().position(|byte| *byte == b':')
    {
        bytes.truncate(colon);
    }
    let from = bytes.len().saturating_sub(79);
    String::from_utf8_lossy(&bytes[from..]).trim_end().to_owned()
}

/// Whether a name of ours is the one that a row has.
pub(crate) fn agrees(name: &Name, expected: &str) -> bool {
    let ours = form(name);
    match name.kind {
        NameKind::DnsQuery => dns_form(&ours) == dns_form(expected),
        // UTF-8 is escaped byte by byte in ours, and kept in the rows.
        NameKind::Mdns => dns_form(&ours) == dns_form(&bytewise(expected)),
        _ => ours == expected,
    }
}

/// The reference writes whatever is no letter, digit, dot, dash or colon of a DNS name as `_`.
fn dns_form(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-:".contains(c) { c } else { '_' }).collect()
}

fn bytewise(name: &str) -> String {
    name.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect()
}
