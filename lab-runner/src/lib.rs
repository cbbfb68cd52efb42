//! The runner.
pub mod bench;
pub mod cli;
pub mod judge;
pub mod manifest;
pub mod observation;
pub mod plan;
pub mod yaml;
