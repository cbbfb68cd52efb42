//! The command line: one module a command. Each parses its own arguments and answers with an exit code.

#[cfg(feature = "hardware")]
pub mod agent;
pub mod check;
pub mod logging;
pub mod manifest;
pub mod observe;
pub mod progress;
pub mod report;
pub mod review;
pub mod run;
pub mod schema;
#[cfg(feature = "hardware")]
pub mod virtual_bench;
pub mod why;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};

/// What went in is wrong: a file, an option, a recording that doesn't fit.
pub const INVALID: u8 = 2;
/// The person stopped it, as a shell tells a process that SIGINT ended.
pub const INTERRUPTED: u8 = 130;

/// A reproducible hardware-in-the-loop test lab: what does a watch's companion app talk to, and was it declared?
#[derive(Debug, Parser)]
#[command(name = "lab", version, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 pass · 1 fail · 2 invalid input · 3 inconclusive · 4 bench fault · 5 snapshot new or \
changed · 130 interrupted"
)]
pub struct Cli {
    /// Log more to stderr (-v, -vv, -vvv); LAB_LOG takes tracing's own words, such as lab_runner=debug
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry out a test plan and judge what was observed
    Run(run::RunArgs),
    /// Check plans, manifests and bench files without running anything
    Check(check::CheckArgs),
    /// Show every flow of a capture, with the evidence for its name
    Observe(observe::ObserveArgs),
    /// Look at snapshots that changed, and accept or reject them
    Review(review::ReviewArgs),
    /// Show the verdict of a run
    Report(report::ReportArgs),
    /// Explain one finding of a run, evidence by evidence
    Why(why::WhyArgs),
    /// Work with privacy manifests
    Manifest(manifest::ManifestArgs),
    /// Print the JSON Schema of a file type
    Schema(schema::SchemaArgs),
    /// Virtual hardware: board, watch, companion and services
    #[cfg(feature = "hardware")]
    VirtualBench(virtual_bench::VirtualBenchArgs),
    /// Serve one agent (the lab starts this itself)
    #[cfg(feature = "hardware")]
    #[command(hide = true)]
    Agent(agent::AgentArgs),
}

/// Carries out the command line.
pub fn main() -> ExitCode {
    let Cli { verbose, command } = Cli::parse();
    #[cfg(feature = "hardware")]
    let child = match &command {
        Command::Agent(_) => true,
        Command::VirtualBench(args) => !matches!(args.part, virtual_bench::Part::Start { .. }),
        _ => false,
    };
    #[cfg(not(feature = "hardware"))]
    let child = false;
    if child {
        logging::init_child();
    } else {
        logging::init(verbose);
    }
    let code = match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Observe(args) => observe::run(&args),
        Command::Review(args) => review::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Manifest(args) => manifest::run(&args),
        Command::Schema(args) => schema::run(&args),
        #[cfg(feature = "hardware")]
        Command::VirtualBench(args) => virtual_bench::run(args),
        #[cfg(feature = "hardware")]
        Command::Agent(args) => return agent::run(&args),
    };
    ExitCode::from(code)
}
