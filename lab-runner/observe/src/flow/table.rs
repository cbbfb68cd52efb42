//! All flows of a capture, in the order of their first packets, and which of them are open.

use hashbrown::HashTable;

use super::{Flow, Hot, Key};
use crate::hash::Hasher;

#[derive(Debug, Default)]
pub(crate) struct Flows {
    pub(crate) hot: Vec<Hot>,
    pub(crate) cold: Vec<Flow>,
    /// The latest flow of each key.
    open: HashTable<u32>,
    /// Where the last look-up led: packets of one flow come in a row.
    latest: Option<(Key, u32)>,
    state: Hasher,
}

impl Flows {
    #[inline]
    pub(crate) fn find(&mut self, key: &Key) -> Option<usize> {
        if let Some((latest, index)) = &self.latest
            && latest == key
        {
            return Some(*index as usize);
        }
        let hash = key.hash(&self.state);
        let index = *self.open.find(hash, |index| self.hot[*index as usize].key == *key)?;
        self.latest = Some((*key, index));
        Some(index as usize)
    }

    /// Adds a flow, which is found by its key from now on.
    pub(crate) fn add(&mut self, hot: Hot, cold: Flow) -> usize {
        let Self { hot: all, open, state, .. } = self;
        let (index, key) = (all.len(), hot.key);
        let hash = key.hash(state);
        match open.find_mut(hash, |known| all[*known as usize].key == key) {
            Some(known) => *known = index as u32,
            None => {
                open.insert_unique(hash, index as u32, |known| all[*known as usize].key.hash(state));
            }
        }
        self.latest = Some((key, index as u32));
        all.push(hot);
        self.cold.push(cold);
        index
    }

    pub(crate) fn len(&self) -> usize {
        self.hot.len()
    }
}
