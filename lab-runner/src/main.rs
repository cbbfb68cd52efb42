//! The lab command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab_runner::cli::{check, schema};

/// A test lab for a watch, its companion app and the services they talk to
#[derive(Parser)]
#[command(name = "lab", version)]
struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Schema(schema::SchemaArgs),
}

fn main() -> ExitCode {
    ExitCode::from(match Lab::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Schema(args) => schema::run(&args),
    })
}
