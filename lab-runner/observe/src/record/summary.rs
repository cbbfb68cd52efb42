//! The last line of an observation: totals, and what could not be seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Totals over a capture, and all that could not be seen in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// [`super::FORMAT`].
    pub format: u32,
    /// Frames.
    pub packets: u64,
    /// Bytes of frames as they were on the wire.
    pub bytes: u64,
    /// Flows.
    pub flows: u64,
    /// Bytes of frames whose link or IP header made no sense, and of damaged stretches of the file.
    pub unparsed_bytes: u64,
    /// Packets that the capturing system says it dropped; `None` where the file doesn't tell.
    pub drops: Option<u64>,
    /// The file ends before its last record does, or is damaged. What came before stands.
    pub cut: bool,
    /// What is wrong with it, and at which byte.
    pub cut_reason: Option<String>,
    /// Frames without IP, by EtherType (`0x0806`).
    #[serde(default)]
    pub ether_types: BTreeMap<String, u64>,
    /// Frames of a known kind that hold no IP packet which could be read, by their kind: `bluetooth_hci`, `bluetooth_air`,
    /// `usb`, `wifi`, `wifi_protected`, `wifi_fragment`, `wifi_damaged`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aside: BTreeMap<String, Aside>,
    /// Frames of links that are not understood, and frames whose headers made no sense.
    #[serde(default)]
    pub unparsed_packets: u64,
    /// Packets that were not taken into any flow because the bound on flows was reached.
    #[serde(default)]
    pub flows_refused: u64,
    /// Streams whose bytes were given up because of a bound on memory: names may be missing.
    #[serde(default)]
    pub streams_evicted: u64,
    /// Names that were not kept because their flow or client had too many.
    #[serde(default)]
    pub names_evicted: u64,
    /// Anything odd that has a name, and how often it was seen.
    #[serde(default)]
    pub weird: BTreeMap<String, u64>,
    /// The first frames in which each oddity was seen, eight at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weird_frames: BTreeMap<String, Vec<u64>>,
}

/// Frames of one kind that were only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// How many.
    pub frames: u64,
    /// When the first and the last were captured, in Unix nanoseconds.
    pub first_ns: u64,
    /// See `first_ns`.
    pub last_ns: u64,
}

impl Aside {
    fn merge(&mut self, other: &Self) {
        self.frames += other.frames;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

impl Summary {
    /// Counts a frame that is left aside.
    pub(crate) fn aside(&mut self, kind: &str, ts_ns: u64) {
        let one = Aside { frames: 1, first_ns: ts_ns, last_ns: ts_ns };
        match self.aside.get_mut(kind) {
            Some(aside) => aside.merge(&one),
            None => drop(self.aside.insert(kind.to_owned(), one)),
        }
    }

    /// Adds another capture's totals. Frames are numbered by capture, so that those of oddities stay the first capture's.
    pub fn merge(&mut self, other: &Self) {
        self.format = self.format.max(other.format);
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.flows += other.flows;
        self.unparsed_bytes += other.unparsed_bytes;
        self.drops = match (self.drops, other.drops) {
            (Some(ours), Some(theirs)) => Some(ours.saturating_add(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.cut |= other.cut;
        if self.cut_reason.is_none() {
            self.cut_reason.clone_from(&other.cut_reason);
        }
        for (ours, theirs) in [(&mut self.ether_types, &other.ether_types), (&mut self.weird, &other.weird)] {
            for (word, count) in theirs {
                *ours.entry(word.clone()).or_default() += count;
            }
        }
        for (word, frames) in &other.weird_frames {
            self.weird_frames.entry(word.clone()).or_insert_with(|| frames.clone());
        }
        for (kind, theirs) in &other.aside {
            self.aside.entry(kind.clone()).and_modify(|ours| ours.merge(theirs)).or_insert(*theirs);
        }
        self.unparsed_packets += other.unparsed_packets;
        self.flows_refused += other.flows_refused;
        self.streams_evicted += other.streams_evicted;
        self.names_evicted += other.names_evicted;
    }

    /// True where nothing is known to be missing: not cut, nothing dropped or given up.
    pub fn complete(&self) -> bool {
        !self.cut
            && self.drops.unwrap_or(0) == 0
            && self.flows_refused == 0
            && self.streams_evicted == 0
            && self.names_evicted == 0
    }
}
