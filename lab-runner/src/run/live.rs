//! A live run: attempt after attempt on the bench, each with its log and captures in the run directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use lab_protocol::{Fault, Incoming, clock};

use super::short_name;
use crate::bench::file::{BenchFile, BenchKind};
use crate::bench::{AgentProcesses, Begin, LiveBench, VirtualBench};
use crate::engine::{Attempt, End, EngineError, Options};
use crate::plan::Images;
use crate::plan::Inputs;
use crate::record::Watcher;
use crate::record::{AttemptFiles, AttemptMeta, EventLog, FORMAT, FileMeta, RunDir, RunMeta};

/// How to run.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Where run directories go.
    pub runs: PathBuf,
    /// How often to carry the plan out, in place of the plan's own `repeat`.
    pub repeat: Option<u32>,
    /// End after this step.
    pub until: Option<String>,
    /// Leave the bench up at the end until the person interrupts.
    pub keep: bool,
}

/// Why a run couldn't be made at all.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The run directory.
    #[error("{}: {error}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// This executable can't be found again.
    #[error("the lab can't find its own executable to start agents: {0}")]
    Executable(io::Error),
}

/// The person's Ctrl-C on its way to the attempt that runs at the moment.
#[derive(Debug, Default)]
pub struct Interrupt {
    state: Mutex<(bool, Option<Sender<Incoming>>)>,
    told: std::sync::Condvar,
}

impl Interrupt {
    /// The person wants to stop.
    pub fn set(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        if let Some(inbox) = &state.1 {
            // An attempt that is over needs no telling.
            let _ = inbox.send(Incoming::Interrupted);
        }
        self.told.notify_all();
    }

    /// Whether the person wants to stop.
    pub fn is_set(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until the person has seen enough. The run itself is over by then and is not interrupted by it.
    fn wait(&self) {
        self.goes_to(None);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.told.wait_while(state, |state| !state.0).unwrap_or_else(PoisonError::into_inner);
        state.0 = false;
    }

    fn goes_to(&self, inbox: Option<Sender<Incoming>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(inbox)) = (state.0, &inbox) {
            let _ = inbox.send(Incoming::Interrupted);
        }
        state.1 = inbox;
    }
}

/// Makes the run's directory, then carries the plan out. `began` is told the directory before the first attempt.
///
/// # Errors
/// Only where no run can be made; everything that goes wrong on the bench is in the logs.
pub fn live(
    inputs: &Inputs,
    bench: &BenchFile,
    images: &Images,
    options: &LiveOptions,
    progress: &mut dyn Watcher,
    interrupt: &Interrupt,
    began: impl FnOnce(&RunDir),
) -> Result<RunDir, LiveError> {
    let lab = std::env::current_exe().map_err(LiveError::Executable)?;
    let name = short_name(&inputs.plan.file);
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error| LiveError::Directory { path, error }
    };
    let run = RunDir::create(&options.runs, &name, clock::wall_ns() / 1_000_000_000)
        .map_err(refused(&options.runs))?;
    let mut meta = meta(inputs, bench, images, options);
    run.write_meta(&meta).map_err(refused(run.path()))?;
    began(&run);

    let span = tracing::info_span!("run", plan = %name);
    let _entered = span.enter();
    let repeats = options.repeat.unwrap_or(inputs.plan.repeat);
    let mut number = 0;
    'run: for repeat in 1..=repeats {
        let mut tries = 0;
        loop {
            number += 1;
            let attempt = OneAttempt { inputs, bench, images, options, lab: &lab, run: &run, number, repeat };
            let end = match attempt.carry_out(progress, interrupt) {
                // What is on the disk still counts, and what isn't is missed by the judge.
                Err(LiveError::Engine(EngineError::Log(error))) => {
                    tracing::error!(%error, "the event log can't be written");
                    meta.attempts.push(AttemptMeta {
                        number,
                        repeat,
                        retried: false,
                        end: error.to_string(),
                    });
                    break 'run;
                }
                other => other?,
            };
            let again = end.asks_for_another(tries) && !interrupt.is_set();
            meta.attempts.push(AttemptMeta { number, repeat, retried: again, end: describe(&end) });
            run.write_meta(&meta).map_err(refused(run.path()))?;
            if end == End::Interrupted || interrupt.is_set() {
                break 'run;
            }
            if !again {
                break;
            }
            tries += 1;
        }
    }
    Ok(run)
}

fn describe(end: &End) -> String {
    match end {
        End::Complete => "complete".into(),
        End::Fault { step, fault, .. } => format!("{step}: {fault}"),
        End::Until => "ended where it was told to".into(),
        End::Interrupted => "interrupted".into(),
    }
}

fn meta(inputs: &Inputs, bench: &BenchFile, images: &Images, options: &LiveOptions) -> RunMeta {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = |path: &Path, text: &str| FileMeta::new(&absolute(path), text.as_bytes());
    RunMeta {
        format: FORMAT,
        lab: env!("CARGO_PKG_VERSION").into(),
        os: Some(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        name: inputs.plan.name.clone(),
        bench_kind: kind_word(bench.kind).into(),
        plan: file(&inputs.plan.file, &inputs.plan.source),
        manifest: file(&inputs.manifest.file, &inputs.manifest.source),
        profiles: inputs
            .manifest
            .ambient
            .iter()
            .map(|profile| file(&profile.file, &profile.source))
            .collect(),
        bench: Some(file(&bench.file, &bench.source)),
        images: images.iter().map(|(path, image)| FileMeta::new(Path::new(path), &image.bytes)).collect(),
        repeat_option: options.repeat,
        until: options.until.clone(),
        attempts: Vec::new(),
        outcome: None,
        exit: None,
    }
}

fn kind_word(kind: BenchKind) -> &'static str {
    match kind {
        BenchKind::Virtual => "virtual",
        BenchKind::Real => "real",
    }
}

struct OneAttempt<'a> {
    inputs: &'a Inputs,
    bench: &'a BenchFile,
    images: &'a Images,
    options: &'a LiveOptions,
    lab: &'a Path,
    run: &'a RunDir,
    number: u32,
    repeat: u32,
}

impl OneAttempt<'_> {
    fn carry_out(&self, progress: &mut dyn Watcher, interrupt: &Interrupt) -> Result<End, LiveError> {
        let span = tracing::info_span!("attempt", number = self.number, repeat = self.repeat);
        let _entered = span.enter();
        let refused = |error| LiveError::Directory { path: self.run.attempt(self.number), error };
        let folder = self.run.create_attempt(self.number).map_err(refused)?;
        let mut log = EventLog::create(&folder.join("events.jsonl")).map_err(refused)?;

        let lab_log = self.run.path().join("lab.log");
        // The virtual hardware is switched on anew for every attempt, as one would power-cycle a desk.
        let mut hardware = None;
        let mut fault = None;
        let resources = match self.bench.kind {
            BenchKind::Real => self.bench.resources.clone(),
            BenchKind::Virtual => match VirtualBench::start(self.bench, self.lab, &lab_log) {
                Ok((desk, resources)) => {
                    hardware = Some(desk);
                    resources
                }
                Err(error) => {
                    fault = Some(Fault::bench("virtual-bench", error.to_string()));
                    Default::default()
                }
            },
        };
        let begin = Begin {
            attempt: self.number,
            repeat: self.repeat,
            kind: kind_word(self.bench.kind),
            resources: resources.clone(),
            folder: self.bench.file.parent().unwrap_or(Path::new("")).to_owned(),
            images: self.images,
            files: AttemptFiles::new(&folder),
        };
        let mut bench = LiveBench::new(begin, Box::new(AgentProcesses { lab: self.lab, log: lab_log }));
        if let Some(fault) = fault {
            bench.broken(fault);
        }
        if let Some(hardware) = &mut hardware {
            hardware.watch(bench.inbox()).map_err(refused)?;
        }
        interrupt.goes_to(Some(bench.inbox()));

        let hold = || {
            if self.options.keep && !interrupt.is_set() {
                eprintln!("The bench stays up until you press Ctrl-C. It has:");
                eprintln!("{}", serde_json::to_string_pretty(&resources).unwrap_or_default());
                interrupt.wait();
            }
        };
        let options = Options { until: self.options.until.clone() };
        let attempt =
            Attempt::new(&self.inputs.plan, self.images, &mut bench, vec![&mut log, progress], options);
        let end = attempt.run(hold);
        interrupt.goes_to(None);
        drop(bench);
        drop(hardware);
        Ok(end?)
    }
}
