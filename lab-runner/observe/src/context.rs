//! What a flow's parsers may use of the whole: names, memory, and a list of oddities.

use crate::ip::Addr;
use crate::names::Names;
use crate::protocol::quic::Paths;
use crate::stream::Budget;
use crate::weird::Oddities;

pub(crate) struct Context<'a> {
    /// The present frame's number.
    pub(crate) frame: u64,
    /// The client's end of the flow, and the server's.
    pub(crate) ends: [(Addr, u16); 2],
    /// A packet of the flow's server came from the client's link address.
    pub(crate) forged: bool,
    pub(crate) names: &'a mut Names,
    pub(crate) budget: &'a mut Budget,
    pub(crate) oddities: &'a mut Oddities,
    pub(crate) paths: &'a mut Paths,
}

impl Context<'_> {
    /// The client's port, and the server's.
    pub(crate) fn ports(&self) -> [u16; 2] {
        self.ends.map(|(_, port)| port)
    }

    /// Notes an oddity of the capture.
    pub(crate) fn weird(&mut self, word: &'static str) {
        self.oddities.note(word, self.frame);
    }
}
