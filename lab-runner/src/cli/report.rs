//! `lab report RUN`: shows what a run comes to. It reads the run directory and runs nothing.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::judge::{Verdict, printable};
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
}

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// `verdict.json`.
    Json,
}

/// What `report` answers with when the run can't be read.
const INVALID: u8 = 2;

/// Shows the verdict that `open` makes of the run's directory. Answers with the exit status: that of the verdict.
pub fn run<E: Display>(args: &ReportArgs, open: impl FnOnce(&Path) -> Result<Verdict, E>) -> u8 {
    let verdict = match open(&args.run) {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("error: {}", printable(&error.to_string()));
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
