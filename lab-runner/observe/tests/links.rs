//! Every link that IP is found on, and what is left aside with a word.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{FlowRecord, Frame, Halves, NameKind, Observation, Observer, Options};
use packets::{Wire, dns_query};

/// An IP packet that asks for `asked.example`.
fn question() -> Vec<u8> {
    let mut wire = Wire::new();
    wire.udp("192.0.2.10:40000", "203.0.113.53:53", &dns_query(7, "asked.example"));
    wire.frames[0][14..].to_vec()
}

/// Observes frames of a link thrice: whole, cut to what was consulted, all on the slow path, and in two halves.
fn seen(link_type: u16, frames: &[Vec<u8>]) -> Observation {
    let mut whole = Observer::new(Options::default());
    let mut again = Observer::new(Options::default());
    again.explain(u64::MAX);
    let frames = (100..).zip(frames).map(|(ts_ns, data)| Frame {
        ts_ns,
        data,
        orig_len: data.len() as u32,
        link_type,
        interface: 0,
    });
    for frame in frames.clone() {
        let consulted = whole.push(frame);
        assert_eq!(again.push(Frame { data: &frame.data[..consulted.0], ..frame }), consulted);
    }
    let (whole, again) = (whole.finish(), again.finish());
    assert_eq!(whole, again, "cut frames tell something else");
    let halves = Halves::of_frames([frames.clone(), frames], &Options::default()).expect("no bound is near");
    assert_eq!(whole, halves.finish(), "two halves tell something else");
    whole
}

fn asked(seen: &Observation) -> Vec<&str> {
    seen.flows.iter().flat_map(|flow| flow.names_of(NameKind::DnsQuery)).collect()
}

/// A frame is that link's with a question behind `header`.
#[track_caller]
fn leads_to_ip(link_type: u16, header: &[u8]) -> FlowRecord {
    let mut seen = seen(link_type, &[[header, &question()].concat()]);
    assert_eq!(asked(&seen), ["asked.example"], "link type {link_type}, header {header:02x?}");
    assert!(seen.summary.weird.is_empty(), "{:?}", seen.summary.weird);
    seen.flows.remove(0)
}

const ETHERNET: &[u8] = &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x0a];
const SNAP: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

fn ethernet(behind: &[u8]) -> Vec<u8> {
    [ETHERNET, behind].concat()
}

#[test]
fn ethernet_with_tags_labels_and_sessions_leads_to_ip() {
    assert_eq!(leads_to_ip(1, &ethernet(&[8, 0])).vlan, None);
    assert_eq!(leads_to_ip(1, &ethernet(&[0x81, 0, 0x60, 7, 8, 0])).vlan, Some(7));
    assert_eq!(leads_to_ip(1, &ethernet(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 8, 0])).vlan, Some(9));
    // LLC with a length: SNAP, and IP's own access point.
    leads_to_ip(1, &ethernet(&[&[0, 80], SNAP].concat()));
    leads_to_ip(1, &ethernet(&[0, 80, 6, 6, 3]));
    // MPLS: two labels; a pseudowire with and without its control word.
    leads_to_ip(1, &ethernet(&[0x88, 0x47, 0, 1, 0, 9, 0, 2, 1, 9]));
    let inner = [&[0x02, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    assert_eq!(
        leads_to_ip(1, &ethernet(&[&[0x88, 0x47, 0, 2, 1, 9, 0, 0, 0, 0], &inner[..]].concat())).vlan,
        Some(5)
    );
    assert_eq!(leads_to_ip(1, &ethernet(&[&[0x88, 0x48, 0, 2, 1, 9], &inner[..]].concat())).vlan, Some(5));
    // PPPoE, its protocol in two bytes and in one.
    leads_to_ip(1, &ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 80, 0, 0x21]));
    leads_to_ip(1, &ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 80, 0x21]));
}

#[test]
fn point_to_point_loopback_raw_and_cooked_links_lead_to_ip() {
    for link_type in [12, 14, 101, 228] {
        leads_to_ip(link_type, &[]);
    }
    for link_type in [0, 108] {
        leads_to_ip(link_type, &[2, 0, 0, 0]);
    }
    leads_to_ip(9, &[0xff, 3, 0, 0x21]);
    leads_to_ip(50, &[0x21]);
    leads_to_ip(50, &[0x0f, 0, 8, 0]);
    leads_to_ip(51, &[0x11, 0, 0, 1, 0, 80, 0, 0x21]);
    leads_to_ip(204, &[1, 0xff, 3, 0, 0x21]);
    leads_to_ip(9, &[0xff, 3, 2, 0x81, 0, 1, 1, 9]);
    leads_to_ip(104, &[0x0f, 0, 8, 0]);
    leads_to_ip(100, SNAP);
    leads_to_ip(109, &[0; 12]);
    leads_to_ip(117, &[&[61, 2][..], &[0; 62]].concat());
    leads_to_ip(138, &[&[0; 16][..], &[8, 0]].concat());
    leads_to_ip(219, &[0, 1, 0, 9, 0, 2, 1, 9]);
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 0x0a, 0, 0][..], &[8, 0]].concat();
    assert_eq!(leads_to_ip(113, &cooked).client_mac.unwrap().to_string(), "02:00:00:00:00:0a");
    let cooked = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6][..], &[2, 0, 0, 0, 0, 0x0a, 0, 0]].concat();
    assert_eq!(leads_to_ip(276, &cooked).client_mac.unwrap().to_string(), "02:00:00:00:00:0a");
}

/// An 802.11 data frame's header: addresses of the access point, then of sender and receiver as the flags have it.
fn wifi(subtype: u8, flags: u8) -> Vec<u8> {
    let (ap, phone, router) = ([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 0x0a], [2, 0, 0, 0, 0, 1]);
    let addresses = match flags & 3 {
        0 => [router, phone, ap],
        1 => [ap, phone, router],
        2 => [router, ap, phone],
        _ => [ap, ap, router],
    };
    let mut header = [&[subtype << 4 | 8, flags, 0, 0][..], &addresses.concat(), &[0x10, 0]].concat();
    header.extend(if flags & 3 == 3 { &phone[..] } else { &[] });
    header
}

#[test]
fn wifi_data_leads_to_ip_whichever_way_it_goes() {
    for flags in 0..4 {
        let flow = leads_to_ip(105, &[&wifi(0, flags)[..], SNAP].concat());
        let ends = [flow.client_mac, flow.server_mac].map(|mac| mac.unwrap().to_string());
        assert_eq!(ends, ["02:00:00:00:00:0a", "02:00:00:00:00:01"], "{flags}");
    }
    leads_to_ip(105, &[&wifi(8, 1)[..], &[0, 0], SNAP].concat());
    leads_to_ip(105, &[&wifi(8, 0x81)[..], &[0; 6], SNAP].concat());
}

#[test]
fn what_a_receiver_puts_before_a_frame_is_stepped_over() {
    let frame = [&wifi(8, 1)[..], &[0, 0], SNAP].concat();
    let behind = |header: &[u8]| [header, &frame].concat();
    leads_to_ip(127, &behind(&[0, 0, 8, 0, 0, 0, 0, 0]));
    // Two words of fields, a timestamp, flags, and more.
    let long =
        [&[0, 0, 30, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..], &[7; 8], &[0x10], &[0; 5]].concat();
    leads_to_ip(127, &behind(&long));
    // The flags say that the header is padded to 4 bytes.
    let padded = [&[0, 0, 9, 0, 2, 0, 0, 0, 0x20][..], &wifi(8, 1), &[0, 0, 0xde, 0xad], SNAP].concat();
    leads_to_ip(127, &padded);
    let mut prism = vec![0; 144];
    prism[..8].copy_from_slice(&[0x44, 0, 0, 0, 144, 0, 0, 0]);
    leads_to_ip(119, &behind(&prism));
    let avs = [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64][..], &[0; 56]].concat();
    leads_to_ip(163, &behind(&avs));
    leads_to_ip(119, &behind(&avs));
    leads_to_ip(192, &behind(&[0, 0, 8, 0, 105, 0, 0, 0]));
    let pktap = [&[16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..], &[0; 4], ETHERNET, &[8, 0]].concat();
    leads_to_ip(258, &pktap);
    leads_to_ip(149, &pktap);
    leads_to_ip(239, &[2, 0, 0, 0, 6, 0, 10, 0, 7, 7, 0, 0, 80, 0, 9, 0]);
}

#[test]
fn packets_that_share_a_wifi_frame_are_all_seen() {
    let subframe = |name: &str| {
        let mut wire = Wire::new();
        wire.udp("192.0.2.10:40000", "203.0.113.53:53", &dns_query(7, name));
        let body = [SNAP, &wire.frames[0][14..]].concat();
        let length = (body.len() as u16).to_be_bytes();
        let mut subframe = [ETHERNET, &length, &body].concat();
        subframe.resize(subframe.len().next_multiple_of(4), 0);
        subframe
    };
    let frames = [subframe("one.example"), subframe("another.example"), subframe("a-third.example")].concat();
    let frame = [&wifi(8, 1)[..], &[0x80, 0], &frames, &[1, 2, 3, 4]].concat();
    let seen = seen(105, &[frame]);
    assert_eq!(asked(&seen), ["one.example", "another.example", "a-third.example"]);
    assert_eq!((seen.summary.packets, seen.summary.unparsed_packets), (1, 0));
}

#[test]
fn frames_without_readable_ip_are_counted_by_their_kind_and_time() {
    let aside = |link_type: u16, frame: Vec<u8>| {
        let seen = seen(link_type, &[frame.clone(), frame]);
        assert_eq!((seen.flows.len(), seen.summary.unparsed_packets), (0, 0), "{link_type}");
        let (kind, aside) = seen.summary.aside.into_iter().next().unwrap();
        assert_eq!((aside.frames, aside.first_ns, aside.last_ns), (2, 100, 101));
        kind
    };
    for (link_type, kind) in [
        (187, "bluetooth_hci"),
        (201, "bluetooth_hci"),
        (254, "bluetooth_hci"),
        (256, "bluetooth_air"),
        (189, "usb"),
        (220, "usb"),
        (249, "usb"),
    ] {
        assert_eq!(aside(link_type, vec![4, 0x0e, 4, 1]), kind);
    }
    let update = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 0x0a, 0, 6, 0, 1, 0xaf, 0x81, 1, 0], &[0; 40]].concat();
    assert_eq!(aside(1, update.clone()), "station_update");
    // Whatever is not always the same could carry something.
    for (at, byte) in [(0, 2), (17, 0x82), (59, 1)] {
        let mut other = update.clone();
        other[at] = byte;
        assert_eq!(seen(1, &[other]).summary.ether_types["0x0000"], 1);
    }
    let question = question();
    let body = |header: Vec<u8>| [&header[..], SNAP, &question].concat();
    assert_eq!(aside(105, body(wifi(0, 0x41))), "wifi_protected");
    assert_eq!(aside(105, body(wifi(0, 0x05))), "wifi_fragment");
    assert_eq!(aside(105, body(wifi(4, 1))), "wifi");
    assert_eq!(aside(105, vec![0x80, 0, 0, 0]), "wifi");
    assert_eq!(aside(127, [&[0, 0, 9, 0, 2, 0, 0, 0, 0x40][..], &body(wifi(0, 1))].concat()), "wifi_damaged");
}

#[test]
fn headers_that_make_no_sense_are_said_to_be_malformed_and_never_panic() {
    for link_type in [1, 9, 51, 104, 105, 113, 119, 127, 163, 192, 239, 258, 276] {
        for length in 0..40 {
            for byte in [0, 0x45, 0x88, 0xff] {
                seen(link_type, &[vec![byte; length]]);
            }
        }
    }
    // Labels and tags without end.
    let endless: Vec<u8> = ethernet(&[[0x88, 0x47], [0, 0]].concat().repeat(1000));
    assert_eq!(seen(1, &[endless]).summary.weird["link_malformed"], 1);
    let endless: Vec<u8> = ethernet(&[0x81, 0, 0, 1].repeat(1000));
    assert_eq!(seen(1, &[endless]).summary.weird["link_malformed"], 1);
    assert_eq!(seen(65_000, &[vec![0; 60]]).summary.weird["link_unknown"], 1);
}
