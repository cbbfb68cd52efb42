//! The engine: carries a plan out on a bench, one command after another, and hands every command and event on in order.
//!
//! It reads no clock and draws no random number: time comes with the events. So the same plan on a recorded bench goes
//! the same way, command by command. It knows neither hardware nor whether there is any, and it judges nothing.

mod action;
mod attempt;
mod images;

pub use attempt::{Attempt, End, Options};
pub use images::{Image, ImageError, Images};

/// Whether a step of the plan has this id or label.
pub fn has_step(plan: &crate::plan::Plan, name: &str) -> bool {
    let mut steps = plan.phases.iter().flat_map(|phase| &phase.steps);
    steps.any(|step| step.id.as_deref() == Some(name) || action::label(step) == name)
}

use lab_protocol::{Command, Entry, Event, Source};

/// What the engine drives: a live bench, or a recorded one.
pub trait Bench {
    /// Hands a command out. Answers with the moment at which it went, in nanoseconds since the attempt's epoch.
    ///
    /// # Errors
    /// When the recording has another command here.
    fn send(&mut self, command: &Command) -> Result<u64, BenchError>;

    /// The next thing that happened. It comes in time: the bench ends every command at its deadline with a fault.
    ///
    /// # Errors
    /// When the recording ends here.
    fn next(&mut self) -> Result<Happening, BenchError>;

    /// Asks for the end of a command; its own last event still comes.
    fn cancel(&mut self, id: u64);

    /// The attempt is over. Gives what is left to log, the last of it [`Event::End`].
    ///
    /// # Errors
    /// When the recording goes on or ends here without it.
    fn end(&mut self) -> Result<Vec<Happening>, BenchError>;
}

/// An event with its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When, in nanoseconds since the attempt's epoch.
    pub t: u64,
    /// Who says so.
    pub source: Source,
    /// The command that it belongs to.
    pub id: Option<u64>,
    /// What.
    pub event: Event,
}

/// Why a bench can't go on. A live bench tells its faults as events; these are about recordings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BenchError {
    /// The plan asks for something else than what was recorded.
    #[error("{}", differs(.phase, .step, .wanted, .recorded.as_deref()))]
    Differs {
        /// Phase of the step that differs.
        phase: String,
        /// The step's label.
        step: String,
        /// What the plan asks for now.
        wanted: String,
        /// What was recorded at this place; `None`: the recording is over.
        recorded: Option<String>,
    },
    /// The recording breaks off.
    #[error("the recording ends at entry {seq}, while {while_doing} was under way")]
    CutShort {
        /// Last entry there is.
        seq: u64,
        /// What was under way.
        while_doing: String,
    },
}

fn differs(phase: &str, step: &str, wanted: &str, recorded: Option<&str>) -> String {
    let there =
        recorded.map_or_else(|| "the recording is over there".to_owned(), |r| format!("recorded was {r}"));
    format!("phase {phase:?}, step {step:?} does not match the recording: the plan says {wanted}, {there}")
}

/// Whoever wants to know what happens while it happens: the event log, the progress display.
pub trait Watcher {
    /// One more entry of the log.
    ///
    /// # Errors
    /// When it can't be kept; the attempt ends then, since what isn't logged didn't happen.
    fn saw(&mut self, entry: &Entry) -> std::io::Result<()>;
}

/// Why an attempt can't be carried out at all. Whatever the bench or the product does wrong is an event instead.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The bench can't go on.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The log can't be written.
    #[error("the event log can't be written: {0}")]
    Log(#[from] std::io::Error),
}
