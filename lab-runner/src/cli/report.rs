//! `lab report RUN`: shows what a run comes to. It reads the run directory and runs nothing.

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

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// `verdict.json`.
    Json,
}

/// The verdict of a run's directory, with what the databases say of its addresses. Errors are in words.
pub(super) fn open(run: &Path, mmdb: &[PathBuf]) -> Result<Verdict, String> {
    let mut verdict = crate::run::verdict_of(run).map_err(|error| error.to_string())?;
    Owners::load(mmdb).map_err(|error| error.to_string())?.annotate(&mut verdict);
    Ok(verdict)
}

/// Shows the verdict of a run. Answers with the exit status: that of the verdict.
pub fn run(args: &ReportArgs) -> u8 {
    let verdict = match open(&args.run, &args.mmdb) {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("error: {}", printable(&error));
            return INVALID;
        }
    };
    let mut out = io::stdout().lock();
    let written = match args.format {
        Format::Text => render(&verdict, &mut out, Style::for_stdout()),
        Format::Json => serde_json::to_writer_pretty(&mut out, &verdict)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    // A reader that went away changes nothing about the verdict.
    let _ = written.and_then(|()| out.flush());
    verdict.outcome.exit_code()
}
