//! `lab run` on a bench: runs, concludes, and saves the recording where it is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::super::progress::Progress;
use super::super::{INTERRUPTED, INVALID, logging};
use super::{RunArgs, complain, finish, inputs, told};
use crate::owners::Owners;
use crate::plan::Inputs;
use crate::record::{RunDir, default_fixture, may_hold_recording, prepare};
use crate::run::{Conclusion, Interrupt, LiveOptions, conclude, live, observe_attempts, replay};

pub(super) fn run(args: &RunArgs, owners: &Owners) -> u8 {
    let Some(bench) = args.bench.clone().or_else(|| Inputs::bench_beside(&args.plan)) else {
        // Whatever else is wrong with the plan is told first.
        if inputs(Inputs::load(&args.plan, None)).is_some() {
            let help = "say which with --bench FILE, put a bench.yaml beside the plan, or play a recording with --replay";
            complain(
                &format!("{}: no bench: there is no bench.yaml beside it", args.plan.display()),
                Some(help),
            );
        }
        return INVALID;
    };
    let Some((inputs, images)) = inputs(Inputs::load(&args.plan, Some(&bench))) else { return INVALID };
    if let Some(until) = &args.until
        && !crate::engine::has_step(&inputs.plan, until)
    {
        let help = "name a step by its `id`, or as the progress shows it, such as `expect console`";
        complain(&format!("{}: the plan has no step {until:?}", args.plan.display()), Some(help));
        return INVALID;
    }
    let Ok(fixture) = place_of_recording(args, &inputs) else { return INVALID };
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
        Ok(run) => ended(&inputs, &images, &run, fixture, interrupt.is_set(), owners),
        Err(error) => {
            complain(&error, None);
            INVALID
        }
    }
}

/// The run is over: conclude from what it left, as anybody could later.
fn ended(
    inputs: &Inputs,
    images: &crate::plan::Images,
    run: &RunDir,
    fixture: Option<PathBuf>,
    interrupted: bool,
    owners: &Owners,
) -> u8 {
    let concluded = match conclusion(inputs, run) {
        Ok(concluded) => concluded,
        Err(error) => {
            complain(&error, None);
            return INVALID;
        }
    };
    let mut code = finish(inputs, &concluded, interrupted, owners);
    if let Some(fixture) = fixture.filter(|_| code != INTERRUPTED)
        && let Err(error) = record(inputs, images, run, &fixture, &concluded)
    {
        complain(&format!("the fixture was not saved: {error}"), None);
        code = INVALID;
    }
    // `run.json` says last that there is a verdict, so that one which is not whole is never taken for one.
    let noted = concluded.write(run).map_err(|error| error.to_string()).and_then(|()| {
        let mut meta = run.read_meta().map_err(|error| error.to_string())?;
        meta.outcome = Some(concluded.verdict.outcome.word().into());
        meta.exit = Some(code.into());
        run.write_meta(&meta).map_err(|error| error.to_string())
    });
    if let Err(error) = noted {
        complain(&format!("{}: {error}", run.path().display()), None);
        return INVALID;
    }
    code
}

/// Where the recording is to go, where one is asked for. What can't be recorded is told before the run.
fn place_of_recording(args: &RunArgs, inputs: &Inputs) -> Result<Option<PathBuf>, ()> {
    let Some(named) = &args.record else { return Ok(None) };
    if args.repeat.is_some_and(|repeat| repeat < inputs.plan.repeat) {
        let text =
            format!("the plan asks for {} repeats, so fewer make no recording of it", inputs.plan.repeat);
        complain(&text, Some("leave --repeat out"));
        return Err(());
    }
    let Some(folder) = named.clone().or_else(|| default_fixture(&args.plan)) else {
        complain(&"there is no folder `fixtures` above the plan", Some("name one with --record DIR"));
        return Err(());
    };
    may_hold_recording(&folder).map_err(|error| complain(&error, None))?;
    Ok(Some(folder))
}

fn conclusion(inputs: &Inputs, run: &RunDir) -> Result<Conclusion, Box<dyn std::error::Error>> {
    let meta = run.read_meta()?;
    let logs =
        meta.attempts.iter().map(|attempt| run.read_log(attempt.number)).collect::<Result<Vec<_>, _>>()?;
    let attempts = observe_attempts(run, &meta.attempts, logs);
    let repeats = meta.repeat_option.unwrap_or(inputs.plan.repeat);
    Ok(conclude(&inputs.plan, &inputs.manifest, attempts, repeats))
}

/// Saves the run as a fixture, once its replay has come to the very same.
fn record(
    inputs: &Inputs,
    images: &crate::plan::Images,
    run: &RunDir,
    fixture: &Path,
    concluded: &Conclusion,
) -> Result<(), Box<dyn std::error::Error>> {
    let prepared = prepare(run, fixture)?;
    let (again, _) = replay(inputs, images, &prepared.recording())?;
    if !again.same_as(concluded)? {
        return Err(
            format!("its replay differs from the run, which is kept in {}", run.path().display()).into()
        );
    }
    prepared.keep()?;
    told(&format!("recorded: {}", fixture.display()));
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
