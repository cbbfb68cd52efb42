//! Phrases that many endpoints share, each kept once and told by its number.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::hash::Hasher;

/// A phrase of some [`Phrases`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Phrase(u32);

#[derive(Debug, Default)]
pub(super) struct Phrases {
    texts: Vec<Box<str>>,
    places: HashTable<u32>,
    state: Hasher,
}

impl Phrases {
    /// The phrase of these words.
    pub(super) fn of(&mut self, text: &str) -> Phrase {
        let Self { texts, places, state } = self;
        let hash = |text: &str| state.hash_one(text);
        let is_it = |place: &u32| *texts[*place as usize] == *text;
        if let Some(place) = places.find(hash(text), is_it) {
            return Phrase(*place);
        }
        let place = texts.len() as u32;
        texts.push(text.into());
        places.insert_unique(hash(text), place, |place| hash(&texts[*place as usize]));
        Phrase(place)
    }

    /// The words of a phrase.
    pub(super) fn text(&self, phrase: Phrase) -> &str {
        &self.texts[phrase.0 as usize]
    }
}
