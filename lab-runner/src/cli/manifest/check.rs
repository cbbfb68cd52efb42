//! `lab manifest check MANIFEST CAPTURE…`: captures that no bench made, judged against a manifest.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::draft::refuse;
use super::material;
use crate::captured::{self, Device, PHASE};
use crate::cli::INVALID;
use crate::cli::report::{Format, show};
use crate::judge::Verdict;
use crate::manifest::Manifest;
use crate::yaml::Problems;

/// Judge captures of a product against a manifest
#[derive(Debug, Args)]
#[command(
    after_help = "A capture has no event log and no canary: what it doesn't show itself is not known, and said to be.\n\n\
Exit status: 0 pass · 1 fail · 2 invalid input · 3 inconclusive"
)]
pub struct CheckArgs {
    /// The manifest
    pub manifest: PathBuf,
    /// pcap and pcapng files; each counts as one repeat
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Which host of the captures is the product: its MAC address, or its IP address
    #[arg(long, value_name = "MAC|IP")]
    pub device: Device,
    /// The phase that the captures show, for declarations that are limited to some
    #[arg(long, value_name = "NAME")]
    pub phase: Option<String>,
    /// How to show the verdict
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Judges: the verdict to stdout, problems to stderr. Answers with the exit status: that of the verdict.
pub fn run(args: &CheckArgs) -> u8 {
    match verdict(args, &mut io::stderr().lock()) {
        Ok(verdict) => show(&verdict, args.format),
        Err(code) => code,
    }
}

fn verdict(args: &CheckArgs, err: &mut impl Write) -> Result<Verdict, u8> {
    let manifest = match Manifest::load(&args.manifest) {
        Ok((manifest, warnings)) => {
            if !warnings.is_empty() {
                let _ = writeln!(err, "{}", Problems(warnings));
            }
            manifest
        }
        Err(problems) => {
            let _ = writeln!(err, "{problems}");
            return Err(INVALID);
        }
    };
    let mut captures = Vec::with_capacity(args.captures.len());
    for (number, file) in (1..).zip(&args.captures) {
        let phase = args.phase.as_deref().unwrap_or(PHASE);
        let captured = material::capture(number, file, Some(args.device), phase, err);
        captures.push(captured.map_err(|error| refuse(err, &error))?);
    }
    Ok(captured::judge(&manifest, &captures, args.phase.as_deref()))
}
