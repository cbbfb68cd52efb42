//! What a flow's parsers may use of the whole: names, memory, and a list of oddities.

use std::collections::BTreeMap;

use crate::names::Names;
use crate::stream::Budget;

pub(crate) struct Context<'a> {
    /// The present frame's number.
    pub(crate) frame: u64,
    pub(crate) names: &'a mut Names,
    pub(crate) budget: &'a mut Budget,
    pub(crate) weird: &'a mut BTreeMap<&'static str, u64>,
}

impl Context<'_> {
    /// Counts an oddity.
    pub(crate) fn weird(&mut self, word: &'static str) {
        *self.weird.entry(word).or_default() += 1;
    }
}
