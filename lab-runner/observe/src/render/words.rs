//! The words that people read about a flow, in a table or an explanation.

use std::net::SocketAddr;

use super::ends::Written;
use crate::record::{Disagreement, FlowRecord, L4, Reason, State};

/// An end with its port, where the transport has any.
pub(super) fn push_end(words: &mut String, l4: L4, end: SocketAddr) {
    let written = match l4 {
        L4::Tcp | L4::Udp => Written::end(end),
        _ => Written::address(end.ip()),
    };
    words.push_str(written.as_str());
}

/// Transport, protocol, version, and what is carried in it.
pub(super) fn push_over(words: &mut String, flow: &FlowRecord) {
    let l4 = flow.l4.word();
    words.push_str(&l4);
    if flow.app != "unknown" && *flow.app != *l4 {
        words.push('/');
        words.push_str(&flow.app);
    }
    if let Some(version) = &flow.version {
        words.push(' ');
        words.push_str(version);
    }
    if flow.guessed {
        words.push('?');
    }
    if let Some(service) = &flow.port_suggests {
        push_parts(words, [" (", service, "?)"]);
    }
}

/// What is known of who the server is.
pub(super) fn state(flow: &FlowRecord) -> &'static str {
    match (flow.state, flow.corroborated) {
        (State::Named, true) => "named",
        (State::Named, false) => "named, uncorroborated",
        (State::Ambiguous, _) => "ambiguous",
        (State::Unresolved, _) => "no name",
    }
}

/// Why there is no name.
pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NeverQueried => "address never looked up",
        Reason::NoDnsSeen => "no look-up of this client was seen before",
        Reason::BeforeCapture => "open before the capture began",
        Reason::HiddenDns => "look-ups are encrypted",
        Reason::Ech => "name hidden (ECH)",
        Reason::Loss => "the bytes that would tell are missing",
        Reason::Local => "stays on the link",
        Reason::Resolver => "a resolver",
        Reason::SeveralNames => "several names were looked up for this address",
    }
}

/// What contradicts what.
pub(super) fn disagreement(disagreement: Disagreement) -> &'static str {
    match disagreement {
        Disagreement::SniDns => "DNS gave this address for other names than the ClientHello's",
        Disagreement::HostDns => "DNS gave this address for other names than the HTTP request's",
        Disagreement::HostSni => "the HTTP request and the ClientHello name different servers",
        Disagreement::SeveralAsserted => "the client asserts several names",
        Disagreement::SniCert => "the server's certificate is for other hosts than the ClientHello's",
    }
}

/// Widest evidence first: how far below the top a flow stands in a list.
pub(super) fn rank(flow: &FlowRecord) -> u8 {
    match (flow.state, flow.corroborated, flow.reason) {
        (State::Named, true, _) => 0,
        (State::Named, false, _) => 1,
        (State::Ambiguous, ..) => 2,
        (State::Unresolved, _, Some(Reason::Local)) => 5,
        (State::Unresolved, _, Some(Reason::Resolver)) => 4,
        (State::Unresolved, ..) => 3,
    }
}

/// The colour of a rank on a terminal (an SGR parameter of ECMA-48).
pub(super) fn colour(rank: u8) -> &'static str {
    match rank {
        0 => "32",
        1 | 2 => "33",
        3 => "31",
        _ => "2",
    }
}

/// A span after something, in seconds.
pub(super) fn push_after(words: &mut String, nanoseconds: u64) {
    let milliseconds = nanoseconds / 1_000_000 + nanoseconds % 1_000_000 / 500_000;
    let (mut seconds, mut rest) = (itoa::Buffer::new(), itoa::Buffer::new());
    // Three digits, behind a first that keeps zeros in front.
    let rest = &rest.format(1000 + milliseconds % 1000)[1..];
    push_parts(words, ["+", seconds.format(milliseconds / 1000), ".", rest, " s"]);
}

/// A number of bytes.
pub(super) fn push_bytes(words: &mut String, count: u64) {
    let (unit, word) = match count {
        0..10_000 => return push_parts(words, [itoa::Buffer::new().format(count), " B"]),
        10_000..10_000_000 => (1_000, " kB"),
        10_000_000..10_000_000_000 => (1_000_000, " MB"),
        _ => (1_000_000_000, " GB"),
    };
    let tenths = count / (unit / 10) + count % (unit / 10) / (unit / 20);
    let (mut whole, mut part) = (itoa::Buffer::new(), itoa::Buffer::new());
    push_parts(words, [whole.format(tenths / 10), ".", part.format(tenths % 10), word]);
}

/// One text behind the other.
pub(super) fn push_parts<const N: usize>(words: &mut String, parts: [&str; N]) {
    for part in parts {
        words.push_str(part);
    }
}
