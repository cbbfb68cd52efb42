//! The lab's runner: from a test plan to a verdict.
//!
//! | module | what it is for |
//! |---|---|
//! | [`yaml`] | reads what a user writes, with the place of every problem |
//! | [`plan`], [`manifest`], [`bench::file`] | the test plan, what the vendor declares, what this desk has |
//! | [`interchange`] | what others write about a product's traffic, and the manifest in their words |
//! | [`record`] | what a run leaves behind |
//! | [`bench`] | what a plan is carried out on: live, or recorded |
//! | [`engine`] | carries a plan out, one command after another |
//! | [`observation`] | what was seen: when, in which phase, by whom |
//! | [`judge`] | what it means |
//! | [`owners`] | whose an address is, by the user's databases |
//! | [`snapshot`], [`report`] | what changed, and what a person reads |
//! | [`run`] | a run from beginning to end |
//! | [`captured`] | captures that no bench made, judged as a run's |
//! | [`draft`] | a manifest proposed from what runs show |
//! | [`cli`] | the command line |
//!
//! Each may use those above it and none below.

pub mod bench;
pub mod captured;
pub mod cli;
pub mod draft;
pub mod engine;
pub mod interchange;
pub mod judge;
pub mod manifest;
pub mod observation;
pub mod owners;
pub mod plan;
pub mod record;
pub mod report;
pub mod run;
pub mod snapshot;
pub mod yaml;
