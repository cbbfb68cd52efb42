//! TCP flows: both sides' bytes in order, shown to whichever protocol knows them for its own.

use crate::context::Context;
use crate::flow::{CLIENT, Flow, SERVER, Stage};
use crate::protocol::facts::Facts;
use crate::protocol::interface::{Dialogue, Opening, Probe, Shown, Step};
use crate::protocol::registry::stream_candidates;
use crate::stream::{Budget, Fed, Reading, Stream};
use crate::unacknowledged::Unacknowledged;

/// Segments of a client that tell nothing before its flow is called unknown; a STARTTLS comes well before.
const MAX_CLIENT_TRIES: u8 = 32;
/// Segments of a server; one where its first bytes were seen, for none behind them tells better.
const MAX_SERVER_TRIES: u8 = 8;

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) seq: u32,
    /// What it says to expect next, where it acknowledges anything.
    pub(crate) ack: u32,
    /// What was captured of the payload.
    pub(crate) payload: &'a [u8],
    /// How long the payload was on the wire.
    pub(crate) wire_len: usize,
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;
pub(crate) const URG: u8 = 32;

/// A connection that may still tell names, or of which it is not sure that the server got what told them.
#[derive(Debug)]
pub(crate) struct Tcp {
    streams: [Stream; 2],
    /// Only of the client's bytes: a server is not the one that hides something.
    unacknowledged: Unacknowledged,
    /// Nothing more to learn from its bytes.
    done: bool,
    speaks: Option<Box<dyn Dialogue>>,
    tries: [u8; 2],
    /// Something was spoken before, or not understood.
    late: bool,
    /// How often the protocol changed.
    switches: u8,
}

/// More changes of protocol on one connection make no sense: STARTTLS in a CONNECT in a SOCKS are three.
const MAX_SWITCHES: u8 = 8;

impl Tcp {
    /// A connection whose bytes begin behind the SYNs that were seen.
    fn new(flow: &Flow) -> Self {
        let mut tcp = Self {
            streams: Default::default(),
            unacknowledged: Unacknowledged::since(flow.isn[CLIENT]),
            done: false,
            speaks: None,
            tries: [0; 2],
            late: false,
            switches: 0,
        };
        for side in [CLIENT, SERVER] {
            if let Some(seq) = flow.isn[side] {
                tcp.syn(side, seq);
            }
        }
        tcp
    }

    /// Notes where a side's bytes begin.
    pub(crate) fn syn(&mut self, side: usize, seq: u32) {
        self.streams[side].start(seq);
    }

    /// Would packets of this side be looked at? Where not, no recording needs them.
    pub(crate) fn wants(&self, side: usize) -> bool {
        self.reads(side) || self.waits()
    }

    /// Takes the server's word that it has everything before this number; whether it now is sure, or never will be.
    pub(crate) fn acknowledged(&mut self, ack: u32, frame: u64, budget: &mut Budget) -> bool {
        self.unacknowledged.acknowledged(ack, frame, budget)
    }

    /// The server has reset the connection, and takes nothing more.
    pub(crate) fn reset(&mut self, budget: &mut Budget) {
        self.unacknowledged.forget(budget);
    }

    /// Is it not sure yet that the server got what was read?
    pub(crate) fn waits(&self) -> bool {
        self.unacknowledged.waits()
    }

    /// Would its bytes be?
    pub(crate) fn reads(&self, side: usize) -> bool {
        match &self.speaks {
            _ if self.done => false,
            Some(dialogue) => dialogue.wants(side),
            None => self.tries[side] < [MAX_CLIENT_TRIES, MAX_SERVER_TRIES][side],
        }
    }
}

/// Takes a segment with payload, and returns how the flow stands then.
pub(crate) fn advance(
    tcp: Option<Box<Tcp>>,
    flow: &mut Flow,
    side: usize,
    segment: Segment<'_>,
    context: &mut Context<'_>,
) -> Stage {
    let Segment { seq, payload, wire_len, .. } = segment;
    let mut tcp = tcp.unwrap_or_else(|| Box::new(Tcp::new(flow)));
    if tcp.waits() && !tcp.reads(side) {
        if side == CLIENT {
            tcp.unacknowledged.sent(seq, payload, wire_len);
        }
        return goes_on(tcp, flow, context);
    }
    let done =
        with(&mut tcp, side, flow, context, |stream, reading| stream.push(seq, payload, wire_len, reading));
    tcp.done |= done || tcp.streams[side].is_dead() || !(tcp.reads(CLIENT) || tcp.reads(SERVER));
    if tcp.done {
        tcp.speaks = None;
    }
    for side in [CLIENT, SERVER] {
        match tcp.done {
            true => tcp.streams[side].release(context.budget),
            false if !tcp.reads(side) => tcp.streams[side].pause(context.budget),
            false => {}
        }
    }
    goes_on(tcp, flow, context)
}

/// How a flow stands, and whether something contradicts what was read of it.
pub(crate) fn goes_on(mut tcp: Box<Tcp>, flow: &mut Flow, context: &mut Context<'_>) -> Stage {
    doubt(&mut tcp, flow, context);
    if tcp.done && !tcp.waits() { Stage::Done } else { Stage::Tcp(Some(tcp)) }
}

/// Notes what contradicts the bytes that were read.
fn doubt(tcp: &mut Tcp, flow: &mut Flow, context: &mut Context<'_>) {
    if let Some(contradiction) = tcp.unacknowledged.contradiction(context.budget) {
        let mut facts = Facts { flow, context };
        facts.weird_in(contradiction.frame().unwrap_or(facts.context.frame), contradiction.word());
        facts.unread();
    }
}

/// Takes what is left when the flow or the capture ends.
pub(crate) fn finish(mut tcp: Box<Tcp>, flow: &mut Flow, context: &mut Context<'_>) {
    tcp.unacknowledged.ends();
    for side in [CLIENT, SERVER] {
        with(&mut tcp, side, flow, context, |stream, reading| {
            stream.finish(reading);
            false
        });
    }
    doubt(&mut tcp, flow, context);
    for stream in &mut tcp.streams {
        stream.release(context.budget);
    }
    tcp.unacknowledged.forget(context.budget);
}

/// Runs a stream of the connection with a reader of its bytes.
fn with(
    tcp: &mut Tcp,
    side: usize,
    flow: &mut Flow,
    context: &mut Context<'_>,
    run: impl FnOnce(&mut Stream, &mut Reading<'_>) -> bool,
) -> bool {
    let Tcp { streams, unacknowledged, speaks, tries, late, switches, .. } = tcp;
    let stream = &mut streams[side];
    let from_start = stream.is_from_start();
    // The budget is lent to the stream while the parser uses the rest.
    let mut budget = std::mem::replace(context.budget, Budget::new(0));
    let facts = Facts { flow, context };
    let mut reader = Reader { facts, speaks, tries, late, switches, side, from_start };
    let mut reading = Reading {
        budget: &mut budget,
        unacknowledged: (side == CLIENT).then_some(unacknowledged),
        parse: &mut |bytes, shown| reader.read(bytes, shown),
    };
    let done = run(stream, &mut reading);
    // What a server says names no one that its client did not ask for.
    flow.lossy |= stream.lossy && side == CLIENT;
    *context.budget = budget;
    done
}

/// Reads one side's bytes in order.
struct Reader<'a, 'c> {
    facts: Facts<'a, 'c>,
    speaks: &'a mut Option<Box<dyn Dialogue>>,
    tries: &'a mut [u8; 2],
    late: &'a mut bool,
    switches: &'a mut u8,
    side: usize,
    from_start: bool,
}

impl Reader<'_, '_> {
    fn read(&mut self, bytes: &[u8], shown: Shown) -> Fed {
        let mut at = 0;
        // Of the protocols, those before this one said that the bytes at `at` are none of theirs.
        let mut first = 0;
        loop {
            let rest = &bytes[at..];
            let Some(dialogue) = self.speaks.as_mut() else {
                if rest.is_empty() {
                    return Fed::Took(at);
                }
                match self.probe(rest, shown, first) {
                    Probed::Is(index) => {
                        first = index + 1;
                        continue;
                    }
                    Probed::Waits => return Fed::Took(at),
                    Probed::Unknown => return Fed::Took(bytes.len()),
                }
            };
            match dialogue.read(self.side, rest, shown, &mut self.facts) {
                Step::Took(taken) => return Fed::Took(at + taken.min(rest.len())),
                Step::Done => return Fed::Done,
                Step::Switch(taken) => {
                    at += taken.min(rest.len());
                    first = 0;
                    *self.tries = [0; 2];
                    *self.switches += 1;
                    if *self.switches > MAX_SWITCHES {
                        self.facts.doubt("protocol_changes");
                        return Fed::Done;
                    }
                }
                Step::NotMine => {}
            }
            *self.speaks = None;
            *self.late = true;
        }
    }

    /// Looks for the protocol, among those from `first` on, of which these may be the first bytes.
    fn probe(&mut self, bytes: &[u8], shown: Shown, first: usize) -> Probed {
        let opening = Opening {
            bytes,
            side: self.side,
            ports: self.facts.ports(),
            late: *self.late,
            from_start: self.from_start && !shown.after_gap && self.tries[self.side] == 0,
        };
        let mut waits = false;
        for (index, protocol) in stream_candidates(&opening, first) {
            match (protocol.probe)(&opening) {
                // A stronger one may yet say yes.
                Probe::Yes if waits && !shown.last => return Probed::Waits,
                Probe::Yes => {
                    *self.speaks = Some((protocol.open)(&opening));
                    return Probed::Is(index);
                }
                Probe::More => waits = true,
                Probe::No => {}
            }
        }
        if waits && !shown.last {
            return Probed::Waits;
        }
        *self.late |= self.side == CLIENT;
        let tries = &mut self.tries[self.side];
        *tries += 1;
        if self.side == SERVER && opening.from_start && self.facts.opening_seen() {
            *tries = MAX_SERVER_TRIES;
        }
        Probed::Unknown
    }
}

/// What a look for a protocol found.
enum Probed {
    /// The one of this index, which reads from now on.
    Is(usize),
    /// More bytes would tell.
    Waits,
    Unknown,
}
