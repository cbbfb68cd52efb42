//! The engine: carries a plan out on a bench, one command after another, and hands every command and event on in order.
//!
//! It reads no clock and draws no random number: time comes with the events. So the same plan on a recorded bench goes
//! the same way, command by command. It knows neither hardware nor whether there is any, and it judges nothing.

mod action;
mod attempt;

pub use attempt::{Attempt, End, Options};

/// Whether a step of the plan has this id or label.
pub fn has_step(plan: &crate::plan::Plan, name: &str) -> bool {
    let mut steps = plan.phases.iter().flat_map(|phase| &phase.steps);
    steps.any(|step| step.id.as_deref() == Some(name) || action::label(step) == name)
}

/// Why an attempt can't be carried out at all. Whatever the bench or the product does wrong is an event instead.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The bench can't go on.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
    /// The log can't be written.
    #[error("the event log can't be written: {0}")]
    Log(#[from] std::io::Error),
}
