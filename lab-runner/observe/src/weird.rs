//! Oddities of a capture, by their words: how often, and where first. Bounded by the number of words there are.

use std::collections::BTreeMap;

/// Frames kept for a word.
const MAX_FRAMES: usize = 8;

#[derive(Debug, Default)]
struct Oddity {
    count: u64,
    frames: Vec<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Oddities(BTreeMap<&'static str, Oddity>);

impl Oddities {
    /// Notes an oddity in a frame.
    pub(crate) fn note(&mut self, word: &'static str, frame: u64) {
        let oddity = self.0.entry(word).or_default();
        oddity.count += 1;
        if oddity.frames.len() < MAX_FRAMES && oddity.frames.last() != Some(&frame) {
            oddity.frames.push(frame);
        }
    }

    /// Counts oddities that stand in no frame.
    pub(crate) fn add(&mut self, word: &'static str, count: u64) {
        if count > 0 {
            self.0.entry(word).or_default().count += count;
        }
    }

    /// How often each was seen.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(word, oddity)| ((*word).to_owned(), oddity.count)).collect()
    }

    /// The first frames of each.
    pub(crate) fn frames(self) -> BTreeMap<String, Vec<u64>> {
        self.0.into_iter().map(|(word, oddity)| (word.to_owned(), oddity.frames)).collect()
    }
}
