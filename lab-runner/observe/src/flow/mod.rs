//! One flow while it lasts: counters that every packet touches, and evidence that few do.

mod hot;
mod key;
mod renumbered;
mod table;

use std::borrow::Cow;

use crate::packet::Wire;
use crate::protocol::interface::Wake;
use crate::record::{MacAddr, Name, NameKind, Weird, Word};
use crate::tcp::Tcp;
use crate::udp::Udp;

pub(crate) use hot::{CLIENT, Hot, SERVER};
pub(crate) use key::Key;
pub(crate) use renumbered::Renumbered;
pub(crate) use table::Flows;

/// Names kept for a flow; a resolver's may have many.
pub(crate) const MAX_NAMES: usize = 512;
/// Words of oddities kept for a flow.
const MAX_WEIRD: usize = 16;
/// What few packets of a flow touch.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) first_ns: u64,
    pub(crate) first_frame: u64,
    pub(crate) app: &'static str,
    pub(crate) stage: Stage,
    evidence: Option<Box<Evidence>>,
    /// The sequence numbers of both sides' SYNs.
    pub(crate) isn: [Option<u32>; 2],
    pub(crate) renumbered: Option<Box<Renumbered>>,
    pub(crate) interface: u32,
    pub(crate) client_mac: Option<MacAddr>,
    pub(crate) server_mac: Option<MacAddr>,
    pub(crate) opening_seen: bool,
    /// A parser would have wanted bytes that are missing.
    pub(crate) lossy: bool,
    pub(crate) ech: bool,
    pub(crate) guessed: bool,
    /// Payload that claimed to be of a protocol could not be read.
    pub(crate) unread: bool,
}

/// How far a flow's parsing has come.
#[derive(Debug, Default)]
pub(crate) enum Stage {
    /// Nothing more to learn: only counters.
    #[default]
    Done,
    /// `None` as long as neither side sent anything.
    Tcp(Option<Box<Tcp>>),
    Udp(Udp),
}

impl Stage {
    /// Bytes of which sides would be looked at.
    #[inline]
    pub(crate) fn wants(&self) -> [bool; 2] {
        match self {
            Self::Done => [false; 2],
            Self::Tcp(Some(tcp)) => [tcp.wants(CLIENT), tcp.wants(SERVER)],
            Self::Tcp(None) => [true; 2],
            Self::Udp(udp) => [udp.wake() == Wake::Any; 2],
        }
    }

    /// Which datagrams would be looked at.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        match self {
            Self::Udp(udp) => udp.wake(),
            Self::Done | Self::Tcp(_) => Wake::Never,
        }
    }
}

/// What was learnt. Most flows of most captures have none.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) names: Vec<Name>,
    pub(crate) alpn: Vec<Word>,
    pub(crate) version: Option<Cow<'static, str>>,
    pub(crate) ja4: Option<String>,
    pub(crate) carries: Vec<&'static str>,
    pub(crate) weird: Vec<(&'static str, u64)>,
    /// Names that did not fit.
    pub(crate) dropped: u64,
    /// The server's certificate may be for more names than were told.
    pub(crate) certified_in_part: bool,
}

impl Evidence {
    /// Whether another name fits.
    pub(crate) fn has_room(&self) -> bool {
        self.names.len() < MAX_NAMES
    }

    /// Adds a name that it does not [have](Self::has), where it [has room](Self::has_room).
    pub(crate) fn name(&mut self, name: Name) {
        if self.names.is_empty() {
            // Most flows have one.
            self.names.reserve_exact(1);
        }
        self.names.push(name);
    }

    /// Whether a name was told before.
    pub(crate) fn has(&self, kind: NameKind, name: &str, qtype: Option<&str>) -> bool {
        let is_it =
            |known: &Name| known.kind == kind && known.name == name && known.qtype.as_deref() == qtype;
        // What is told again is so at once, as a rule.
        self.names.iter().rev().any(is_it)
    }

    /// Notes the first frame of an oddity.
    pub(crate) fn weird(&mut self, word: &'static str, frame: u64) {
        if self.weird.len() < MAX_WEIRD && self.weird.iter().all(|(known, _)| *known != word) {
            self.weird.push((word, frame));
        }
    }

    /// The oddities as a record shows them.
    pub(crate) fn weird_words(&self) -> Vec<Weird> {
        self.weird.iter().map(|&(word, frame)| Weird { word: word.into(), frame }).collect()
    }
}

impl Flow {
    /// A flow that begins with a frame, between the link addresses of its client and its server.
    pub(crate) fn new(wire: &Wire<'_>, macs: [Option<MacAddr>; 2], stage: Stage) -> Self {
        Self {
            first_ns: wire.frame.ts_ns,
            first_frame: wire.number,
            app: UNKNOWN,
            stage,
            evidence: None,
            isn: [None; 2],
            renumbered: None,
            interface: wire.frame.interface,
            client_mac: macs[CLIENT],
            server_mac: macs[SERVER],
            opening_seen: false,
            lossy: false,
            ech: false,
            guessed: false,
            unread: false,
        }
    }

    /// What was learnt, to add to.
    pub(crate) fn evidence(&mut self) -> &mut Evidence {
        self.evidence.get_or_insert_default()
    }

    /// Whether there were names that did not fit.
    pub(crate) fn has_dropped(&self) -> bool {
        self.evidence.as_ref().is_some_and(|evidence| evidence.dropped > 0)
    }

    /// All that was learnt.
    pub(crate) fn take_evidence(&mut self) -> Evidence {
        self.evidence.take().map_or_else(Evidence::default, |evidence| *evidence)
    }

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
