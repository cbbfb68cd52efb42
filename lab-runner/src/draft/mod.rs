//! A manifest, or an ambient profile, proposed from what runs show. It proposes; people decide: whatever looks as if
//! somebody wanted it unseen is written down as a comment, and every purpose is marked as a guess.
//!
//! | module | what it is for |
//! |---|---|
//! | `sighting` | flows in the terms of a declaration |
//! | `pattern` | names to patterns, as far as repeats support it |
//! | `network` | which servers stand beside each other |
//! | `channel` | whether look-ups may carry data |
//! | `propose` | what was used alike to one proposal |
//! | `suspicion` | what needs a person's word, and what a person should look at |
//! | `purpose` | what an endpoint may be for |
//! | `yaml` | the proposals as a file |
//!
//! A pure function of the runs: no I/O, no clock, and the order of the runs changes nothing but which is called first.

mod channel;
mod network;
mod pattern;
mod propose;
mod purpose;
mod sighting;
mod suspicion;
mod yaml;

use crate::observation::AttributedFlow;
use sighting::Sightings;

pub use propose::{Proposal, Seen};
pub use purpose::Guess;
pub use sighting::Run;
pub use yaml::{Head, render};

/// Which suspicious proposals a person gave their word for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accepted {
    /// None.
    #[default]
    None,
    /// These, by their ids.
    Some(Vec<String>),
    /// All of them.
    All,
}

impl Accepted {
    /// Whether it is declared. What a manifest has no words for never is.
    pub fn admits(&self, proposal: &Proposal) -> bool {
        let given = proposal.suspicions.is_empty()
            || match self {
                Self::None => false,
                Self::Some(ids) => ids.contains(&proposal.id),
                Self::All => true,
            };
        given && proposal.declarable
    }
}

/// What is proposed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The proposals, suspicious ones among them.
    pub proposals: Vec<Proposal>,
    /// What the runs are called, in their order.
    pub runs: Vec<String>,
    /// Flows that no declaration could speak of.
    pub left_out: u64,
}

/// Proposes declarations for the flows that `wanted` picks.
pub fn draft<'a>(runs: &'a [Run<'a>], wanted: impl Fn(&AttributedFlow<'a>) -> bool) -> Draft {
    let sightings = Sightings::of(runs, wanted);
    let mut proposals = propose::propose(&sightings, runs.len());
    suspicion::mark(&mut proposals, &sightings, runs.len());
    Draft { proposals, runs: runs.iter().map(|run| run.name.clone()).collect(), left_out: sightings.left_out }
}
