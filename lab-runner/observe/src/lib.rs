//! Captures in, flows and names with their evidence out.
//!
//! This crate does no I/O beyond the bytes it is given and reads no clock, so that it can be fuzzed and benchmarked alone.

pub mod record;

pub use record::{
    Disagreement, FlowRecord, L4, LinkFrame, MacAddr, Name, NameKind, Observation, Reason, State, Summary,
};
