//! Connections that go on from another address (RFC 9000 §9): known again by the id that their server chose, as long as the
//! client keeps it, which it must not when it moves on purpose. The server stays: an id that turns up elsewhere proves
//! nothing.
//!
//! Bounded; a connection that did not fit is not known again, and that is noted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::flow::SERVER;
use crate::hash::Hasher;
use crate::ip::Addr;

/// Connections that are remembered.
const MAX_CONNECTIONS: usize = 1 << 13;
/// Bytes of an id that are compared. Shorter ones are too likely to be something else's.
const COMPARED: usize = 8;

/// An id's first bytes.
type Id = [u8; COMPARED];

/// The client's end and the server's.
type Ends = [(Addr, u16); 2];

/// The ids of servers' connections, with the server and the name that each client asked for.
#[derive(Debug, Default)]
pub(crate) struct Paths(HashMap<Id, Path, Hasher>);

#[derive(Debug)]
struct Path {
    server: (Addr, u16),
    name: Option<Arc<str>>,
}

impl Paths {
    /// Remembers a connection by its server's id; whether there was room.
    pub(super) fn note(&mut self, id: &[u8], ends: Ends, name: Option<&str>) -> bool {
        let Some(id) = id.first_chunk::<COMPARED>() else { return true };
        let has_room = self.0.len() < MAX_CONNECTIONS || self.0.contains_key(id);
        if has_room {
            self.0.insert(*id, Path { server: ends[SERVER], name: name.map(Arc::from) });
        }
        has_room
    }

    /// The name of the connection that a short header (RFC 9000 §17.3) belongs to.
    pub(super) fn find(&self, datagram: &[u8], ends: Ends) -> Option<Option<Arc<str>>> {
        let (first, rest) = datagram.split_first()?;
        let is_short = first & 0xc0 == 0x40;
        let path = self.0.get(rest.first_chunk::<COMPARED>().filter(|_| is_short)?)?;
        (path.server == ends[SERVER]).then(|| path.name.clone())
    }
}
