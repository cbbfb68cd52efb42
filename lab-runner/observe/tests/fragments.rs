//! Datagrams in fragments are read whole, and what can't be put together is said to be so.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{FlowRecord, NameKind, Observation, Options};
use packets::{Wire, client_hello, dns_answer, dns_query};
use proptest::prelude::*;

const PHONE: &str = "192.0.2.10:40000";
const RESOLVER: &str = "203.0.113.53:53";
const NAME: &str = "asked-in-a-rather-long-name-of-several-labels.example";

/// Cuts an Ethernet frame's IPv4 packet into fragments that begin at these places of its body, multiples of 8.
fn cut(frame: &[u8], id: u8, starts: &[usize]) -> Vec<Vec<u8>> {
    let (head, body) = frame.split_at(34);
    let ends = starts[1..].iter().copied().chain([body.len()]);
    let cut = |(start, end): (usize, usize)| {
        let more = if end < body.len() { 0x2000 } else { 0 };
        let mut frame = [head, &body[start..end]].concat();
        frame[16..18].copy_from_slice(&(20 + (end - start) as u16).to_be_bytes());
        frame[19] = id;
        frame[20..22].copy_from_slice(&(more | (start / 8) as u16).to_be_bytes());
        frame
    };
    starts.iter().copied().zip(ends).map(cut).collect()
}

/// The same for IPv6, behind a hop-by-hop header that stays in each fragment and destination options that don't.
fn cut6(frame: &[u8], starts: &[usize]) -> Vec<Vec<u8>> {
    let (head, body) = frame.split_at(54);
    let body = [&[17, 0, 1, 4, 0, 0, 0, 0], body].concat();
    let ends = starts[1..].iter().copied().chain([body.len()]);
    let cut = |(start, end): (usize, usize)| {
        let more = u16::from(end < body.len());
        let fragment = [&[60, 0], &(start as u16 | more).to_be_bytes()[..], &[0, 0, 0, 9]].concat();
        let hops = [44, 0, 1, 4, 0, 0, 0, 0];
        let mut frame = [head, &hops, &fragment, &body[start..end]].concat();
        let length = frame.len() as u16 - 54;
        frame[18..20].copy_from_slice(&length.to_be_bytes());
        frame[20] = 0;
        frame
    };
    starts.iter().copied().zip(ends).map(cut).collect()
}

fn question() -> Vec<u8> {
    let mut wire = Wire::new();
    wire.udp(PHONE, RESOLVER, &dns_query(7, NAME));
    wire.frames.remove(0)
}

fn observe(frames: &[Vec<u8>]) -> Observation {
    let mut wire = Wire::new();
    frames.iter().for_each(|frame| wire.raw(frame));
    wire.observe()
}

fn questions(flow: &FlowRecord) -> Vec<&str> {
    flow.names_of(NameKind::DnsQuery).collect()
}

fn weird(seen: &Observation) -> Vec<(&str, u64)> {
    seen.summary.weird.iter().map(|(word, count)| (word.as_str(), *count)).collect()
}

#[track_caller]
fn is_read_whole(frames: &[Vec<u8>]) {
    let seen = observe(frames);
    let flow = &seen.flows[0];
    assert_eq!((seen.flows.len(), flow.packets, flow.unread), (1, [frames.len() as u64, 0], false));
    assert_eq!((questions(flow), weird(&seen)), (vec![NAME], vec![]));
    assert_eq!(flow.bytes[0], frames.iter().map(|frame| frame.len() as u64).sum::<u64>());
}

#[test]
fn fragments_in_any_order_are_put_together() {
    let frames = cut(&question(), 1, &[0, 24, 48, 64]);
    is_read_whole(&frames);
    let mut turned = frames.clone();
    turned.reverse();
    is_read_whole(&turned);
    // One that was captured twice changes nothing but the counters.
    is_read_whole(&[
        frames[0].clone(),
        frames[1].clone(),
        frames[1].clone(),
        frames[2].clone(),
        frames[3].clone(),
    ]);
    let mut wire = Wire::new();
    wire.udp("[2001:db8:1::10]:40000", "[2001:db8:53::1]:53", &dns_query(7, NAME));
    let frames = cut6(&wire.frames[0], &[0, 24, 48]);
    is_read_whole(&frames);
    is_read_whole(&[frames[2].clone(), frames[0].clone(), frames[1].clone()]);
}

#[test]
fn a_tcp_segment_in_fragments_reaches_the_parsers_whole() {
    let mut wire = Wire::new();
    let hello = client_hello(Some("api.u8.example"), &["h2"]);
    wire.tcp_opens(PHONE, "198.51.100.20:443", &[&hello]);
    let segment = wire.frames.pop().unwrap();
    cut(&segment, 1, &[0, 32, 80]).iter().for_each(|frame| wire.raw(frame));
    let seen = wire.observe();
    let names: Vec<_> = seen.flows[0].names_of(NameKind::Sni).collect();
    assert_eq!((names, seen.flows[0].app.as_str(), weird(&seen)), (vec!["api.u8.example"], "tls", vec![]));
}

#[test]
fn a_tunnels_packet_in_fragments_is_opened() {
    let mut wire = Wire::new();
    wire.ip("192.0.2.10", "198.51.100.20", 4, 64, &question()[14..]);
    let seen = observe(&cut(&wire.frames[0], 1, &[0, 40, 56]));
    assert_eq!((seen.flows.len(), seen.flows[0].app.as_str()), (2, "ipip"));
    assert_eq!((questions(&seen.flows[1]), seen.flows[0].packets), (vec![NAME], [3, 0]));
    assert_eq!(weird(&seen), []);
}

#[test]
fn datagrams_between_the_same_ends_are_told_apart() {
    let (a, b) = (cut(&question(), 1, &[0, 24]), cut(&question(), 2, &[0, 40]));
    is_read_whole(&[a[0].clone(), b[0].clone(), b[1].clone(), a[1].clone()]);
}

#[test]
fn what_stays_incomplete_is_said_to_be_and_read_as_far_as_it_goes() {
    let frames = cut(&question(), 1, &[0, 72]);
    let seen = observe(&frames[..1]);
    assert_eq!((questions(&seen.flows[0]), seen.flows[0].unread), (vec![], true));
    assert_eq!(weird(&seen), [("dns_cut", 1), ("dns_malformed", 1), ("fragment_incomplete", 1)]);
    // Without its first fragment nothing tells the ports.
    let seen = observe(&frames[1..]);
    assert_eq!((seen.flows[0].server.port(), seen.flows[0].unread), (0, true));
    assert_eq!(weird(&seen), [("fragment_orphaned", 1)]);
}

#[test]
fn a_fragment_that_lost_its_end_is_read_as_far_as_it_goes() {
    let mut wire = Wire::new();
    wire.udp(RESOLVER, PHONE, &dns_answer(7, NAME, &[], "198.51.100.20"));
    let mut frame = cut(&wire.frames[0], 1, &[0, 88]).remove(0);
    frame.truncate(34 + 84);
    let seen = observe(&[frame]);
    let flow = &seen.flows[0];
    assert_eq!((flow.app.as_str(), questions(flow), flow.unread), ("dns", vec![NAME], true));
    assert_eq!(seen.summary.weird["fragment_incomplete"], 1);
}

#[test]
fn nothing_is_waited_for_longer_than_a_minute_of_the_capture() {
    let frames = cut(&question(), 1, &[0, 24]);
    let mut wire = Wire::new();
    wire.raw(&frames[0]);
    wire.pause(61);
    wire.raw(&frames[1]);
    let seen = wire.observe();
    assert_eq!((questions(&seen.flows[0]), seen.flows.len()), (vec![], 2));
    assert_eq!((seen.summary.weird["fragment_incomplete"], seen.summary.weird["fragment_orphaned"]), (1, 1));
    assert_eq!(seen.summary.streams_evicted, 0);
}

#[test]
fn fragments_that_overlap_with_other_bytes_are_not_read() {
    let frames = cut(&question(), 1, &[0, 24, 48]);
    for (at, byte) in [(2, 40), (1, 40)] {
        let mut other = frames[at].clone();
        other[byte] ^= 1;
        let seen = observe(&[frames[0].clone(), frames[at].clone(), other, frames[3 - at].clone()]);
        assert_eq!((questions(&seen.flows[0]), seen.flows[0].unread), (vec![], true), "{at}");
        assert_eq!(weird(&seen), [("fragments_overlap", 1)]);
    }
    // In part, with the same bytes or not.
    let wide = cut(&question(), 1, &[0, 16, 48]);
    let seen = observe(&[frames[0].clone(), wide[1].clone(), frames[2].clone()]);
    assert_eq!((weird(&seen), seen.flows[0].unread), (vec![("fragments_overlap", 1)], true));
    // The last one twice, with different ends.
    let longer = cut(&[question(), vec![0; 8]].concat(), 1, &[0, 24, 48]);
    let seen = observe(&[frames[0].clone(), frames[2].clone(), longer[2].clone(), frames[1].clone()]);
    assert_eq!((questions(&seen.flows[0]), seen.flows[0].unread), (vec![], true));
}

#[test]
fn a_datagram_longer_than_any_is_not_put_together() {
    let mut frames = cut(&question(), 1, &[0, 24]);
    frames[1][20..22].copy_from_slice(&0x1fff_u16.to_be_bytes());
    let seen = observe(&frames);
    assert_eq!((weird(&seen), seen.flows[0].unread), (vec![("fragment_malformed", 1)], true));
}

#[test]
fn a_flood_of_fragments_stays_within_the_pool_and_is_said_to_lose_some() {
    let mut wire = Wire::new();
    wire.udp(PHONE, "203.0.113.66:4000", &[7; 1400]);
    let template = cut(&wire.frames.pop().unwrap(), 1, &[0, 1304]).remove(0);
    for number in 0..8_000_u16 {
        let mut frame = template.clone();
        frame[18..20].copy_from_slice(&number.to_be_bytes());
        wire.raw(&frame);
    }
    let seen = wire.observe_with(Options { stream_bytes: 1 << 20, ..Options::default() });
    assert_eq!((seen.flows.len(), seen.flows[0].packets), (1, [8_000, 0]));
    assert!(seen.summary.streams_evicted > 7_000 && !seen.summary.complete(), "{:?}", seen.summary);
    assert_eq!(weird(&seen), [("fragment_incomplete", 8_000)]);
}

#[test]
fn bytes_behind_a_datagram_in_its_packet_leave_the_flow_unread() {
    let mut frame = question();
    frame.extend(b"hidden here");
    let length = frame.len() as u16 - 14;
    frame[16..18].copy_from_slice(&length.to_be_bytes());
    let seen = observe(&[frame]);
    assert_eq!((weird(&seen), seen.flows[0].unread), (vec![("udp_trailing", 1)], true));
    // Padding of the link is none of the packet's.
    let seen = observe(&[[question(), vec![0; 12]].concat()]);
    assert_eq!((weird(&seen), seen.flows[0].unread), (vec![], false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn however_a_datagram_is_cut_and_shuffled_it_is_read_the_same(
        mut starts in prop::collection::btree_set(1..10usize, 0..6),
        order in any::<prop::sample::Index>(),
    ) {
        starts.insert(0);
        let starts: Vec<usize> = starts.into_iter().map(|start| start * 8).collect();
        let mut frames = if starts.len() > 1 { cut(&question(), 1, &starts) } else { vec![question()] };
        let length = frames.len();
        frames.rotate_left(order.index(length));
        let seen = observe(&frames);
        prop_assert_eq!((questions(&seen.flows[0]), seen.flows.len()), (vec![NAME], 1));
        prop_assert!(seen.summary.weird.is_empty());
    }
}
