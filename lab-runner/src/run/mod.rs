//! A run from beginning to end: live on a bench, or again from its recording; then the same conclusion from either.
//!
//! Everything after the event log is in `conclude`, which can't tell where the log came from.

mod conclude;
#[cfg(feature = "hardware")]
mod live;
mod reopen;
mod replay;

pub use conclude::{Conclusion, conclude, observe_attempts};
#[cfg(feature = "hardware")]
pub use live::{Interrupt, LiveError, LiveOptions, live};
pub use reopen::{ReopenError, verdict_of};
pub use replay::{ReplayError, replay};

/// Name of a run's folder and of what stands for the plan in it: the plan's folder, and its own name where that isn't
/// `plan`.
pub fn short_name(plan: &std::path::Path) -> String {
    let plain = |text: &std::ffi::OsStr| -> String {
        let text = text.to_string_lossy();
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect()
    };
    let absolute = std::path::absolute(plan).unwrap_or_else(|_| plan.to_owned());
    let folder = absolute.parent().and_then(std::path::Path::file_name).map(plain);
    match (folder, absolute.file_stem().map(plain)) {
        (Some(folder), Some(stem)) if stem != "plan" => format!("{folder}.{stem}"),
        (Some(folder), _) => folder,
        (None, stem) => stem.unwrap_or_else(|| "plan".into()),
    }
}
