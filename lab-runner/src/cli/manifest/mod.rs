//! `lab manifest …`: what is done with privacy manifests apart from judging a run by one.

pub mod compare;
pub mod diff;
pub mod export;
pub mod import;

use clap::{Args, Subcommand};

/// Work with privacy manifests
#[derive(Debug, Args)]
pub struct ManifestArgs {
    /// What to do
    #[command(subcommand)]
    pub command: ManifestCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ManifestCommand {
    /// Say in words what a manifest permits that another one doesn't
    Diff(diff::DiffArgs),
    /// Begin a manifest from a file of another format, or hold that file against a manifest
    Import(import::ImportArgs),
    /// Write a manifest in another format
    Export(export::ExportArgs),
    /// Compare an App Privacy Report with captures
    Compare(compare::CompareArgs),
}

/// Carries one out; answers with the exit code.
pub fn run(args: &ManifestArgs) -> u8 {
    match &args.command {
        ManifestCommand::Diff(args) => diff::run(args),
        ManifestCommand::Import(args) => import::run(args),
        ManifestCommand::Export(args) => export::run(args),
        ManifestCommand::Compare(args) => compare::run(args),
    }
}
