//! The flash agent: writes firmware through a debug probe, by probe-rs, and lets it run.
//!
//! probe-rs can wait for a silent probe for ever, so its work is done on a thread of its own while the agent watches
//! the deadline: what is then told says what was under way. The stuck thread ends with the agent's process. The agent
//! never erases more than the image needs and never unlocks a protected chip.

mod chip;
mod faults;
mod image;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lab_protocol::{Action, Event, Fault, ImageFormat, Reply, binding};
use serde_json::Value;

use crate::{Agent, Call, Outlet};

/// How often a wait looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Makes the agent; the probe is first touched by a command.
///
/// # Errors
/// If the binding is none for this agent.
pub fn start(binding: Value, outlet: &Outlet) -> Result<Box<dyn Agent>, Fault> {
    let binding: binding::Flash = serde_json::from_value(binding)
        .map_err(|error| Fault::bench("binding-invalid", format!("the bench's board: {error}")))?;
    Ok(Box::new(FlashAgent { binding, outlet: outlet.clone(), stuck: None }))
}

struct FlashAgent {
    binding: binding::Flash,
    outlet: Outlet,
    /// A thread that never came back holds the probe; what it was doing.
    stuck: Option<String>,
}

/// What a thread is to do.
enum Work {
    Flash { bytes: Vec<u8>, format: ImageFormat, verify: bool },
    Reset,
}

impl Agent for FlashAgent {
    fn call(&mut self, call: &Call<'_>) -> Result<Reply, Fault> {
        let work = match call.action {
            Action::Flash { image, format, verify } => {
                Work::Flash { bytes: call.blob(image)?.to_vec(), format: *format, verify: *verify }
            }
            Action::Reset => Work::Reset,
            _ => return Err(call.unknown()),
        };
        if let Some(doing) = &self.stuck {
            return Err(faults::silent(&self.binding.probe, doing, None));
        }
        let progress = Progress::new(self.outlet.clone(), call.id);
        let (done, result) = mpsc::channel();
        let (binding, report) = (self.binding.clone(), progress.clone());
        std::thread::Builder::new()
            .name("probe".to_owned())
            .spawn(move || {
                let _ = done.send(work.carry_out(&binding, &report));
            })
            .map_err(|error| Fault::bench("thread-missing", format!("can't start a thread: {error}")))?;
        let began = Instant::now();
        loop {
            match result.recv_timeout(call.left(CANCEL_POLL)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(faults::crashed(&self.binding.probe, &progress.doing()));
                }
                Err(RecvTimeoutError::Timeout) if call.cancel.is_set() || Instant::now() >= call.deadline => {
                    let doing = progress.doing();
                    self.stuck = Some(doing.clone());
                    return Err(faults::silent(&self.binding.probe, &doing, Some(began.elapsed())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Work {
    fn carry_out(self, binding: &binding::Flash, progress: &Progress) -> Result<Reply, Fault> {
        progress.begin("connect", 0);
        let mut session = chip::attach(binding)?;
        match self {
            Self::Flash { bytes, format, verify } => {
                let written = image::write(&mut session, binding, &bytes, format, verify, progress)?;
                progress.begin("reset", 0);
                chip::reset(&mut session, binding)?;
                Ok(Reply::Flashed { bytes: bytes.len() as u64, written })
            }
            Self::Reset => {
                progress.begin("reset", 0);
                chip::reset(&mut session, binding)?;
                Ok(Reply::Ok)
            }
        }
    }
}

/// How often progress is told within a stage. More often, telling it slows the work that it tells of: an emulator and a
/// network probe want the processor too.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Tells how far the work is: when a stage begins, now and then while it lasts, and when all of it is done.
#[derive(Clone)]
struct Progress {
    outlet: Outlet,
    id: u64,
    state: Arc<Mutex<Stage>>,
}

#[derive(Default)]
struct Stage {
    what: &'static str,
    done: u64,
    total: u64,
    told: Option<Instant>,
    /// Sizes of stages that will come.
    announced: Vec<(&'static str, u64)>,
}

impl Progress {
    fn new(outlet: Outlet, id: u64) -> Self {
        Self { outlet, id, state: Arc::default() }
    }

    /// A stage begins; `total` bytes, 0 where unknown.
    fn begin(&self, what: &'static str, total: u64) {
        let mut stage = self.lock();
        *stage = Stage {
            what,
            total,
            told: Some(Instant::now()),
            announced: std::mem::take(&mut stage.announced),
            ..Stage::default()
        };
        drop(stage);
        self.tell(what, 0, total);
    }

    /// A stage of `total` bytes will come.
    fn announce(&self, what: &'static str, total: u64) {
        self.lock().announced.push((what, total));
    }

    /// A stage begins that was announced.
    fn begin_announced(&self, what: &'static str) {
        let total = self.lock().announced.iter().filter(|(of, _)| *of == what).map(|(_, total)| total).sum();
        self.begin(what, total);
    }

    /// More of the stage is done, in bytes.
    fn advance(&self, bytes: u64) {
        let mut stage = self.lock();
        stage.done += bytes;
        if stage.done == stage.total || stage.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            stage.told = Some(Instant::now());
            let (what, done, total) = (stage.what, stage.done, stage.total);
            drop(stage);
            self.tell(what, done, total);
        }
    }

    /// What is under way, for a person.
    fn doing(&self) -> String {
        let stage = self.lock();
        match stage.total {
            0 => stage.what.to_owned(),
            total => format!("{}, {} of {total} bytes done", stage.what, stage.done),
        }
    }

    fn tell(&self, what: &str, done: u64, total: u64) {
        self.outlet.event(Some(self.id), Event::Progress { what: what.to_owned(), done, total });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
