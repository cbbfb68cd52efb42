//! `lab manifest diff OLD NEW`: what the new manifest permits that the old one didn't, in words.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::INVALID;
use crate::judge::printable;
use crate::manifest::{Change, Manifest, diff};
use crate::yaml::Problems;

/// Say in words what a manifest permits that another one doesn't
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 the new manifest permits nothing more · 1 it permits more · 2 invalid input. What it no \
longer permits is told and changes nothing."
)]
pub struct DiffArgs {
    /// The manifest as it was
    pub old: PathBuf,
    /// The manifest as it is
    pub new: PathBuf,
}

/// What `diff` answers with when the new manifest permits more.
const MORE: u8 = 1;

/// Compares: what changed to stdout, problems of the files to stderr. Answers with the exit code.
pub fn run(args: &DiffArgs) -> u8 {
    compare(args, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn compare(args: &DiffArgs, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let (old, new) = (read(&args.old, err), read(&args.new, err));
    let (Some(old), Some(new)) = (old, new) else { return INVALID };
    let difference = diff(&old, &new);
    // Nobody is left to tell when a stream is closed; the exit code says it all the same.
    let _ = list(out, "permits and the old one doesn't", '+', &difference.more);
    let _ = list(out, "no longer permits", '-', &difference.less);
    if difference.more.is_empty() && difference.less.is_empty() {
        let _ = writeln!(out, "both permit the same");
    }
    if difference.more.is_empty() { 0 } else { MORE }
}

fn read(file: &Path, err: &mut impl Write) -> Option<Manifest> {
    match Manifest::load(file) {
        Ok((manifest, warnings)) => {
            if !warnings.is_empty() {
                let _ = writeln!(err, "{}", Problems(warnings));
            }
            Some(manifest)
        }
        Err(problems) => {
            let _ = writeln!(err, "{problems}");
            None
        }
    }
}

fn list(out: &mut impl Write, what: &str, sign: char, changes: &[Change]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "what the new manifest {what}:")?;
    for change in changes {
        let line = change.at.map(|at| format!(":{}", at.line)).unwrap_or_default();
        writeln!(out, "  {sign} {}{line}: {}", printable(&change.file), printable(&change.words))?;
    }
    Ok(())
}
