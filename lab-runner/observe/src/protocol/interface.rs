//! What a protocol offers to the flow tables, and what it is shown.
//!
//! A protocol of datagrams is a [`DatagramProtocol`]; one of streams is a [`StreamProtocol`]. Both stand in a table of
//! [`super::registry`]. Neither sees packets, time or other flows; what they find they tell [`Facts`].

use std::fmt::Debug;

use super::begins::Begins;
use super::facts::Facts;

/// Whether bytes at the start of a stream could be a protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Yes,
    No,
    /// Too few bytes to tell. Only as long as few bytes (some 64) are there: they are kept meanwhile.
    More,
}

impl Probe {
    /// For a protocol whose streams begin with `start` each time.
    #[inline]
    pub(crate) fn of_start(bytes: &[u8], start: &[u8]) -> Self {
        // Nearly always the first byte tells.
        if let ([first, ..], [expected, ..]) = (bytes, start)
            && first != expected
        {
            Self::No
        } else if bytes.starts_with(start) {
            Self::Yes
        } else if start.starts_with(bytes) {
            Self::More
        } else {
            Self::No
        }
    }

    /// For a protocol whose streams begin with one of `starts`.
    pub(crate) fn of_starts<'a>(bytes: &[u8], starts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut so_far = Self::No;
        for start in starts {
            match Self::of_start(bytes, start) {
                Self::Yes => return Self::Yes,
                Self::More => so_far = Self::More,
                Self::No => {}
            }
        }
        so_far
    }
}

/// The payload of one datagram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    pub(crate) bytes: &'a [u8],
    /// There was more of it on the wire.
    pub(crate) cut: bool,
    /// [`crate::flow::CLIENT`] or [`crate::flow::SERVER`]: who sent it.
    pub(crate) side: usize,
    /// The client's port and the server's.
    pub(crate) ports: [u16; 2],
    /// How the datagram before it from the same side began, for protocols whose bytes are weak; empty for the first.
    pub(crate) before: &'a [u8],
}

impl Datagram<'_> {
    /// Whether one of the ports is this one.
    pub(crate) fn on(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// Whether one of the ports is one of these.
    pub(crate) fn on_any(&self, ports: &[u16]) -> bool {
        ports.iter().any(|port| self.on(*port))
    }
}

/// Bytes of [`Datagram::before`] at most.
pub(crate) const BEFORE: usize = 32;

/// What a protocol says of a datagram.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It is none of mine.
    No,
    /// It is mine, and no later one tells more: the flow is answered.
    Done,
    /// It is mine, and the next ones may tell more: show them to this same function.
    Open,
    /// It is mine, and what was learnt decides how the next ones are read.
    With(Box<dyn Conversation>),
}

/// Looks at a datagram of a flow of which nothing is known yet.
pub(crate) type Listen = fn(&Datagram<'_>, &mut Facts<'_, '_>) -> Heard;

/// A protocol of datagrams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DatagramProtocol {
    /// How a datagram of mine may begin; of others I am not asked.
    pub(crate) begins: Begins,
    pub(crate) listen: Listen,
}

/// Which datagrams of a flow are looked at, by their first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// All of them.
    Any,
    /// Those that could be a long header of QUIC (RFC 8999 §5.1), with which connections begin.
    LongHeader,
    /// Those that could be a record of DTLS (RFC 7983 §7).
    Records,
    /// Those that are no media (RFC 7983 §7).
    NoMedia,
    /// None: the flow is answered.
    Never,
}

impl Wake {
    /// Whether a datagram that begins so is looked at.
    #[inline]
    pub(crate) fn is_woken_by(self, first: u8) -> bool {
        match self {
            Self::Any => true,
            Self::LongHeader => first & 0x80 != 0,
            Self::Records => matches!(first, 20..=63),
            Self::NoMedia => first & 0xc0 != 0x80,
            Self::Never => false,
        }
    }
}

/// A datagram protocol that remembers.
pub(crate) trait Conversation: Debug + Send {
    /// Takes the next datagram. `Open` to go on, `Done` to end; `No` where it is none of mine, which ends nothing.
    fn datagram(&mut self, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Heard;

    /// Whether connections of QUIC that begin on the flow are read here; others read them where not.
    fn reads_quic(&self) -> bool {
        false
    }

    /// Which ones are to come.
    fn wake(&self) -> Wake {
        Wake::Any
    }

    /// The flow is over.
    fn finish(&mut self, facts: &mut Facts<'_, '_>) {
        let _ = facts;
    }
}

/// The first bytes of one side of a stream, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) bytes: &'a [u8],
    /// Who sent them.
    pub(crate) side: usize,
    /// The client's port and the server's.
    pub(crate) ports: [u16; 2],
    /// Something else was spoken on this connection before, and gave way or was not understood.
    pub(crate) late: bool,
    /// These bytes are the first of their side: nothing is missing before them.
    pub(crate) from_start: bool,
}

/// A protocol of streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamProtocol {
    /// How a stream of mine may begin; of others I am not asked.
    pub(crate) begins: Begins,
    /// Could a stream of mine begin with these bytes? Cheap: it is asked for every new stream.
    pub(crate) probe: fn(&Opening<'_>) -> Probe,
    /// Begins to read a stream that probed as mine; the bytes are shown again to what this makes.
    pub(crate) open: fn(&Opening<'_>) -> Box<dyn Dialogue>,
}

/// What else a parser should know about the bytes of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Bytes before these are missing: they may begin anywhere in a message.
    pub(crate) after_gap: bool,
    /// Nothing that follows on from these bytes will come.
    pub(crate) last: bool,
}

/// What a parser says about the bytes that it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is done with so many of them; the rest is shown again with more behind it (64 KiB at most).
    Took(usize),
    /// It needs no more of either side: the flow is answered.
    Done,
    /// It is done with so many of them; what follows, on both sides, is another protocol (STARTTLS, CONNECT, an upgrade).
    Switch(usize),
    /// These are no bytes of mine after all: show them to the other protocols.
    NotMine,
}

/// A protocol of streams, reading one connection.
pub(crate) trait Dialogue: Debug + Send {
    /// Would bytes of this side be looked at now? Where not, they are not even put in order, and no recording needs them.
    fn wants(&self, side: usize) -> bool;

    /// Takes bytes of one side, in order.
    fn read(&mut self, side: usize, bytes: &[u8], shown: Shown, facts: &mut Facts<'_, '_>) -> Step;
}
