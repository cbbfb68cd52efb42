//! `lab run PLAN`: live on a bench, or again from a recording; then the verdict, the snapshot and the exit status.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{INTERRUPTED, INVALID};
use crate::judge::{Outcome, printable};
use crate::owners::Owners;
use crate::plan::{Images, Inputs, Plan, Position, StepAction};
use crate::record::{RunDir, default_fixture};
use crate::run::{Conclusion, replay};
use crate::yaml::{Diagnostic, Problems};

/// Carry out a test plan and judge what was observed
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The plan
    pub plan: PathBuf,
    /// The bench [default: bench.yaml beside the plan]
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub bench: Option<PathBuf>,
    /// Play a recording instead: no hardware, no network [default: fixtures/<plan folder>]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = false)]
    pub replay: Option<Option<PathBuf>>,
    /// Save the run as a fixture [default: fixtures/<plan folder>]
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with_all = ["replay", "until"])]
    pub record: Option<Option<PathBuf>>,
    /// Carry the plan out so often, in place of its own `repeat`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "replay")]
    pub repeat: Option<u32>,
    /// End after this step (its id or label)
    #[arg(long, value_name = "STEP", conflicts_with = "replay")]
    pub until: Option<String>,
    /// Leave the bench up at the end until Ctrl-C
    #[arg(long, conflicts_with = "replay")]
    pub keep: bool,
    /// Where run directories go
    #[arg(long, value_name = "DIR", default_value = "runs", conflicts_with = "replay")]
    pub runs: PathBuf,
    /// With --replay: write verdict.json and observations into this directory too
    #[arg(long, value_name = "DIR", requires = "replay")]
    pub out: Option<PathBuf>,
    /// Databases (mmdb) that tell whose the address of a finding is
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub mmdb: Vec<PathBuf>,
    /// No progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// Runs; answers with the exit status.
pub fn run(args: &RunArgs) -> u8 {
    let owners = match Owners::load(&args.mmdb) {
        Ok(owners) => owners,
        Err(error) => {
            complain(&error, Some("name a file in MaxMind's format, such as GeoLite2-ASN.mmdb"));
            return INVALID;
        }
    };
    match &args.replay {
        Some(recording) => replayed(args, recording.as_deref(), &owners),
        None => live::run(args, &owners),
    }
}

/// Takes the plan and what it names. Problems are told, warnings too.
fn inputs(read: Result<Inputs, Problems>) -> Option<(Inputs, Images)> {
    let inputs = match read {
        Ok(inputs) => inputs,
        Err(problems) => {
            eprintln!("{problems}");
            return None;
        }
    };
    for warning in &inputs.warnings {
        eprintln!("{warning}");
    }
    match Images::load(&inputs.plan) {
        Ok(images) => Some((inputs, images)),
        Err(error) => {
            complain(&error, None);
            None
        }
    }
}

/// Errors may quote what a recording or a plan from elsewhere says.
fn complain(error: &dyn std::fmt::Display, help: Option<&str>) {
    eprintln!("error: {}", printable(&error.to_string()));
    if let Some(help) = help {
        eprintln!("  help: {}", printable(help));
    }
}

fn replayed(args: &RunArgs, recording: Option<&Path>, owners: &Owners) -> u8 {
    let Some((inputs, images)) = inputs(untrusted(&args.plan)) else { return INVALID };
    let Some(folder) = recording.map(Path::to_owned).or_else(|| default_fixture(&args.plan)) else {
        let help = "name one with --replay DIR, or record one with `lab run PLAN --record DIR`";
        complain(&"there is no folder `fixtures` above the plan", Some(help));
        return INVALID;
    };
    match replay(&inputs, &images, &RunDir::at(&folder)) {
        Ok((conclusion, interrupted)) => {
            if let Some(out) = &args.out {
                let written = std::fs::create_dir_all(out).and_then(|()| conclusion.write(&RunDir::at(out)));
                if let Err(error) = written {
                    complain(&format!("{}: {error}", out.display()), None);
                    return INVALID;
                }
            }
            finish(&inputs, &conclusion, interrupted, owners)
        }
        Err(error) => {
            complain(&error, error.help());
            INVALID
        }
    }
}

/// Reads a plan that may come from anybody: what it names has to lie in its own project, since problems quote files.
fn untrusted(file: &Path) -> Result<Inputs, Problems> {
    let read = Plan::load(file)?;
    let plan = &read.0;
    let project = project_of(file);
    let images = plan.steps().filter_map(|(_, step)| match &step.action {
        StepAction::Flash(flash) => Some((&flash.image, step.at)),
        _ => None,
    });
    let named = images.chain([(&plan.manifest, Position { line: 1, column: 1 })]);
    let outside: Vec<Diagnostic> = named
        .filter(|(path, _)| path.resolved.canonicalize().is_ok_and(|path| !path.starts_with(&project)))
        .map(|(path, at)| {
            let text = format!("`{}` lies outside of the plan's project", path.written);
            Diagnostic::error(file, &plan.source, at, text)
                .help("a replay reads nothing else, since the plan may come from anybody")
        })
        .collect();
    if outside.is_empty() { Inputs::check(Ok(read), None) } else { Err(Problems(outside)) }
}

/// The folder above the plan that has `fixtures` or is a repository; else the plan's own.
fn project_of(plan: &Path) -> PathBuf {
    let absolute = plan.canonicalize().unwrap_or_else(|_| plan.to_owned());
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    let root =
        folder.ancestors().find(|above| above.join("fixtures").is_dir() || above.join(".git").exists());
    root.unwrap_or(folder).to_owned()
}

/// Shows the verdict, holds the endpoints against the snapshot, and says how it all ends.
fn finish(inputs: &Inputs, conclusion: &Conclusion, interrupted: bool, owners: &Owners) -> u8 {
    // Only what is shown has the owners: what is written is the same wherever it is made.
    let mut shown = conclusion.verdict.clone();
    owners.annotate(&mut shown);
    let mut out = std::io::stdout().lock();
    // A reader that went away changes nothing about the verdict.
    let _ = crate::report::render(&shown, &mut out, crate::report::Style::for_stdout());
    let snapshot = super::review::hold(inputs, conclusion);
    let _ = out.flush();
    if interrupted {
        return INTERRUPTED;
    }
    match (conclusion.verdict.outcome, snapshot) {
        (_, Err(INVALID)) => INVALID,
        (Outcome::Pass, Err(code)) => code,
        (outcome, _) => outcome.exit_code(),
    }
}

/// Says something that went well.
#[cfg(feature = "hardware")]
fn told(text: &str) {
    eprintln!("{}", printable(text));
}

#[cfg(feature = "hardware")]
mod live;

#[cfg(not(feature = "hardware"))]
mod live {
    use super::{INVALID, Owners, RunArgs, complain};

    pub(super) fn run(_args: &RunArgs, _owners: &Owners) -> u8 {
        let help = "play a recording with --replay, or install lab with its default features";
        complain(&"this build of lab has no agents, so it can't run a plan on a bench", Some(help));
        INVALID
    }
}
