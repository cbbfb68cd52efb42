//! Oddities of a capture, by their words: how often, and where first. Bounded by the number of words there are.

use std::collections::BTreeMap;

/// Frames kept for a word.
const MAX_FRAMES: usize = 8;

#[derive(Debug, Default)]
struct Oddity {
    count: u64,
    /// The first ones, in order.
    frames: Vec<u64>,
}

impl Oddity {
    /// Notes one of the frames in which it was seen: they come in order, but for what waited.
    fn frame(&mut self, frame: u64) {
        let place = self.frames.partition_point(|known| *known < frame);
        if place < MAX_FRAMES && self.frames.get(place) != Some(&frame) {
            self.frames.truncate(MAX_FRAMES - 1);
            self.frames.insert(place, frame);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Oddities(BTreeMap<&'static str, Oddity>);

impl Oddities {
    /// Notes an oddity in a frame.
    pub(crate) fn note(&mut self, word: &'static str, frame: u64) {
        let oddity = self.0.entry(word).or_default();
        oddity.count += 1;
        oddity.frame(frame);
    }

    /// Counts oddities that stand in no frame.
    pub(crate) fn add(&mut self, word: &'static str, count: u64) {
        if count > 0 {
            self.0.entry(word).or_default().count += count;
        }
    }

    /// Adds those that another saw of the same capture.
    pub(crate) fn merge(&mut self, other: Self) {
        for (word, theirs) in other.0 {
            let ours = self.0.entry(word).or_default();
            ours.count += theirs.count;
            for frame in theirs.frames {
                ours.frame(frame);
            }
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
