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
/// Ids looked for that are remembered.
const MAX_SOUGHT: usize = 1 << 16;
/// Bytes of an id that are compared. Shorter ones are too likely to be something else's.
const COMPARED: usize = 8;

/// An id's first bytes.
type Id = [u8; COMPARED];

/// The client's end and the server's.
type Ends = [(Addr, u16); 2];

/// The ids of servers' connections, with the server and the name that each client asked for.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    known: HashMap<Id, Path, Hasher>,
    /// Where two observers share a capture: what was looked for, and in which frame last.
    sought: Option<HashMap<Id, u64, Hasher>>,
}

#[derive(Debug)]
struct Path {
    server: (Addr, u16),
    name: Option<Arc<str>>,
    /// The first frame that had the id.
    since: u64,
}

impl Paths {
    /// Has [`Paths::would_find`] tell of what is looked for from now on.
    pub(crate) fn shared(&mut self) {
        self.sought = Some(HashMap::default());
    }

    /// Remembers a connection by its server's id; whether there was room.
    pub(super) fn note(&mut self, id: &[u8], ends: Ends, name: Option<&str>, frame: u64) -> bool {
        let Some(id) = id.first_chunk::<COMPARED>() else { return true };
        let before = self.known.get(id);
        let has_room = before.is_some() || self.known.len() < MAX_CONNECTIONS;
        if has_room {
            let since = before.map_or(frame, |path| path.since);
            self.known.insert(*id, Path { server: ends[SERVER], name: name.map(Arc::from), since });
        }
        has_room
    }

    /// The name of the connection that a short header (RFC 9000 §17.3) to this server belongs to.
    pub(super) fn find(
        &mut self,
        datagram: &[u8],
        server: impl FnOnce() -> (Addr, u16),
        frame: u64,
    ) -> Option<Option<Arc<str>>> {
        let (first, rest) = datagram.split_first()?;
        let is_short = first & 0xc0 == 0x40;
        let id = rest.first_chunk::<COMPARED>().filter(|_| is_short)?;
        if let Some(sought) = self.sought.as_mut().filter(|sought| sought.len() <= MAX_SOUGHT) {
            sought.insert(*id, frame);
        }
        let path = self.known.get(id)?;
        (path.server == server()).then(|| path.name.clone())
    }

    /// Whether one who knew what both know might have found what neither found, or might have had no room for it.
    pub(crate) fn would_find(&self, other: &Self) -> bool {
        let finds = |seeker: &Self, knower: &Self| {
            seeker.sought.as_ref().is_none_or(|sought| {
                let is_known =
                    |(id, frame): (&Id, &u64)| knower.known.get(id).is_some_and(|path| path.since <= *frame);
                sought.len() > MAX_SOUGHT || sought.iter().any(is_known)
            })
        };
        self.known.len() + other.known.len() >= MAX_CONNECTIONS || finds(self, other) || finds(other, self)
    }
}
