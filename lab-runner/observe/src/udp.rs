//! UDP flows: each datagram stands alone, until a protocol knows it for its own.

use crate::context::Context;
use crate::flow::{Flow, Stage};
use crate::protocol::facts::Facts;
use crate::protocol::interface::{BEFORE, Conversation, Datagram, Heard, Listen, Wake};
use crate::protocol::{quic, registry};

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
    /// Nothing more to learn, but where a connection to whatever host begins on it all the same.
    Answered,
}

impl Udp {
    /// Which datagrams are to come.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        match self {
            Self::With(conversation) => conversation.wake(),
            Self::Answered => Wake::LongHeader,
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
    Stage::Udp(match udp {
        // What stood before it, the server may never have looked at.
        Udp::With(mut before) if quic::begins(&datagram) && !before.reads_quic() => {
            before.finish(facts);
            goes_on((quic::PROTOCOL.listen)(&datagram, facts), Udp::With(before))
        }
        Udp::Open(_) if quic::begins(&datagram) => goes_on((quic::PROTOCOL.listen)(&datagram, facts), udp),
        Udp::With(mut conversation) => {
            let heard = conversation.datagram(&datagram, facts);
            goes_on(heard, Udp::With(conversation))
        }
        Udp::Open(listen) => goes_on(listen(&datagram, facts), udp),
        Udp::Answered => goes_on((quic::PROTOCOL.listen)(&datagram, facts), udp),
        Udp::Fresh => probe(None, &datagram, facts),
        Udp::Probing(probing) => probe(Some(probing), &datagram, facts),
    })
}

/// How a flow stands that stood so before a datagram was heard.
fn goes_on(heard: Heard, before: Udp) -> Udp {
    match heard {
        Heard::Done => Udp::Answered,
        Heard::With(next) => Udp::With(next),
        Heard::Open | Heard::No => before,
    }
}

fn probe(probing: Option<Box<Probing>>, datagram: &Datagram<'_>, facts: &mut Facts<'_, '_>) -> Udp {
    let before = probing.as_ref().map_or(&[][..], |probing| probing.before(datagram.side));
    match registry::recognise(&Datagram { before, ..*datagram }, facts) {
        Some((listen, heard)) => goes_on(heard, Udp::Open(listen)),
        None => {
            if datagram.cut {
                facts.lossy();
            }
            let mut probing = probing.unwrap_or_default();
            probing.note(datagram);
            if probing.tries >= MAX_TRIES { Udp::Answered } else { Udp::Probing(probing) }
        }
    }
}

/// The flow is over.
pub(crate) fn finish(udp: Udp, flow: &mut Flow, context: &mut Context<'_>) {
    if let Udp::With(mut conversation) = udp {
        conversation.finish(&mut Facts { flow, context });
    }
}
