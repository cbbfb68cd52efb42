//! Everything that touches the world, an agent a module, each behind a feature of its name.
//!
//! An agent turns commands of `lab-protocol` into calls of one library and reports what happened as events. It knows
//! its own resource of the bench and nothing of plans, verdicts, other agents or of what kind of bench it serves.

#[cfg(feature = "ble")]
pub mod ble;
#[cfg(any(feature = "network", feature = "capture"))]
pub mod canary;
#[cfg(feature = "capture")]
pub mod capture;
pub mod carrier;
#[cfg(feature = "companion")]
pub mod companion;
#[cfg(any(feature = "companion", feature = "network"))]
mod confine;
#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "flash")]
pub mod flash;
#[cfg(any(feature = "ble", feature = "console", feature = "companion", feature = "network"))]
pub mod lines;
#[cfg(any(feature = "capture", feature = "companion"))]
pub mod namespaces;
#[cfg(feature = "network")]
pub mod network;
pub mod serve;

pub use serve::{Agent, Call, Cancel, Outlet, Start, mono_ns, serve};
