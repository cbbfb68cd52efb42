//! `lab why RUN FINDING`: one finding of a run explained, evidence by evidence. It reads the run's directory and runs
//! nothing.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::INVALID;
use super::report::open;
use crate::judge::printable;
use crate::report::{Style, findings_called, render_why};

/// Explain one finding of a run
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Which: its number in the report ([1] is the first), or its rule (all that broke it)
    #[arg(value_name = "FINDING")]
    pub finding: String,
    /// Databases (mmdb) that tell whose an address is
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub mmdb: Vec<PathBuf>,
}

/// Explains; answers with 0, or 2 where there is no such finding.
pub fn run(args: &WhyArgs) -> u8 {
    let verdict = match open(&args.run, &args.mmdb) {
        Ok(verdict) => verdict,
        Err(code) => return code,
    };
    let called = findings_called(&verdict, &args.finding);
    if called.is_empty() {
        eprintln!("error: this run has no finding `{}`", printable(&args.finding));
        let has: Vec<String> = verdict.findings.iter().map(|finding| printable(&finding.rule)).collect();
        match has.len() {
            0 => eprintln!("  help: it has none at all: {}", verdict.outcome),
            1 => eprintln!("  help: it has [1] ({})", has.join(", ")),
            most => eprintln!("  help: it has [1] to [{most}] ({})", shortened(has)),
        }
        return INVALID;
    }
    let mut out = io::stdout().lock();
    for (at, (number, finding)) in called.into_iter().enumerate() {
        let between = if at > 0 { writeln!(out) } else { Ok(()) };
        let written =
            between.and_then(|()| render_why(number, finding, &verdict, &mut out, Style::for_stdout()));
        // A reader that went away wants no more.
        if written.is_err() {
            break;
        }
    }
    let _ = out.flush();
    0
}

fn shortened(mut words: Vec<String>) -> String {
    words.dedup();
    let more = words.len().saturating_sub(8);
    words.truncate(8);
    if more > 0 {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}
