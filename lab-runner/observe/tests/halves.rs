//! Two observers that share a capture tell what one tells, also where a flow's story crosses from half to half; and tell
//! nothing where they might not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod packets;

use lab_observe::{Halves, NameKind, Observation, Observer, Options, State};
use packets::{Wire, dns_answer, dns_query};

/// Seen by two, which tell the same as one.
fn halved(wire: &Wire) -> Observation {
    let whole = wire.observe();
    let halves = Halves::of_frames([wire.captured(), wire.captured()], &Options::default());
    assert_eq!(halves.expect("no bound is near").finish(), whole);
    whole
}

/// Addresses enough for pairs of both halves.
fn servers() -> impl Iterator<Item = String> {
    (1..=32).map(|last| format!("198.51.100.{last}"))
}

#[test]
fn a_name_that_one_half_learns_names_flows_of_the_other() {
    let mut wire = Wire::new();
    for (id, server) in (1..).zip(servers()) {
        let name = format!("host{id}.example");
        let (client, resolver) = ("192.0.2.10:50000", "203.0.113.53:53");
        wire.udp(client, resolver, &dns_query(id, &name));
        // Too early to be named by what comes.
        wire.udp("192.0.2.10:40001", &format!("{server}:9999"), b"\x00\x01\x02\x03early");
        wire.udp(resolver, client, &dns_answer(id, &name, &[], &server));
        wire.udp("192.0.2.10:40002", &format!("{server}:9999"), b"\x00\x01\x02\x03later");
    }
    let seen = halved(&wire);
    let of = |port: u16| seen.flows.iter().filter(move |flow| flow.client.port() == port);
    assert_eq!((of(40001).count(), of(40002).count()), (32, 32));
    assert!(of(40001).all(|flow| flow.state == State::Unresolved && flow.names.is_empty()));
    assert!(of(40002).all(|flow| flow.names_of(NameKind::Dns).count() == 1));
}

#[test]
fn a_link_address_stands_for_one_host_only_until_either_half_sees_another_behind_it() {
    let mut wire = Wire::new();
    let (client, resolver) = ("192.0.2.10:50000", "203.0.113.53:53");
    wire.udp(client, resolver, &dns_query(1, "six.example"));
    wire.udp(resolver, client, &dns_answer(1, "six.example", &[], "2001:db8:9::1"));
    let six = |wire: &mut Wire, port: u16| {
        wire.udp(&format!("[2001:db8:1::10]:{port}"), "[2001:db8:9::1]:9999", b"\x00\x01?")
    };
    six(&mut wire, 40001);
    // Another host behind the same link address: the phone shares its connection.
    for server in servers() {
        wire.udp("192.0.2.11:50000", &format!("{server}:9999"), b"\x00\x01?");
        wire.by_phone();
    }
    six(&mut wire, 40002);
    let seen = halved(&wire);
    let named = |port: u16| {
        let flow = seen.flows.iter().find(|flow| flow.client.port() == port).unwrap();
        flow.names_of(NameKind::Dns).count()
    };
    assert_eq!((named(40001), named(40002)), (1, 0));
}

#[test]
fn an_icmp_error_is_counted_into_the_flow_that_it_is_about_whichever_half_has_that() {
    let mut wire = Wire::new();
    let exceeded = |about: &[u8]| [&[11, 0, 0, 0, 0, 0, 0, 0][..], about].concat();
    for server in servers() {
        wire.udp("192.0.2.10:40000", &format!("{server}:9999"), b"\x00\x01?");
        let about = wire.frames.last().unwrap()[14..].to_vec();
        wire.ip("203.0.113.1", "192.0.2.10", 1, 64, &exceeded(&about));
    }
    let seen = halved(&wire);
    assert_eq!(seen.flows.len(), 32);
    assert!(seen.flows.iter().all(|flow| flow.packets == [1, 1]), "{:?}", seen.flows);

    // About flows that nobody saw, each from a router of its own, and from the same one.
    let about = wire.frames[0][14..].to_vec();
    for (last, server) in (1..).zip(servers()) {
        let mut of_another = about.clone();
        of_another[12..16].copy_from_slice(&[192, 0, 2, 77]);
        of_another[16..20].copy_from_slice(&[203, 0, 113, last]);
        wire.ip(&server, "192.0.2.77", 1, 64, &exceeded(&of_another));
        wire.ip("203.0.113.1", "192.0.2.77", 1, 64, &exceeded(&of_another));
    }
    let seen = halved(&wire);
    let icmp = seen.flows.iter().filter(|flow| flow.app == "icmp");
    assert_eq!(icmp.map(|flow| flow.packets[0]).collect::<Vec<_>>(), [&[1, 32][..], &[1; 31]].concat());
}

#[test]
fn fragments_that_are_never_put_together_are_the_same_flows_in_the_same_order() {
    let mut wire = Wire::new();
    for last in 1..=32 {
        // Behind the first fragment, which doesn't come.
        wire.udp("192.0.2.10:40000", &format!("198.51.100.{last}:9999"), &[0; 64]);
        let frame = wire.frames.last_mut().unwrap();
        frame[18..22].copy_from_slice(&[0, last, 0x20, 8]);
    }
    wire.udp("192.0.2.10:40000", "198.51.100.1:9999", b"\x00\x01?");
    let seen = halved(&wire);
    assert_eq!((seen.flows.len(), seen.summary.weird["fragment_orphaned"]), (33, 32));
    let servers: Vec<_> = seen.flows.iter().map(|flow| flow.server.ip().to_string()).collect();
    let expected: Vec<_> =
        std::iter::once(1).chain(1..=32).map(|last| format!("198.51.100.{last}")).collect();
    assert_eq!(servers, expected);
}

#[test]
fn where_a_bound_might_have_been_reached_the_two_tell_nothing() {
    let mut wire = Wire::new();
    for server in servers() {
        wire.udp("192.0.2.10:40000", &format!("{server}:9999"), b"\x00\x01?");
    }
    let halves = |max_flows| {
        let options = Options { max_flows, ..Options::default() };
        let halves = Halves::of_frames([wire.captured(), wire.captured()], &options);
        halves.map(|halves| halves.finish().summary.flows)
    };
    assert_eq!((halves(31), halves(32)), (None, Some(32)));
}

#[test]
fn where_the_two_see_different_captures_they_tell_nothing() {
    let mut wire = Wire::new();
    for server in servers() {
        wire.udp("192.0.2.10:40000", &format!("{server}:9999"), b"\x00\x01?");
        let about = wire.frames.last().unwrap()[14..].to_vec();
        wire.ip("203.0.113.1", "192.0.2.10", 1, 64, &[&[11, 0, 0, 0, 0, 0, 0, 0][..], &about].concat());
    }
    for frames in [0, 1, 20, 63] {
        for [one, other] in [[64, frames], [frames, 64]] {
            let views = [wire.captured().take(one), wire.captured().take(other)];
            assert!(Halves::of_frames(views, &Options::default()).is_none(), "{one} and {other} frames");
        }
    }
    // One more view of the same: nothing is left over from what went wrong.
    assert!(Halves::of_frames([wire.captured(), wire.captured()], &Options::default()).is_some());
    let mut alone = Observer::new(Options::default());
    for frame in wire.captured() {
        alone.push(frame);
    }
    assert_eq!(alone.finish().summary.flows, 32);
}

#[test]
fn what_makes_no_sense_is_counted_by_one_half() {
    let mut wire = Wire::new();
    for server in servers() {
        wire.udp("192.0.2.10:40000", &format!("{server}:9999"), &[0; 64]);
        // Shorter than its own header.
        wire.frames.last_mut().unwrap()[16..18].copy_from_slice(&[0, 19]);
        wire.udp("192.0.2.10:40000", &format!("{server}:9999"), &[0; 64]);
        // No room for ports.
        wire.frames.last_mut().unwrap()[16..18].copy_from_slice(&[0, 24]);
    }
    wire.raw(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1]);
    let seen = halved(&wire);
    assert_eq!(seen.summary.weird["ip_malformed"], 32);
    assert_eq!(seen.summary.ether_types["0x0806"], 1);
}
