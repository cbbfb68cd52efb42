//! What a plan is carried out on: the desk's hardware, live; or a recording of it. To the engine they are one [`Bench`].
//!
//! The bench file's type stands in `file`; a live bench is made from it in `live`, with the virtual bench described by
//! itself in the same shape. Nothing here knows what a plan's steps mean or what a verdict is.

#[cfg(feature = "hardware")]
mod bindings;
pub mod file;
mod file_read;
#[cfg(feature = "hardware")]
mod live;
#[cfg(feature = "hardware")]
mod processes;
mod recorded;

pub use file_read::schema;
#[cfg(feature = "hardware")]
pub use live::{Begin, LiveBench, Spawner};
#[cfg(feature = "hardware")]
pub use processes::{AgentProcesses, VirtualBench, VirtualBenchError};
pub use recorded::RecordedBench;

use lab_protocol::{Command, Event, Source};

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
