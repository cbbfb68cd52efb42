//! The names of flows, and which end is the client.

use std::path::Path;

use etherparse::{LaxPacketHeaders, TransportHeader};
use lab_observe::FlowRecord;

use crate::observed::Observed;
use crate::reference::{self, agrees, ends_of};
use crate::tally::{Exceptions, Tally};

/// Rows whose protocol is not compared: the expected name is a multicast address, or bytes that don't print.
const NOT_COMPARED: [&str; 2] = ["SSDP", "LLMNR"];

/// What most flows are named by.
const WIDE: [&str; 5] = ["TLS", "QUIC", "DNS", "HTTP", "HTTP_Proxy"];

/// Names that devices give themselves on their own network, and the least share of them in percent.
const NEAR: [(&str, f64); 3] = [("MDNS", 95.0), ("NetBIOS", 95.0), ("DHCP", 95.0)];

const EXCEPTIONS: Exceptions =
    &[("fuzz-*", "*", "bytes that a fuzzer changed: what is still a name is anybody's opinion")];

#[test]
fn names_agree_with_an_independent_dissector() {
    let Some(folder) = reference::folder() else { return };
    let observed = Observed::new(&folder);
    let mut tally = Tally::default();
    for row in reference::rows(&folder) {
        let Some(expected) = &row.host else { continue };
        if NOT_COMPARED.contains(&row.carrier.as_str()) {
            continue;
        }
        let flows = observed.flows(&row);
        let found = flows.iter().flat_map(|flow| &flow.names).any(|name| agrees(name, expected));
        tally.note(&row.carrier, &row, expected, found, EXCEPTIONS, || {
            let ours: Vec<_> = flows
                .iter()
                .map(|flow| {
                    let names = flow.names.iter().map(|name| format!("{}={}", name.kind.as_str(), name.name));
                    format!("{} {}", flow.app, names.collect::<Vec<_>>().join(" "))
                })
                .collect();
            format!("{ours:?}")
        });
    }
    tally.print();
    let wide = tally.sum(|carrier| WIDE.contains(&carrier));
    println!("{WIDE:?}: {:.2} %, without exceptions {:.2} %", wide.of_all(), wide.without_exceptions());
    assert!(wide.without_exceptions() >= 99.5, "of the wide protocols, exceptions aside");
    assert!(wide.of_all() >= 98.9, "of all rows of the wide protocols");
    for (carrier, least) in NEAR {
        let share = tally.sum(|each| each == carrier).of_all();
        assert!(share >= least, "{carrier}: {share:.2} % found, at least {least} % are wanted");
    }
}

#[test]
fn the_client_is_the_end_that_opened_the_flow() {
    let Some(folder) = reference::folder() else { return };
    let observed = Observed::new(&folder);
    let (mut right, mut wrong, mut absent, mut all) = (0, 0, 0, 0);
    for row in reference::rows(&folder) {
        all += 1;
        let flows = observed.flows(&row);
        let Some(flow) = flows.first() else {
            // Our errors of ICMP count into the flow that they are about.
            if !row.key.0.starts_with("icmp") {
                absent += 1;
                println!("no such flow: {} {:?}", row.pcap, row.key);
            }
            continue;
        };
        if !flow.opening_seen {
            continue;
        }
        // The reference takes whoever sent the first packet for the client, even where that is a SYN-ACK.
        if ends_of(flow)[0] == row.opener || begins_with_syn_ack(&folder, &row.pcap, flow) {
            right += 1;
        } else if !row.pcap.starts_with("fuzz-") {
            wrong += 1;
            println!("{}: {} -> {}, opened by {}", row.pcap, flow.client, flow.server, row.opener);
        }
    }
    println!("{all} rows: {right} clients right, {wrong} wrong; {absent} of which we have no flow");
    assert_eq!(wrong, 0);
    assert!(absent * 500 < all, "{absent} of {all} rows without a flow of ours");
}

fn begins_with_syn_ack(folder: &Path, pcap: &str, flow: &FlowRecord) -> bool {
    let bytes = std::fs::read(folder.join("names/pcap").join(pcap)).unwrap();
    let frame = lab_observe::frames(&bytes).unwrap().nth(flow.frames[0] as usize - 1).unwrap();
    let packet = match frame.link_type {
        1 => LaxPacketHeaders::from_ethernet(frame.data).ok(),
        113 => LaxPacketHeaders::from_linux_sll(frame.data).ok(),
        _ => LaxPacketHeaders::from_ip(frame.data).ok(),
    };
    matches!(packet.and_then(|packet| packet.transport), Some(TransportHeader::Tcp(tcp)) if tcp.syn && tcp.ack)
}
