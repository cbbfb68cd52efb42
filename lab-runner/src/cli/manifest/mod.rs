//! `lab manifest …`: what is done with privacy manifests apart from judging a run by one.

pub mod diff;

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
}

/// Carries one out; answers with the exit code.
pub fn run(args: &ManifestArgs) -> u8 {
    match &args.command {
        ManifestCommand::Diff(args) => diff::run(args),
    }
}
