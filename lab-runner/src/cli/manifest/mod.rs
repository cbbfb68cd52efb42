//! `lab manifest …`: what is done with privacy manifests apart from judging a run by one.

pub mod ambient;
pub mod check;
pub mod compare;
pub mod diff;
pub mod draft;
pub mod export;
pub mod import;
mod material;

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
    /// Propose a manifest from what runs or captures show
    Draft(draft::DraftArgs),
    /// Propose an ambient profile from the baseline phases of runs
    Ambient(ambient::AmbientArgs),
    /// Judge captures of a product against a manifest
    Check(check::CheckArgs),
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
        ManifestCommand::Draft(args) => draft::run(args),
        ManifestCommand::Ambient(args) => ambient::run(args),
        ManifestCommand::Check(args) => check::run(args),
        ManifestCommand::Diff(args) => diff::run(args),
        ManifestCommand::Import(args) => import::run(args),
        ManifestCommand::Export(args) => export::run(args),
        ManifestCommand::Compare(args) => compare::run(args),
    }
}
