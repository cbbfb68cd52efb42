//! `lab check FILE…`: says whether plans, manifests and bench files are right, without running anything.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;

use super::INVALID;
use crate::bench::file::{BenchFile, BenchKind};
use crate::manifest::{self, Date, Manifest};
use crate::plan::{Inputs, Plan};
use crate::yaml::{Diagnostic, Document, Problems};

/// Check plans, manifests and bench files without running anything
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The files; what each is, is told by its keys
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The bench to check plans against [default: bench.yaml beside the plan, if there is one]
    #[arg(long, value_name = "FILE")]
    pub bench: Option<PathBuf>,
    /// Answer with 2 for a warning as well
    #[arg(long)]
    pub deny_warnings: bool,
    /// The day from which review dates count as past [default: today, in UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub today: Option<Date>,
}

/// Checks the files: what is right to stdout, problems to stderr. Answers with the exit code.
pub fn run(args: &CheckArgs) -> u8 {
    check(args, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn check(args: &CheckArgs, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let mut told = HashSet::new();
    let mut code = 0;
    let today = args.today.unwrap_or_else(|| Date::of(SystemTime::now()));
    for file in &args.files {
        let (fine, diagnostics) = match file_kind(file, args.bench.as_deref(), today) {
            Ok((line, warnings)) => (Some(line), warnings),
            Err(problems) => (None, problems.0),
        };
        // A manifest that several plans name is read for each of them; its problems are told once.
        let new: Vec<Diagnostic> =
            diagnostics.into_iter().filter(|one| told.insert(one.to_string())).collect();
        // Nobody is left to tell when a stream is closed; the exit code says it all the same.
        if !new.is_empty() {
            if args.deny_warnings {
                code = INVALID;
            }
            let _ = writeln!(err, "{}", Problems(new));
        }
        match fine {
            Some(line) => {
                let _ = writeln!(out, "{}: {line}", file.display());
            }
            None => code = INVALID,
        }
    }
    code
}

fn file_kind(file: &Path, bench: Option<&Path>, today: Date) -> Result<(String, Vec<Diagnostic>), Problems> {
    let document = Document::read(file)?;
    let has = |key: &str| document.keys().any(|known| known == key);
    if has("phases") || has("needs") {
        return plan(file, document, bench, today);
    }
    if has("ambient") {
        let (profile, warnings) = manifest::check_profile(document)?;
        let line = format!("ambient profile ok ({})", counted(profile.endpoints.len(), "endpoint"));
        return Ok((line, warnings));
    }
    if has("endpoints") {
        let (manifest, mut warnings) = Manifest::from_document(document)?;
        warnings.extend(manifest::lint(&manifest, today));
        let count = manifest.endpoints.len();
        return Ok((format!("manifest ok ({})", counted(count, "endpoint")), warnings));
    }
    if has("kind") || has("resources") {
        let (bench, warnings) = BenchFile::from_document(document)?;
        let line = match bench.kind {
            BenchKind::Virtual => "bench ok (virtual)".to_owned(),
            BenchKind::Real => format!("bench ok (real, {})", counted(bench.resources.0.len(), "resource")),
        };
        return Ok((line, warnings));
    }
    let message =
        "this is neither a plan (`phases`), nor a manifest (`endpoints`), nor a bench file (`kind`)";
    let source = document.source();
    Err(Diagnostic::error(&source.file, &source.text, document.root().at(), message)
        .help("`lab schema plan` shows what goes into a plan")
        .into())
}

fn plan(
    file: &Path,
    document: Document,
    bench: Option<&Path>,
    today: Date,
) -> Result<(String, Vec<Diagnostic>), Problems> {
    let bench = bench.map(Path::to_owned).or_else(|| Inputs::bench_beside(file));
    let mut inputs = Inputs::check(Plan::from_document(document), bench.as_deref())?;
    inputs.warnings.extend(manifest::lint(&inputs.manifest, today));
    let beside = match &bench {
        Some(bench) => format!("bench {}", bench.display()),
        None => "no bench.yaml beside it".to_owned(),
    };
    let line = format!(
        "plan ok ({}, {}; manifest {}; {beside})",
        counted(inputs.plan.phases.len(), "phase"),
        counted(inputs.plan.steps().count(), "step"),
        inputs.plan.manifest.resolved.display(),
    );
    Ok((line, inputs.warnings))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
