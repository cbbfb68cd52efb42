//! UDP flows: each datagram stands alone, until a protocol knows it for its own.

use crate::context::Context;
use crate::flow::{Flow, Stage};
use crate::protocol::facts::Facts;
use crate::protocol::interface::{BEFORE, Conversation, Datagram, Heard, Listen, Wake};
use crate::protocol::registry;

/// Datagrams that are looked at before a flow is called unknown.
const MAX_TRIES: u8 = 24;

#[derive(Debug)]
pub(crate) enum Udp {
    /// Nothing was seen.
    Fresh,
    /// What was seen told nothing.
    Probing(Box<Probing>),
    /// A protocol whose later datagrams may tell more.
    Open(Listen),
    With(Box<dyn Conversation>),
}

impl Udp {
    /// Which datagrams are to come.
    pub(crate) fn wake(&self) -> Wake {
        match self {
            Self::With(conversation) => conversation.wake(),
            Self::Fresh | Self::Probing(_) | Self::Open(_) => Wake::Any,
        }
    }
}

/// How the datagrams began that told nothing.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    tries: u8,
    before: [([u8; BEFORE], u8); 2],
}

impl Probing {
    fn before(&self, side: usize) -> &[u8] {
        let (bytes, length) = &self.before[side];
        &bytes[..usize::from(*length)]
    }

    fn note(&mut self, datagram: &Datagram<'_>) {
        let length = datagram.bytes.len().min(BEFORE);
        let (bytes, kept) = &mut self.before[datagram.side];
        bytes[..length].copy_from_slice(&datagram.bytes[..length]);
        *kept = length as u8;
        self.tries += 1;
    }
}

/// Takes a datagram, and returns how the flow stands then.
pub(crate) fn advance(
    udp: Udp,
    flow: &mut Flow,
    side: usize,
    payload: &[u8],
    cut: bool,
    context: &mut Context<'_>,
) -> Stage {
    let ports = context.ports();
    let datagram = Datagram { bytes: payload, cut, side, ports, before: &[] };
    let facts = &mut Facts { flow, context };
    match udp {
        Udp::With(mut conversation) => match conversation.datagram(&datagram, facts) {
            Heard::Done => Stage::Done,
            Heard::With(next) => Stage::Udp(Udp::With(next)),
            Heard::Open | Heard::No => Stage::Udp(Udp::With(conversation)),
        },
        Udp::Open(listen) => match listen(&datagram, facts) {
            Heard::Done => Stage::Done,
            Heard::With(next) => Stage::Udp(Udp::With(next)),
            Heard::Open | Heard::No => Stage::Udp(Udp::Open(listen)),
        },
        Udp::Fresh => probe(None, &datagram, facts),
        Udp::Probing(probing) => probe(Some(probing), &datagram, facts),
    }
}

fn probe(probing: Option<Box<Probing>>, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Stage {
    let before = probing.as_ref().map_or(&[][..], |probing| probing.before(datagram.side));
    match registry::recognise(&Datagram { before, ..*datagram }, facts) {
        Some((listen, Heard::Open)) => Stage::Udp(Udp::Open(listen)),
        Some((_, Heard::With(conversation))) => Stage::Udp(Udp::With(conversation)),
        Some(_) => Stage::Done,
        None => {
            if datagram.cut {
                facts.lossy();
            }
            let mut probing = probing.unwrap_or_default();
            probing.note(datagram);
            if probing.tries >= MAX_TRIES { Stage::Done } else { Stage::Udp(Udp::Probing(probing)) }
        }
    }
}

/// The flow is over.
pub(crate) fn finish(udp: Udp, flow: &mut Flow, context: &mut Context<'_>) {
    if let Udp::With(mut conversation) = udp {
        conversation.finish(&mut Facts { flow, context });
    }
}
