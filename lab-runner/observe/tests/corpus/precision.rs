//! Names that we report where the reference has another one or none: every kind of it is known, with its reason.

use std::collections::BTreeMap;

use lab_observe::{Name, NameKind};

use crate::fields::is_address;
use crate::observed::Observed;
use crate::reference::{self, Row, agrees};

/// What the reference has of a flow on which we report a name that it hasn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Theirs {
    /// No name at all.
    None,
    /// A name that we report as well, and ours is one more.
    Among,
    /// A name that we don't have.
    Other,
}

/// A kind of name, what the reference calls the flow (`*` is anything), what it has there, and why ours is right.
type Reason = (NameKind, &'static str, Theirs, &'static str);

/// Every entry was looked at, with a second dissector beside. One name a flow is all that the reference keeps.
const REASONS: &[Reason] = &[
    (NameKind::DnsQuery, "*", Theirs::Among, "a client asks many questions on one flow"),
    (NameKind::SipHost, "SIP", Theirs::None, "the host in a request's URI, which the reference doesn't tell"),
    (
        NameKind::Ssdp,
        "SSDP",
        Theirs::Other,
        "a place on the link, where the reference has the group's address",
    ),
    (NameKind::Dhcp, "DHCPV6", Theirs::None, "the client's name, which the reference only reads in DHCP"),
    (
        NameKind::QuicSni,
        "QUIC",
        Theirs::None,
        "a hello in a version that no server speaks, which it doesn't open",
    ),
    (NameKind::Ptr, "DNS", Theirs::Among, "the answer to a question about an address"),
    (NameKind::Srv, "DNS", Theirs::Among, "the host in the answer to a question about a service"),
    (NameKind::HttpHost, "*", Theirs::Among, "several requests on one connection"),
    (NameKind::Mdns, "MDNS", Theirs::Among, "multicast DNS has many names on one flow"),
    (NameKind::Netbios, "NetBIOS", Theirs::Among, "a host has a name, a group and services"),
    (NameKind::Dhcp, "DHCP", Theirs::Among, "all clients without an address share one flow"),
    (NameKind::Dhcp, "DHCP", Theirs::None, "a request's host name (option 12), which the reference missed"),
    (
        NameKind::HttpHost,
        "SOAP",
        Theirs::None,
        "the Host of a request, which the reference leaves out of SOAP",
    ),
    (NameKind::StarttlsSni, "SOCKS", Theirs::None, "a ClientHello through a proxy, which it doesn't read"),
    (
        NameKind::StarttlsSni,
        "HAProxy",
        Theirs::None,
        "a ClientHello behind a proxy's header, which it doesn't read",
    ),
    (NameKind::StunMapped, "*", Theirs::Among, "each of several requests has its mapped address"),
    (NameKind::StunRelayed, "*", Theirs::Among, "each of several requests has its relayed address"),
    (NameKind::StunMapped, "STUN", Theirs::Other, "in Microsoft's form it tells the peer instead"),
    (
        NameKind::StunPeer,
        "*",
        Theirs::None,
        "whom a client wants to reach through a relay, which it doesn't tell",
    ),
    (
        NameKind::Netbios,
        "NetBIOS",
        Theirs::None,
        "both names in a request for a session, which it doesn't read",
    ),
    (
        NameKind::SocksHost,
        "SOCKS",
        Theirs::None,
        "the host that the proxy is asked for, which it doesn't read",
    ),
    (NameKind::Helo, "SMTP", Theirs::Among, "the client's own name, beside the server's"),
    (NameKind::Greeting, "SSH", Theirs::Among, "the server's program, where it keeps the client's"),
    (NameKind::Helo, "SSH", Theirs::Among, "the client's program, where it keeps the server's"),
];

/// What the reference has in the place of a name of this kind.
fn theirs(row: &Row, kind: NameKind) -> Option<&str> {
    match kind {
        NameKind::StunMapped => row.field("stun_mapped"),
        NameKind::StunRelayed => row.field("stun_relayed"),
        NameKind::StunPeer => None,
        _ => row.host.as_deref(),
    }
}

#[test]
fn names_that_the_reference_has_not_are_of_known_kinds() {
    let Some(folder) = reference::folder() else { return };
    let observed = Observed::new(&folder);
    let mut kinds: BTreeMap<(NameKind, String, Theirs), Vec<String>> = BTreeMap::new();
    let mut compared = 0;
    for row in reference::rows(&folder).iter().filter(|row| !row.pcap.starts_with("fuzz-")) {
        let flows = observed.flows(row);
        let ours = || flows.iter().flat_map(|flow| &flow.names);
        let is_theirs = |name: &Name| {
            theirs(row, name.kind).is_some_and(|expected| match name.kind {
                NameKind::StunMapped | NameKind::StunRelayed => is_address(&name.name, expected),
                _ => agrees(name, expected),
            })
        };
        // DNS names come from another flow, and those of a certificate are compared with the reference's own.
        for name in ours().filter(|name| !matches!(name.kind, NameKind::Dns | NameKind::CertSan)) {
            compared += 1;
            if is_theirs(name) {
                continue;
            }
            let theirs = match theirs(row, name.kind) {
                None => Theirs::None,
                Some(_) if ours().any(&is_theirs) => Theirs::Among,
                Some(_) => Theirs::Other,
            };
            let place = format!("{} {:?} {:?}: ours {}", row.pcap, row.key.1, row.host, name.name);
            kinds.entry((name.kind, row.carrier.clone(), theirs)).or_default().push(place);
        }
    }
    println!("{compared} names compared");
    let mut unknown = 0;
    for ((kind, carrier, theirs), places) in &kinds {
        let reason = REASONS.iter().find(|(known, word, has, _)| {
            (known, has) == (kind, theirs) && (*word == "*" || *word == carrier.as_str())
        });
        let said = reason.map_or("NOT KNOWN", |(.., said)| said);
        println!("{:5} {} on {carrier}, the reference has {theirs:?}: {said}", places.len(), kind.as_str());
        if reason.is_none() {
            unknown += places.len();
            places.iter().take(20).for_each(|place| println!("      {place}"));
        }
    }
    assert_eq!(unknown, 0, "names of a kind that has no reason");
}
