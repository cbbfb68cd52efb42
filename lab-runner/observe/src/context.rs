//! What all flows of a capture share, and as much of it as a flow's parsers may use: names, memory, a list of oddities.

use crate::flow::{Hot, Key};
use crate::ip::Addr;
use crate::names::Names;
use crate::observer::Options;
use crate::protocol::dns::message::Message;
use crate::protocol::quic::Paths;
use crate::protocol::repeats::Repeats;
use crate::room::Room;
use crate::stream::Budget;
use crate::weird::Oddities;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) names: Names,
    pub(crate) budget: Budget,
    pub(crate) room: Room,
    pub(crate) oddities: Oddities,
    pub(crate) paths: Paths,
    pub(crate) repeats: Repeats,
    /// Memory for parsers that put bytes together and are done with them at once; what is left in it means nothing.
    pub(crate) scratch: Vec<u8>,
    /// The same for those that read DNS.
    pub(crate) message: Message,
}

impl Shared {
    /// Nothing was seen.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            names: Names::new(options.max_answers),
            budget: Budget::new(options.stream_bytes),
            room: Room::new(options.kept_bytes),
            oddities: Oddities::default(),
            paths: Paths::default(),
            repeats: Repeats::default(),
            scratch: Vec::new(),
            message: Message::default(),
        }
    }

    /// For the parsers of a flow, which look at a frame.
    pub(crate) fn context<'a>(&'a mut self, frame: u64, hot: &'a Hot) -> Context<'a> {
        let Self { names, budget, room, oddities, paths, repeats, scratch, message } = self;
        // The fast path comes straight here.
        names.reached(frame, 0);
        Context { frame, hot, names, budget, room, oddities, paths, repeats, scratch, message }
    }
}

pub(crate) struct Context<'a> {
    /// The present frame's number.
    pub(crate) frame: u64,
    /// The present frame's flow.
    pub(crate) hot: &'a Hot,
    pub(crate) names: &'a mut Names,
    pub(crate) budget: &'a mut Budget,
    pub(crate) room: &'a mut Room,
    pub(crate) oddities: &'a mut Oddities,
    pub(crate) paths: &'a mut Paths,
    pub(crate) repeats: &'a mut Repeats,
    pub(crate) scratch: &'a mut Vec<u8>,
    pub(crate) message: &'a mut Message,
}

impl Context<'_> {
    /// What makes the flow's packets one flow.
    pub(crate) fn key(&self) -> Key {
        self.hot.key
    }

    /// The client's end of the flow, and the server's.
    pub(crate) fn ends(&self) -> [(Addr, u16); 2] {
        self.hot.ends()
    }

    /// The client's port, and the server's.
    pub(crate) fn ports(&self) -> [u16; 2] {
        self.hot.ports()
    }

    /// Whether a packet of the flow's server came from the client's link address.
    pub(crate) fn is_forged(&self) -> bool {
        self.hot.forged
    }
}
