//! Whether an attempt's captures hold all that they had to hold: what was counted against what is in the file, and the
//! canaries as proof that traffic of both directions was seen.

use std::collections::{BTreeMap, BTreeSet};

use lab_observe::{LinkFrame, Summary};
use lab_protocol::{Action, Event, Reply};

use super::Grounds;
use super::integrity::Gaps;
use super::words::printable;
use crate::observation::{Attempt, Capture, Heard, Sides};
use crate::plan::SETUP;

/// EtherType of the lab's own canaries: each frame has to be one that the lab sent.
const CANARY: &str = "0x88b5";
/// EtherTypes with which a link keeps itself going: ARP, 802.1X and LLDP. They are counted, and what they carry is not
/// looked at.
const LINK_UPKEEP: [&str; 3] = ["0x0806", "0x888e", "0x88cc"];
/// More of these in a minute are more than a link of a few hosts needs: one asks for an address at most once a second
/// (RFC 1122 section 2.3.2.1), and few at a time.
const MOST_UPKEEP: u64 = 64;
const MINUTE_NS: u64 = 60_000_000_000;

/// Oddities of a capture that may hide what the product did or asked for.
const HIDING: [&str; 15] = [
    "block_custom",
    "block_unknown",
    "client_hello_cut",
    "dns_answer_from_client",
    "dns_cut",
    "dns_malformed",
    "fragment_incomplete",
    "fragment_malformed",
    "fragment_orphaned",
    "fragments_overlap",
    "ip_malformed",
    "source_routed",
    "transport_malformed",
    "tunnel_too_deep",
    "udp_trailing",
];
/// Kinds of frames that carry no one's packets: what a host says to its Bluetooth controller, and what keeps a radio link
/// going.
const CARRIES_NONE: [&str; 4] = ["bluetooth_air", "bluetooth_hci", "station_update", "wifi"];
/// Those of them that may hide a look-up's answer.
const HIDING_LOOK_UPS: [&str; 2] = ["dns_cut", "dns_malformed"];

/// Whether packets of this capture are known to be missing or unread, so that a look-up may be among them.
pub(super) fn misses_packets(heard: &Heard<'_>, capture: &Capture) -> bool {
    let summary = &capture.observation.summary;
    let (lost, written) = counted(heard, capture);
    !summary.complete()
        || summary.unparsed_packets > 0
        || lost > 0
        || written.is_some_and(|written| written > summary.packets)
        || HIDING_LOOK_UPS.iter().any(|word| summary.weird.get(*word).is_some_and(|count| *count > 0))
}

/// Looks at every capture of an attempt, and whether one is missing.
pub(super) fn captures(grounds: Grounds, attempt: &Attempt, gaps: &mut Gaps<'_, '_>) {
    if attempt.captures.is_empty() {
        gaps.doubt("no-capture", "nothing was captured, so that nothing can be said about endpoints");
        return;
    }
    let observed = gaps.observed;
    let started = observed.heard.commands().filter_map(|(_, command)| match &command.action {
        Action::StartCapture { vantage } => Some(vantage.clone()),
        _ => None,
    });
    let wanted = observed.sides.vantages.iter().map(|vantage| vantage.name.clone());
    let wanted: BTreeSet<String> = wanted.chain(started).collect();
    for vantage in &wanted {
        if !attempt.captures.iter().any(|capture| capture.vantage == *vantage) {
            let title = format!("the capture at {} is missing", printable(vantage));
            gaps.doubt("capture-missing", title);
        }
    }
    let unwatched: Vec<String> = gaps.observed.sides.unwatched().map(printable).collect();
    for side in unwatched {
        gaps.doubt(
            "side-unwatched",
            format!("nothing captures what the {side} sends: its traffic was not seen"),
        );
    }
    for capture in &attempt.captures {
        if grounds == Grounds::Run {
            counters(capture, gaps);
        }
        read_whole(capture, gaps);
        link_frames(&capture.observation.summary, &printable(&capture.vantage), gaps);
        if grounds == Grounds::Run {
            canaries(capture, gaps);
        }
    }
}

/// What the capturing system counted, against what is in the file.
fn counters(capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let at = printable(&capture.vantage);
    let (lost, written) = counted(&gaps.observed.heard, capture);
    if lost > 0 {
        let title = format!("{lost} packets were dropped at {at}: something may have gone unseen");
        gaps.doubt("packets-dropped", title).help =
            Some("give the capture a larger buffer, or the host less else to do, and run again".into());
    }
    let there = capture.observation.summary.packets;
    match written {
        None => {
            gaps.doubt("capture-not-ended", format!("the capture at {at} was never ended in order"));
        }
        Some(written) if written != there => {
            let title = format!("{written} frames were captured at {at}, and the file holds {there}");
            gaps.doubt("frames-missing", title);
        }
        Some(_) => {}
    }
}

/// Packets lost, and frames written where the capture was ended in order.
fn counted(heard: &Heard<'_>, capture: &Capture) -> (u64, Option<u64>) {
    let (mut lost, mut written) = (0, None);
    for (_, event) in heard.events() {
        match event {
            Event::CaptureStats { vantage, dropped, if_dropped, .. } if *vantage == capture.vantage => {
                lost = lost.max(dropped.saturating_add(*if_dropped));
            }
            Event::Done { reply: Reply::Captured { vantage, dropped, if_dropped, written: frames, .. } }
                if *vantage == capture.vantage =>
            {
                lost = lost.max(dropped.saturating_add(*if_dropped));
                written = Some(*frames);
            }
            _ => {}
        }
    }
    (lost, written)
}

/// What the file itself says about what is missing.
fn read_whole(capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let summary = &capture.observation.summary;
    let at = printable(&capture.vantage);
    if summary.cut {
        let why = summary.cut_reason.as_deref().unwrap_or("it ends within a record");
        gaps.doubt("capture-cut", format!("the capture at {at} is damaged: {}", printable(why)));
    }
    // The log's counters and the file's are of the same buffer: told once.
    if summary.drops.unwrap_or(0) > counted(&gaps.observed.heard, capture).0 {
        let title = format!("{} packets were dropped at {at}, says its file", summary.drops.unwrap_or(0));
        gaps.doubt("packets-dropped", title);
    }
    let given_up = summary.flows_refused + summary.streams_evicted + summary.names_evicted;
    if given_up > 0 {
        let title =
            format!("the capture at {at} holds more than could be followed: {given_up} things were given up");
        gaps.doubt("observation-incomplete", title);
    }
    let odd: Vec<String> = HIDING
        .iter()
        .filter_map(|word| summary.weird.get(*word).filter(|count| **count > 0).map(|count| (word, count)))
        .map(|(word, count)| format!("{word} ({count})"))
        .collect();
    if !odd.is_empty() {
        let title = format!("the capture at {at} holds what could not be read: {}", odd.join(", "));
        gaps.doubt("observation-incomplete", title).help =
            Some("look at the flows that are told as unread, and at the capture itself".into());
    }
    if summary.unparsed_packets > 0 || summary.unparsed_bytes > 0 {
        gaps.doubt("frames-unreadable", format!("the capture at {at} holds frames that could not be read"));
    }
}

/// Frames that are no IP: unknown ones could carry anything, and so could too many of the known ones.
fn link_frames(summary: &Summary, at: &str, gaps: &mut Gaps<'_, '_>) {
    let is = |kind: &str, known: &str| kind.eq_ignore_ascii_case(known);
    let of_kinds = |wanted: &dyn Fn(&str) -> bool| -> BTreeMap<&str, u64> {
        let kinds = summary.ether_types.iter().map(|(kind, count)| (kind.as_str(), *count));
        kinds.filter(|(kind, count)| *count > 0 && wanted(kind)).collect()
    };
    let upkeep = |kind: &str| LINK_UPKEEP.iter().any(|known| is(kind, known));
    let unknown = of_kinds(&|kind| !upkeep(kind) && !is(kind, CANARY));
    if !unknown.is_empty() {
        let kinds: Vec<&str> = unknown.into_keys().collect();
        let kinds = printable(&kinds.join(", "));
        let title = format!("the capture at {at} holds frames that could not be read (EtherType {kinds})");
        gaps.doubt("frames-unreadable", title);
    }
    let aside: Vec<&str> =
        summary.aside.keys().map(String::as_str).filter(|kind| !CARRIES_NONE.contains(kind)).collect();
    if !aside.is_empty() {
        let kinds = printable(&aside.join(", "));
        gaps.doubt(
            "frames-unreadable",
            format!("the capture at {at} holds frames that are not read ({kinds})"),
        );
    }
    let minutes = gaps.observed.timeline.duration().div_ceil(MINUTE_NS).max(1);
    for (kind, count) in of_kinds(&upkeep) {
        if count > MOST_UPKEEP.saturating_mul(minutes) {
            let title = format!(
                "the capture at {at} holds {count} frames of EtherType {}, more than a link needs: they may carry \
                 something",
                printable(kind)
            );
            gaps.doubt("frames-unreadable", title);
        }
    }
}

/// Every canary that was sent has to be in the capture, once from each end, and one of them before the first phase.
/// Nothing else may look like one.
fn canaries(capture: &Capture, gaps: &mut Gaps<'_, '_>) {
    let observed = gaps.observed;
    let at = printable(&capture.vantage);
    let first_phase = observed.timeline.phases.iter().find(|phase| phase.name != SETUP);
    let first_phase = first_phase.map_or(u64::MAX, |phase| phase.from);
    let own = observed.sides.vantages.iter().find(|vantage| vantage.name == capture.vantage);
    let own = own.map_or("", |vantage| vantage.side.as_str());
    let mut left: Vec<Canary> = capture
        .observation
        .canaries
        .iter()
        .filter_map(|frame| Canary::of(frame, own, &observed.sides))
        .collect();
    let (mut proven_before, mut unseen, mut known) = (false, 0, 0);
    for (entry, event) in observed.heard.events() {
        let Event::Done { reply: Reply::CanarySent { nonce } } = event else { continue };
        let ways = [true, false].map(|outwards| {
            let seen = left.iter().position(|canary| canary.is(nonce, outwards));
            seen.map(|place| left.swap_remove(place)).is_some()
        });
        known += ways.iter().filter(|seen| **seen).count() as u64;
        if ways == [true, true] {
            proven_before |= entry.t <= first_phase;
        } else {
            unseen += 1;
        }
    }
    if unseen > 0 || !proven_before {
        let title = if unseen > 0 {
            format!(
                "the capture at {at} doesn't hold the canary of both directions: it may not see all traffic"
            )
        } else {
            format!("no canary showed before the first step that the capture at {at} sees traffic")
        };
        gaps.doubt("no-canary", title).help = Some("check what the capture interface is connected to".into());
    }
    let ether_types = capture.observation.summary.ether_types.iter();
    let there: u64 =
        ether_types.filter(|(kind, _)| kind.eq_ignore_ascii_case(CANARY)).map(|(_, count)| *count).sum();
    let there = there.max(capture.observation.canaries.len() as u64);
    if there > known {
        let title = format!(
            "the capture at {at} holds {} frames that look like canaries and that the lab did not send",
            there - known
        );
        gaps.doubt("frames-unreadable", title);
    }
}

/// A frame that has a canary's form and comes from where it says.
struct Canary {
    nonce: String,
    outwards: bool,
}

impl Canary {
    /// Length of the nonce, in bytes.
    const NONCE: usize = 16;

    /// A canary's payload is its nonce and one byte for the direction: 0 from the watched side, 1 towards it. Nothing
    /// but zeros follows.
    fn of(frame: &LinkFrame, own: &str, sides: &Sides) -> Option<Self> {
        let (nonce, rest) = frame.payload.split_at_checked(Self::NONCE)?;
        let (way, padding) = rest.split_first()?;
        let sender = sides.of_mac(frame.src_mac)?;
        let outwards = match way {
            0 => true,
            1 => false,
            _ => return None,
        };
        if (sender == own) != outwards || padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { nonce, outwards })
    }

    fn is(&self, nonce: &str, outwards: bool) -> bool {
        self.outwards == outwards && self.nonce.eq_ignore_ascii_case(nonce)
    }
}
