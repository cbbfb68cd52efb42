//! What else the reference tells of a flow: ALPN, certificates, fingerprints, ECH, QUIC's version, STUN's addresses.

use std::net::SocketAddr;

use lab_observe::{FlowRecord, NameKind};

use crate::observed::Observed;
use crate::reference;
use crate::tally::{Exceptions, Tally};

const EXCEPTIONS: Exceptions = &[
    ("fuzz-*", "*", "bytes that a fuzzer changed: what is still a field is anybody's opinion"),
    ("teams.pcap", "93.71.110.205:1633*", "the peer's address, which the reference takes for the mapped one"),
    ("quic-28.pcap", "Draft-28", "what was offered first; the server wanted draft 27, which is spoken"),
];

/// A field of the rows, the least share that must be found in percent, and whether a flow has it.
type Field = (&'static str, f64, fn(&FlowRecord, &str) -> bool);

const FIELDS: [Field; 7] = [
    ("ech", 100.0, |flow, _| flow.ech),
    ("stun_mapped", 95.0, |flow, expected| has_address(flow, NameKind::StunMapped, expected)),
    ("stun_relayed", 95.0, |flow, expected| has_address(flow, NameKind::StunRelayed, expected)),
    ("alpn", 99.0, |flow, expected| flow.alpn.join(";").eq_ignore_ascii_case(expected)),
    ("ja4", 99.0, |flow, expected| flow.ja4.as_deref().is_some_and(|ours| is_same_ja4(ours, expected))),
    ("quic", 95.0, |flow, expected| {
        // That no version was agreed upon is no version.
        flow.app == "quic"
            && (expected == "Ver-Negotiation" || flow.version.as_deref() == Some(&version(expected)))
    }),
    ("san", 95.0, |flow, expected| {
        let has = |name: &str| flow.names_of(NameKind::CertSan).any(|ours| ours.eq_ignore_ascii_case(name));
        expected.split(',').all(has)
    }),
];

/// `V-1` is our `v1`, `Draft-29` our `draft-29`, and `Q046` stays.
fn version(expected: &str) -> String {
    match expected.strip_prefix("V-") {
        Some(number) => format!("v{number}"),
        None if expected.contains('-') => expected.to_lowercase(),
        None => expected.to_owned(),
    }
}

/// The reference says `d` where there is no SNI (`i` by the fingerprint's description), and the first two characters of the
/// ALPN (the first and the last).
fn is_same_ja4(ours: &str, expected: &str) -> bool {
    let bare = |print: &str| -> String {
        print.chars().enumerate().filter(|(at, _)| ![3, 8, 9].contains(at)).map(|(_, c)| c).collect()
    };
    bare(ours) == bare(expected)
}

fn has_address(flow: &FlowRecord, kind: NameKind, expected: &str) -> bool {
    flow.names_of(kind).any(|ours| is_address(ours, expected))
}

/// Whether an address of ours is the expected one; the reference cuts long IPv6 addresses.
pub(crate) fn is_address(ours: &str, expected: &str) -> bool {
    match expected.parse::<SocketAddr>() {
        Ok(whole) => ours.parse() == Ok(whole),
        Err(_) => ours.starts_with(expected),
    }
}

#[test]
fn further_facts_agree_with_an_independent_dissector() {
    let Some(folder) = reference::folder() else { return };
    let observed = Observed::new(&folder);
    let mut tally = Tally::default();
    for row in reference::rows(&folder) {
        for (field, _, has) in FIELDS {
            let Some(expected) = row.field(field) else { continue };
            let flows = observed.flows(&row);
            let found = flows.iter().any(|flow| has(flow, expected));
            tally.note(field, &row, expected, found, EXCEPTIONS, || {
                let ours: Vec<_> = flows
                    .iter()
                    .map(|flow| {
                        let names: Vec<_> =
                            flow.names.iter().map(|name| (name.kind.as_str(), &name.name)).collect();
                        format!("{} {:?} {:?} {:?} {names:?}", flow.app, flow.version, flow.alpn, flow.ja4)
                    })
                    .collect();
                format!("{ours:?}")
            });
        }
    }
    tally.print();
    for (field, least, _) in FIELDS {
        let share = tally.sum(|each| each == field).without_exceptions();
        assert!(share >= least, "{field}: {share:.2} % found, at least {least} % are wanted");
    }
}
