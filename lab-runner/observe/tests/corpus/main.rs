//! Observation against an independent dissector's, on captures that nobody of this project made.
//!
//! The corpus is no part of the repository: `LAB_CORPUS` names its folder, or it lies in `../shared/corpus` beside the
//! workspace. Without it these tests say that they were skipped. Each prints a table and every miss; `--nocapture` shows it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fields;
mod names;
mod observed;
mod precision;
mod reference;
mod tally;
mod whole;
