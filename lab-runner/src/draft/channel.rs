//! Whether look-ups may carry data, by the judge's own measure, run by run.

use std::collections::{BTreeMap, BTreeSet};

use super::sighting::Question;
use crate::judge::DnsChannel;
use crate::manifest::registered_domain;

/// Why these questions may carry data; `None` where they look ordinary.
pub(super) fn excess<'q>(questions: impl Iterator<Item = &'q Question<'q>>) -> Option<String> {
    let mut channels: BTreeMap<usize, DnsChannel<'_>> = BTreeMap::new();
    for question in questions {
        let kept = question.name.len().saturating_sub(registered_domain(question.name).len());
        let open = question.name.get(..kept).unwrap_or(question.name);
        channels.entry(question.run).or_default().asked(question.name, open, question.qtype);
    }
    channels.values().find_map(|channel| channel.excess(1))
}

/// The domains under which these questions may carry data.
pub(super) fn open<'q>(questions: impl Iterator<Item = &'q Question<'q>>) -> BTreeSet<String> {
    let mut by_domain: BTreeMap<&str, Vec<&Question<'_>>> = BTreeMap::new();
    for question in questions {
        by_domain.entry(registered_domain(question.name)).or_default().push(question);
    }
    let open = by_domain.into_iter().filter(|(_, questions)| excess(questions.iter().copied()).is_some());
    open.map(|(domain, _)| domain.to_owned()).collect()
}
