//! `lab report RUN`: shows what a run comes to. It reads the run directory and runs nothing.
//!
//! How a verdict is written, and what it makes of the exit status, is the same for whoever else has one to show.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::INVALID;
use crate::judge::{Verdict, printable};
use crate::owners::Owners;
use crate::report::{Style, render};

/// Show what a run comes to
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Databases (mmdb) that tell whose an address is
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub mmdb: Vec<PathBuf>,
}

/// What a verdict is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// `verdict.json`.
    Json,
}

/// The verdict of a run's directory, with what the databases say of its addresses. An error is told; what is left of it
/// is the exit status.
pub(super) fn open(run: &Path, mmdb: &[PathBuf]) -> Result<Verdict, u8> {
    let refuse = |error: &dyn Display| {
        eprintln!("error: {}", printable(&error.to_string()));
        INVALID
    };
    let mut verdict = crate::run::verdict_of(run).map_err(|error| refuse(&error))?;
    Owners::load(mmdb).map_err(|error| refuse(&error))?.annotate(&mut verdict);
    Ok(verdict)
}

/// Writes a verdict to stdout. Answers with its exit status.
pub(super) fn show(verdict: &Verdict, format: Format) -> u8 {
    let mut out = io::stdout().lock();
    let written = match format {
        Format::Text => render(verdict, &mut out, Style::for_stdout()),
        Format::Json => serde_json::to_writer_pretty(&mut out, verdict)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    // A reader that went away changes nothing about the verdict.
    let _ = written.and_then(|()| out.flush());
    verdict.outcome.exit_code()
}

/// Shows the verdict of a run. Answers with the exit status: that of the verdict.
pub fn run(args: &ReportArgs) -> u8 {
    match open(&args.run, &args.mmdb) {
        Ok(verdict) => show(&verdict, args.format),
        Err(code) => code,
    }
}
