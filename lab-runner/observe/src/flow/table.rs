//! All flows of a capture, in the order of their first packets, and which of them are open.

use hashbrown::HashTable;

use super::{Flow, Hot, Key};
use crate::hash::Hasher;
use crate::moment::Moment;

/// Flows that packets go on with just now; a power of two.
const RECENT: usize = 64;

#[derive(Debug)]
pub(crate) struct Flows {
    pub(crate) hot: Vec<Hot>,
    pub(crate) cold: Vec<Flow>,
    /// When each began.
    pub(crate) begun: Vec<Moment>,
    /// The latest flow of each key, with its hash: so that a growing table needs to look at no flow.
    open: HashTable<(u32, u32)>,
    /// Where look-ups led of late, each at a place that its hash tells: of all flows only few are busy at a time.
    recent: Box<[(Key, u32); RECENT]>,
    state: Hasher,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            hot: Vec::new(),
            cold: Vec::new(),
            begun: Vec::new(),
            open: HashTable::new(),
            recent: Box::new([(Key::NONE, 0); RECENT]),
            state: Hasher::default(),
        }
    }
}

impl Flows {
    /// The flow of a key; the hash is what [`Flows::hash`] gives for it.
    #[inline(always)]
    pub(crate) fn find(&mut self, key: &Key, hash: u32) -> Option<usize> {
        let (recent, index) = &self.recent[hash as usize % RECENT];
        if recent == key { Some(*index as usize) } else { self.find_among_all(key, hash) }
    }

    #[inline(never)]
    fn find_among_all(&mut self, key: &Key, hash: u32) -> Option<usize> {
        let is_it = |&(known, index): &(u32, u32)| known == hash && self.hot[index as usize].key == *key;
        let (_, index) = *self.open.find(spread(hash), is_it)?;
        self.recent[hash as usize % RECENT] = (*key, index);
        Some(index as usize)
    }

    /// Adds a flow, which is found by its key and that key's hash from now on; `last` is what was found until now.
    pub(crate) fn add(
        &mut self,
        last: Option<usize>,
        hash: u32,
        hot: Hot,
        cold: Flow,
        begun: Moment,
    ) -> usize {
        let (index, key) = (self.hot.len(), hot.key);
        let known = last.and_then(|last| {
            self.hot[last].superseded = true;
            self.open.find_mut(spread(hash), |(_, known)| *known as usize == last)
        });
        match known {
            Some((_, known)) => *known = index as u32,
            None => {
                self.open.insert_unique(spread(hash), (hash, index as u32), |(known, _)| spread(*known));
            }
        }
        self.recent[hash as usize % RECENT] = (key, index as u32);
        self.hot.push(hot);
        self.cold.push(cold);
        self.begun.push(begun);
        index
    }

    /// What a key is found by.
    #[inline]
    pub(crate) fn hash(&self, key: &Key) -> u32 {
        key.hash(&self.state) as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.hot.len()
    }
}

/// A hash as the table takes it, which looks at both ends of its bits.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
