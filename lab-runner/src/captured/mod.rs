//! Captures that no bench made, as repeats of a run: one device's flows, judged against a manifest.
//!
//! A capture has no event log, no counters and no canary. So nothing is taken for seen that the file doesn't show itself:
//! whether it begins with the device's joining, whether it holds both directions, whose flows are whose. What is set aside
//! is told. It judges nothing; `judge` does, and drafting reads the same attempts.

mod device;
mod log;
mod neighbours;
mod verdict;

use std::net::IpAddr;

use lab_observe::{CaptureError, FlowRecord, L4, Options};

use crate::manifest::is_local;
use crate::observation::{Attempt, Capture};
use neighbours::Neighbours;

pub use device::{BadDevice, Device};
pub use verdict::judge;

/// The phase of a capture of which nothing else is said.
pub const PHASE: &str = "capture";
/// The longest TCP segment without payload, in bytes: Ethernet, IPv6 and TCP with all of its options.
const LONGEST_BARE_SEGMENT: u64 = 14 + 40 + 60;

/// A capture, read as one repeat.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The file, as it was given.
    pub file: String,
    /// What it stands for.
    pub attempt: Attempt,
    /// What could not be seen: the rule's word, and what is so.
    pub doubts: Vec<(&'static str, String)>,
    /// What is not judged, and why.
    pub notes: Vec<String>,
}

/// Reads a capture as the repeat `number` (from 1) of a run of the phase.
///
/// # Errors
/// Where the bytes are no capture.
pub fn read(
    number: u32,
    file: &str,
    bytes: &[u8],
    device: Device,
    phase: &str,
) -> Result<Captured, CaptureError> {
    let mut observation = lab_observe::observe(bytes, Options::default())?;
    let neighbours = match device {
        Device::Link(mac) => Neighbours::of(bytes, mac)?,
        Device::Address(_) => Neighbours::default(),
    };
    let own: Vec<IpAddr> = match device {
        Device::Link(_) => neighbours.own.iter().copied().collect(),
        Device::Address(address) => vec![address],
    };
    let (first_ns, last_ns) = span(&observation.flows);
    let sorted = Sorted::of(std::mem::take(&mut observation.flows), device, &own);
    let mut doubts = Vec::new();
    if sorted.judged.is_empty() && neighbours.sent == 0 {
        doubts.push(("device-unseen", format!("{file} holds nothing that {device} sent")));
    } else if device.is_link() && neighbours.received == 0 {
        doubts.push((
            "one-way-capture",
            format!("{file} holds no frame to {device}: it may show one direction only"),
        ));
    }
    if !sorted.forwarded.is_empty() {
        let of = sorted.forwarded.join(", ");
        let what = format!(
            "flows under {of} came through the device's link address in {file}: the device forwards for another host, or \
             sends under a false address; they are not judged"
        );
        doubts.push(("forwarded-traffic", what));
    }
    let mut notes = Vec::new();
    for (count, what) in [
        (sorted.unanswered, "to the device that it did not answer"),
        (sorted.refused, "of connections older than the capture that the device refused"),
    ] {
        if count > 0 {
            notes.push(format!("{file}: {count} {} {what}", if count == 1 { "flow" } else { "flows" }));
        }
    }
    let whole_life = joins(&sorted.judged);
    let facts = log::Facts {
        number,
        first_ns,
        length_ns: last_ns.saturating_sub(first_ns),
        phase,
        mac: device.mac(),
        own,
        neighbours: &neighbours,
        whole_life,
    };
    let entries = log::of(&facts);
    observation.flows = sorted.judged;
    let capture = Capture { vantage: log::VANTAGE.into(), file: file.to_owned(), observation };
    let attempt = Attempt { number, repeat: number, entries, captures: vec![capture], retried: false };
    Ok(Captured { file: file.to_owned(), attempt, doubts, notes })
}

fn span(flows: &[FlowRecord]) -> (u64, u64) {
    let first = flows.iter().map(|flow| flow.first_ns).min().unwrap_or_default();
    (first, flows.iter().map(|flow| flow.last_ns).max().unwrap_or(first))
}

/// Whether the first that the device says is that it has no address yet (RFC 2131 section 4.4.1, RFC 8415 section 18.2):
/// look-ups that it made before are not worth anything to it any more.
fn joins(flows: &[FlowRecord]) -> bool {
    let said = flows.iter().filter(|flow| !flow.link_control);
    let first = said.min_by_key(|flow| flow.frames[0]);
    first.is_some_and(|flow| {
        matches!(flow.app.as_str(), "dhcp" | "dhcpv6") && flow.client.ip().is_unspecified()
    })
}

/// The flows of a capture, by what they are to the device.
#[derive(Default)]
struct Sorted {
    judged: Vec<FlowRecord>,
    /// Addresses that are not the device's, under which it sent.
    forwarded: Vec<String>,
    unanswered: u64,
    refused: u64,
}

impl Sorted {
    fn of(flows: Vec<FlowRecord>, device: Device, own: &[IpAddr]) -> Self {
        let mut sorted = Self::default();
        for flow in flows {
            if device.is_client_of(&flow) {
                if is_own(flow.client.ip(), own) {
                    sorted.judged.push(flow);
                } else {
                    let address = flow.client.ip().to_canonical().to_string();
                    if !sorted.forwarded.contains(&address) {
                        sorted.forwarded.push(address);
                    }
                }
            } else if device.is_server_of(&flow) {
                if is_rest(&flow) {
                    sorted.refused += 1;
                } else if is_unanswered_here(&flow) {
                    sorted.unanswered += 1;
                } else {
                    sorted.judged.push(flow);
                }
            }
        }
        sorted
    }
}

/// Whether the device itself sends under an address: one that it was given or claims, or one that no router forwards.
/// Where nothing tells its addresses, it is taken for all of them.
fn is_own(address: IpAddr, own: &[IpAddr]) -> bool {
    let address = address.to_canonical();
    match address {
        IpAddr::V6(_) => true,
        IpAddr::V4(v4) => {
            own.is_empty() || own.contains(&address) || v4.is_unspecified() || v4.is_link_local()
        }
    }
}

/// The rest of a connection from before the capture, of which the device wants to know nothing: it only resets it.
fn is_rest(flow: &FlowRecord) -> bool {
    flow.l4 == L4::Tcp
        && !flow.opening_seen
        && !flow.answered
        && flow.bytes[1] <= flow.packets[1].saturating_mul(LONGEST_BARE_SEGMENT)
}

/// What a neighbour sent to the device, or a router told it by ICMP, without an answer: no act of the device.
fn is_unanswered_here(flow: &FlowRecord) -> bool {
    let client = flow.client.ip().to_canonical();
    let near = is_local(client) || client.is_unspecified();
    let icmp = matches!(flow.l4, L4::Icmp | L4::Icmpv6);
    !flow.answered && flow.packets[1] == 0 && (near || icmp)
}
