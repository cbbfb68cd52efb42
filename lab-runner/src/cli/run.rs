//! `lab run PLAN`: live on a bench, or again from a recording; then the verdict, the snapshot and the exit status.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{INTERRUPTED, INVALID};
use crate::engine::Images;
use crate::judge::Outcome;
use crate::plan::Inputs;
use crate::record::{RunDir, default_fixture};
use crate::run::{Conclusion, replay};

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
    /// No progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// Runs; answers with the exit status.
pub fn run(args: &RunArgs) -> u8 {
    match &args.replay {
        Some(recording) => replayed(args, recording.as_deref()),
        None => live::run(args),
    }
}

/// Reads the plan and what it names. Problems are told, warnings too.
fn inputs(plan: &Path, bench: Option<&Path>) -> Option<(Inputs, Images)> {
    let inputs = match Inputs::load(plan, bench) {
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

fn complain(error: &dyn std::fmt::Display, help: Option<&str>) {
    eprintln!("error: {error}");
    if let Some(help) = help {
        eprintln!("  help: {help}");
    }
}

fn replayed(args: &RunArgs, recording: Option<&Path>) -> u8 {
    let Some((inputs, images)) = inputs(&args.plan, None) else { return INVALID };
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
            finish(&inputs, &conclusion, interrupted)
        }
        Err(error) => {
            complain(&error, error.help());
            INVALID
        }
    }
}

/// Shows the verdict, holds the endpoints against the snapshot, and says how it all ends.
fn finish(inputs: &Inputs, conclusion: &Conclusion, interrupted: bool) -> u8 {
    let mut out = std::io::stdout().lock();
    // A reader that went away changes nothing about the verdict.
    let _ = crate::report::render(&conclusion.verdict, &mut out, crate::report::Style::for_stdout());
    let snapshot = super::review::hold(inputs, conclusion);
    let _ = out.flush();
    if interrupted {
        return INTERRUPTED;
    }
    match (conclusion.verdict.outcome, snapshot) {
        (Outcome::Pass, Err(code)) => code,
        (outcome, _) => outcome.exit_code(),
    }
}

#[cfg(not(feature = "hardware"))]
mod live {
    use super::{INVALID, RunArgs, complain};

    pub(super) fn run(_args: &RunArgs) -> u8 {
        let help = "play a recording with --replay, or install lab with its default features";
        complain(&"this build of lab has no agents, so it can't run a plan on a bench", Some(help));
        INVALID
    }
}

#[cfg(feature = "hardware")]
mod live {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    use super::super::progress::Progress;
    use super::super::{INTERRUPTED, INVALID, logging};
    use super::{RunArgs, complain, finish, inputs};
    use crate::plan::Inputs;
    use crate::record::{RunDir, default_fixture, save};
    use crate::run::{Conclusion, Interrupt, LiveOptions, conclude, live, observe_attempts, replay};

    pub(super) fn run(args: &RunArgs) -> u8 {
        let Some(bench) = args.bench.clone().or_else(|| Inputs::bench_beside(&args.plan)) else {
            // Whatever else is wrong with the plan is told first.
            if super::inputs(&args.plan, None).is_some() {
                let help = "say which with --bench FILE, put a bench.yaml beside the plan, or play a recording with --replay";
                complain(
                    &format!("{}: no bench: there is no bench.yaml beside it", args.plan.display()),
                    Some(help),
                );
            }
            return INVALID;
        };
        let Some((inputs, images)) = inputs(&args.plan, Some(&bench)) else { return INVALID };
        if let Some(until) = &args.until
            && !crate::engine::has_step(&inputs.plan, until)
        {
            let help = "name a step by its `id`, or as the progress shows it, such as `expect console`";
            complain(&format!("{}: the plan has no step {until:?}", args.plan.display()), Some(help));
            return INVALID;
        }
        let fixture = match &args.record {
            None => None,
            Some(named) => match named.clone().or_else(|| default_fixture(&args.plan)) {
                Some(folder) => Some(folder),
                None => {
                    complain(
                        &"there is no folder `fixtures` above the plan",
                        Some("name one with --record DIR"),
                    );
                    return INVALID;
                }
            },
        };
        let Some(file) = &inputs.bench else { return INVALID };
        let interrupt = Arc::new(Interrupt::default());
        if let Err(error) = listen(&interrupt) {
            complain(&format!("signals can't be handled: {error}"), None);
            return INVALID;
        }
        let options = LiveOptions {
            runs: args.runs.clone(),
            repeat: args.repeat,
            until: args.until.clone(),
            keep: args.keep,
        };
        let mut progress = Progress::new(args.quiet);
        let began = |run: &RunDir| {
            if let Err(error) = logging::to_run(&run.path().join("lab.log")) {
                tracing::warn!(%error, "lab.log can't be written");
            }
            if !args.quiet {
                eprintln!("{} → {}", args.plan.display(), run.path().display());
            }
        };
        match live(&inputs, file, &images, &options, &mut progress, &interrupt, began) {
            Ok(run) => ended(&inputs, &images, &run, fixture, interrupt.is_set()),
            Err(error) => {
                complain(&error, None);
                INVALID
            }
        }
    }

    /// The run is over: conclude from what it left, as anybody could later.
    fn ended(
        inputs: &Inputs,
        images: &crate::engine::Images,
        run: &RunDir,
        fixture: Option<PathBuf>,
        interrupted: bool,
    ) -> u8 {
        let concluded = match conclusion(inputs, run) {
            Ok(concluded) => concluded,
            Err(error) => {
                complain(&error, None);
                return INVALID;
            }
        };
        let mut code = finish(inputs, &concluded, interrupted);
        if let Some(fixture) = fixture.filter(|_| code != INTERRUPTED)
            && let Err(error) = record(inputs, images, run, &fixture, &concluded)
        {
            complain(&format!("the fixture was not saved: {error}"), None);
            code = INVALID;
        }
        let noted = run.read_meta().map_err(|error| error.to_string()).and_then(|mut meta| {
            meta.outcome = Some(concluded.verdict.outcome.word().into());
            meta.exit = Some(code.into());
            run.write_meta(&meta).map_err(|error| error.to_string())
        });
        if let Err(error) = noted.and_then(|()| concluded.write(run).map_err(|error| error.to_string())) {
            complain(&format!("{}: {error}", run.path().display()), None);
            return INVALID;
        }
        code
    }

    fn conclusion(inputs: &Inputs, run: &RunDir) -> Result<Conclusion, Box<dyn std::error::Error>> {
        let meta = run.read_meta()?;
        let logs = meta
            .attempts
            .iter()
            .map(|attempt| run.read_log(attempt.number))
            .collect::<Result<Vec<_>, _>>()?;
        let attempts = observe_attempts(run, &meta.attempts, logs)?;
        let repeats = meta.repeat_option.unwrap_or(inputs.plan.repeat);
        Ok(conclude(&inputs.plan, &inputs.manifest, attempts, repeats))
    }

    /// Saves the run as a fixture, and shows that its replay comes to the very same.
    fn record(
        inputs: &Inputs,
        images: &crate::engine::Images,
        run: &RunDir,
        fixture: &Path,
        concluded: &Conclusion,
    ) -> Result<(), Box<dyn std::error::Error>> {
        save(run, fixture)?;
        let (again, _) = replay(inputs, images, &RunDir::at(fixture))?;
        if !again.same_as(concluded)? {
            let text = format!(
                "its replay differs from the run; both are kept, {} and {}",
                run.path().display(),
                fixture.display()
            );
            return Err(text.into());
        }
        eprintln!("recorded: {}", fixture.display());
        Ok(())
    }

    /// The first signal ends the run in order, the second at once.
    fn listen(interrupt: &Arc<Interrupt>) -> std::io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let interrupt = Arc::clone(interrupt);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                if interrupt.is_set() {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                eprintln!("\ninterrupted: putting the bench away (once more to end at once)");
                interrupt.set();
            }
        })?;
        Ok(())
    }
}
