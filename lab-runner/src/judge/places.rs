//! Where in a list that grows something stands, found by what makes it the same as another. Only hashes are kept here:
//! the list itself says whether two are the same, so that no key is copied, and none is hashed twice.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The places of a list's items. The hash is seeded anew in each process: what was captured can't be made to collide.
#[derive(Debug, Default)]
pub(super) struct Places {
    table: HashTable<(u64, usize)>,
    state: RandomState,
}

impl Places {
    /// The place of the item that `is_it`, where one of this key is known; else `next`, where it has to be put.
    pub(super) fn of(&mut self, key: impl Hash, next: usize, is_it: impl Fn(usize) -> bool) -> usize {
        let hash = self.state.hash_one(key);
        let found = self.table.find(hash, |(known, place)| *known == hash && is_it(*place));
        if let Some((_, place)) = found {
            return *place;
        }
        self.table.insert_unique(hash, (hash, next), |(known, _)| *known);
        next
    }
}

/// Puts an item into a list that is in order and has each but once.
pub(super) fn keep<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(place) = list.binary_search(&item) {
        list.insert(place, item);
    }
}
