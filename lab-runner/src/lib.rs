//! The runner.
pub mod bench;
pub mod cli;
pub mod manifest;
pub mod plan;
pub mod yaml;
