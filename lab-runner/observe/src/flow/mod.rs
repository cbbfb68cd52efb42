//! One flow while it lasts: counters that every packet touches, and evidence that few do.

mod hot;
mod key;
mod table;

use std::borrow::Cow;

use crate::ip::Addr;
use crate::names::Known;
use crate::record::{L4, MacAddr, Name, NameKind, Weird};
use crate::tcp::Tcp;
use crate::udp::Udp;

pub(crate) use hot::{CLIENT, Hot, SERVER};
pub(crate) use key::Key;
pub(crate) use table::Flows;

/// Names kept for a flow; a resolver's may have many.
const MAX_NAMES: usize = 512;
/// Words of oddities kept for a flow.
const MAX_WEIRD: usize = 16;
/// UDP and the like; NATs keep a binding so long (RFC 4787 §4.3 asks for two minutes, many keep less).
const REST_NS: u64 = 60 * 1_000_000_000;
const ICMP_REST_NS: u64 = 30 * 1_000_000_000;

/// How long, in nanoseconds, a flow of a transport may rest before it is over.
pub(crate) fn rest_ns(l4: L4) -> u64 {
    match l4 {
        L4::Tcp => u64::MAX,
        L4::Icmp | L4::Icmpv6 => ICMP_REST_NS,
        _ => REST_NS,
    }
}

/// What few packets of a flow touch.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) client: (Addr, u16),
    pub(crate) server: (Addr, u16),
    pub(crate) first_ns: u64,
    pub(crate) first_frame: u64,
    pub(crate) opening_seen: bool,
    /// A parser would have wanted bytes that are missing.
    pub(crate) lossy: bool,
    pub(crate) ech: bool,
    pub(crate) guessed: bool,
    /// Payload that claimed to be of a protocol could not be read.
    pub(crate) unread: bool,
    /// The sequence number of the client's SYN.
    pub(crate) isn: Option<u32>,
    pub(crate) l4: L4,
    pub(crate) vlan: Option<u16>,
    pub(crate) tunnel: u64,
    pub(crate) interface: u32,
    pub(crate) app: &'static str,
    pub(crate) client_mac: Option<MacAddr>,
    pub(crate) server_mac: Option<MacAddr>,
    pub(crate) stage: Stage,
    pub(crate) evidence: Evidence,
}

/// How far a flow's parsing has come.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// Nothing more to learn: only counters.
    #[default]
    Done,
    Tcp(Box<Tcp>),
    Udp(Udp),
}

impl Stage {
    /// Bytes of which sides would be looked at.
    pub(crate) fn wants(&self) -> [bool; 2] {
        match self {
            Self::Done => [false; 2],
            Self::Tcp(tcp) => [tcp.wants(CLIENT), tcp.wants(SERVER)],
            Self::Udp(_) => [true; 2],
        }
    }
}

/// What was learnt. Empty, and without memory of its own, on most flows of most captures.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) names: Vec<Name>,
    pub(crate) alpn: Vec<String>,
    pub(crate) known: Known,
    pub(crate) version: Option<Cow<'static, str>>,
    pub(crate) ja4: Option<String>,
    pub(crate) carries: Vec<&'static str>,
    pub(crate) weird: Vec<(&'static str, u64)>,
    /// Names that did not fit.
    pub(crate) dropped: u64,
}

impl Evidence {
    /// Adds a name once.
    pub(crate) fn name(&mut self, name: Name) {
        let is_known = |known: &Name| known.kind == name.kind && known.name == name.name;
        if name.name.is_empty() || self.names.iter().any(is_known) {
            return;
        }
        if self.names.len() >= MAX_NAMES {
            self.dropped += 1;
            return;
        }
        self.names.push(name);
    }

    /// Notes the first frame of an oddity.
    pub(crate) fn weird(&mut self, word: &'static str, frame: u64) {
        if self.weird.len() < MAX_WEIRD && self.weird.iter().all(|(known, _)| *known != word) {
            self.weird.push((word, frame));
        }
    }

    /// The oddities as a record shows them.
    pub(crate) fn weird_words(&self) -> Vec<Weird> {
        self.weird.iter().map(|&(word, frame)| Weird { word: word.to_owned(), frame }).collect()
    }
}

impl Flow {
    /// Goes on where a flow between the same ends had rested: what was spoken is not begun anew.
    pub(crate) fn continues(&mut self, before: &mut Self) {
        if before.app != UNKNOWN {
            self.app = before.app;
            self.guessed = before.guessed;
            self.stage = std::mem::take(&mut before.stage);
        }
    }

    /// Its bytes tell what is spoken; a guess gives way.
    pub(crate) fn recognised(&mut self, app: &'static str) {
        if self.app == UNKNOWN || self.guessed {
            self.app = app;
            self.guessed = false;
        }
    }

    /// One side's bytes alone suggest what is spoken.
    pub(crate) fn suggested(&mut self, app: &'static str) {
        if self.app == UNKNOWN {
            self.app = app;
            self.guessed = true;
        }
    }
}

/// The word for what no parser knows.
pub(crate) const UNKNOWN: &str = "unknown";
