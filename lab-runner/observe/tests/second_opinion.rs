//! The names in every capture of the corpus against tshark's, both ways, where tshark and mergecap are installed.
//!
//! All captures are merged into one file, so that tshark starts once. Compared are sets of names by capture: which flow has
//! which name is the corpus test's matter.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab_observe::{NameKind, Options, observe};

/// Fields of tshark's, the protocols in whose frames they count (by the beginning of the word), and our kinds of the same.
struct Field {
    names: &'static [&'static str],
    protocols: &'static [&'static str],
    kinds: &'static [NameKind],
}

const FIELDS: [Field; 6] = [
    Field {
        names: &["tls.handshake.extensions_server_name", "gquic.tag.sni"],
        protocols: &["TLS", "SSL", "QUIC", "GQUIC", "DTLS"],
        kinds: &[NameKind::Sni, NameKind::QuicSni, NameKind::StarttlsSni, NameKind::EchOuter],
    },
    Field { names: &["http.host"], protocols: &["HTTP", "IPP", "OCSP"], kinds: &[NameKind::HttpHost] },
    Field { names: &["dns.qry.name"], protocols: &["DNS"], kinds: &[NameKind::DnsQuery] },
    Field { names: &["dns.qry.name", "dns.resp.name"], protocols: &["MDNS"], kinds: &[NameKind::Mdns] },
    Field {
        names: &["dhcp.option.hostname", "dhcpv6.client_domain"],
        protocols: &["DHCP"],
        kinds: &[NameKind::Dhcp],
    },
    Field {
        names: &["nbns.name", "nbdgm.source_name", "nbss.called_name", "nbss.calling_name"],
        protocols: &["NBNS", "NBDS", "NBSS", "SMB", "BROWSER"],
        kinds: &[NameKind::Netbios],
    },
];

/// Names that only one of the two has: the capture, the name (`*` is any that goes on so), and why ours is as it should be.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("fuzz-*", "*", "bytes that a fuzzer changed: what is still a name is anybody's opinion"),
    ("http_on_sip_port.pcap", "45.58.148.2", "tshark goes by the port, and takes the request for SIP"),
    ("soap.pcap", "go.microsoft.com", "segments that overtook each other: tshark gives the request up"),
    ("dos_win98_smb_netbeui.pcap", "msbrowse", "tshark writes the browser's group in words of its own"),
    ("badpackets.pcap", "mail.houzz.com", "a question that is cut behind its whole name"),
    ("badpackets.pcap", "www.ssd.noaa.gov", "a question that is cut behind its whole name"),
    ("dns_invert_query.pcapng", "216.58.202.4", "nothing is asked: tshark has another field for an owner"),
    (
        "quic_interop_V.pcapng",
        "*",
        "Initials of a version so reserved that no server takes it (RFC 9000 §15)",
    ),
];

fn is_explained(pcap: &str, name: &str) -> bool {
    let is_like = |pattern: &str, word: &str| match pattern.strip_suffix('*') {
        Some(beginning) => word.starts_with(beginning),
        None => word == pattern,
    };
    DIFFERENCES.iter().any(|(which, what, _)| is_like(which, pcap) && is_like(what, name))
}

/// A name with everything that each side writes in its own way made alike.
fn form(name: &str) -> String {
    let mut plain = String::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let escaped =
            rest.strip_prefix("\\x").and_then(|hex| hex.get(..2)).map(|hex| u8::from_str_radix(hex, 16));
        let (c, length) = match escaped {
            Some(Ok(byte)) => (char::from(byte), 4),
            _ => (first, first.len_utf8()),
        };
        rest = &rest[length..];
        let c = if c.is_ascii_alphanumeric() || ".-:*%".contains(c) { c.to_ascii_lowercase() } else { '_' };
        if c != '_' || !plain.ends_with('_') {
            plain.push(c);
        }
    }
    plain.trim_matches(['_', '.']).to_owned()
}

/// Names by capture and field (its place in [`FIELDS`]).
type Names = BTreeMap<(String, usize), BTreeSet<String>>;

/// What tshark says of the merged captures; each has the last of its frame numbers beside it.
fn theirs(merged: &Path, captures: &[(String, u64)]) -> Names {
    let columns: BTreeSet<&str> = FIELDS.iter().flat_map(|field| field.names).copied().collect();
    let any: Vec<_> = columns.iter().copied().collect();
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(merged).args([
        "-Y",
        &any.join(" || "),
        "-T",
        "fields",
        "-E",
        "aggregator=|",
    ]);
    for column in ["frame.number", "_ws.col.Protocol"].into_iter().chain(any) {
        command.args(["-e", column]);
    }
    let output = command.stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "tshark ended with {}", output.status);
    let mut names = Names::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut values = line.split('\t');
        let (Some(Ok(number)), Some(protocol)) = (values.next().map(str::parse::<u64>), values.next()) else {
            continue;
        };
        // `GTP <HTTP>` is HTTP.
        let protocol = protocol.split_once('<').map_or(protocol, |(_, inner)| inner);
        let (pcap, _) = captures.iter().find(|(_, last)| number <= *last).unwrap();
        for (column, values) in columns.iter().zip(values) {
            for (at, field) in FIELDS.iter().enumerate() {
                if !field.names.contains(column)
                    || !field.protocols.iter().any(|word| protocol.starts_with(word))
                {
                    continue;
                }
                // `<Root>` and `<Name too long>` are tshark's own words.
                let values = values.split('|').filter(|name| !name.starts_with('<'));
                let values = values.map(|name| plain(field, name)).filter(|name| !name.is_empty());
                names.entry((pcap.clone(), at)).or_default().extend(values);
            }
        }
    }
    names
}

/// Without what only one of the two writes: a port behind a host, a service's number behind a NetBIOS name.
fn plain(field: &Field, name: &str) -> String {
    match field.names[0] {
        "http.host" => form(name.split(':').next().unwrap_or(name)),
        "nbns.name" => form(name.split('<').next().unwrap_or(name)),
        _ => form(name),
    }
}

fn ours(path: &Path, pcap: &str, names: &mut Names) {
    for flow in observe(&std::fs::read(path).unwrap(), Options::default()).unwrap().flows {
        for name in &flow.names {
            for (at, field) in FIELDS.iter().enumerate().filter(|(_, field)| field.kinds.contains(&name.kind))
            {
                let name = plain(field, &name.name);
                if !name.is_empty() {
                    names.entry((pcap.to_owned(), at)).or_default().insert(name);
                }
            }
        }
    }
}

fn is_installed(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

#[test]
fn tshark_finds_the_same_names_in_every_capture() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("LAB_CORPUS").map_or(beside, PathBuf::from).join("names/pcap");
    if !folder.is_dir() {
        println!("skipped: no corpus at {} (set LAB_CORPUS)", folder.display());
        return;
    }
    if let Some(missing) = ["tshark", "mergecap"].into_iter().find(|program| !is_installed(program)) {
        println!("skipped: {missing} is not installed (ci/setup --tests installs it)");
        return;
    }
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| lab_observe::frames(&std::fs::read(path).unwrap()).is_ok());
    let merged =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("second-opinion-{}.pcapng", std::process::id()));
    let run =
        Command::new("mergecap").arg("-a").arg("-w").arg(&merged).args(&paths).stderr(Stdio::null()).status();
    assert!(run.unwrap().success(), "mergecap could not put the captures together");
    let (mut captures, mut our_names, mut last) = (Vec::new(), Names::new(), 0);
    for path in &paths {
        let pcap = path.file_name().unwrap().to_str().unwrap().to_owned();
        last += lab_observe::frames(&std::fs::read(path).unwrap()).unwrap().count() as u64;
        ours(path, &pcap, &mut our_names);
        captures.push((pcap, last));
    }
    let their_names = theirs(&merged, &captures);
    std::fs::remove_file(&merged).unwrap();

    let (none, mut unexplained) = (BTreeSet::new(), 0);
    for (at, field) in FIELDS.iter().enumerate() {
        let (mut both, mut differing) = (0, 0);
        for (pcap, _) in &captures {
            let key = (pcap.clone(), at);
            let [ours, theirs] = [&our_names, &their_names].map(|names| names.get(&key).unwrap_or(&none));
            both += ours.intersection(theirs).count();
            for (who, name) in theirs
                .difference(ours)
                .map(|name| ("tshark", name))
                .chain(ours.difference(theirs).map(|name| ("lab", name)))
            {
                differing += 1;
                if !is_explained(pcap, name) {
                    unexplained += 1;
                    println!("  only {who}: {pcap} {name}");
                }
            }
        }
        println!("{:?} in {:?}: {both} names alike, {differing} not", field.names, field.protocols);
        assert!(both > 0, "nothing compared of {:?}", field.names);
    }
    assert_eq!(unexplained, 0, "names that only one of the two has");
}
