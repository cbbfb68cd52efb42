//! Judgement: what was observed, held against the plan and the privacy manifest. The rules stand in docs/verdict.md.
//!
//! A pure function: it does no I/O, reads no clock and takes whatever it is given as evidence, never as truth. It is
//! built so that nothing unseen passes: every reason for doubt makes a run inconclusive.

mod verdict;

use crate::manifest::Manifest;
use crate::observation::Attempt;
use crate::plan::Plan;

pub use verdict::{
    AttemptSummary, DeclarationRef, Endpoint, FORMAT, Finding, Outcome, Protection, Status, Unused, Verdict,
};

/// All that a verdict is made of.
#[derive(Debug, Clone, Copy)]
pub struct JudgeInput<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The manifest.
    pub manifest: &'a Manifest,
    /// Every attempt that was made, retried ones too.
    pub attempts: &'a [Attempt],
    /// How many repeats the run had to have: the plan's, or what the command line said instead.
    pub repeats: u32,
}
