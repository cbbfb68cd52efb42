//! What the engine and its agents say to each other: commands one way, events the other.
//!
//! The protocol is the only way to the world: everything in it can be serialised, so the same messages go to a
//! child process, to an agent in the same process, into the event log, and come back out of a recording. It knows no
//! hardware and opens nothing.
//!
//! How it may change: a field or a variant may be added; none is renamed, removed or given another meaning without a
//! new [`VERSION`]. A hello with another version ends the conversation.

#![forbid(unsafe_code)]

pub mod action;
pub mod binding;
pub mod blob;
pub mod carrier;
pub mod clock;
pub mod event;
pub mod fault;
pub mod log;
pub mod message;
pub mod wire;

pub use action::{Action, AgentKind, Command, ImageFormat, PairingMethod, Source, StepRef};
pub use blob::BlobRef;
pub use carrier::{Carrier, Incoming};
pub use clock::{ClockPair, Epoch};
pub use event::{CanaryWay, Event, NetworkFacts, Reply, Side, Vantage};
pub use fault::{Fault, FaultKind};
pub use log::{Body, Entry};
pub use message::{FromAgent, ToAgent};

/// Version of the protocol and of the event log. Agents and logs of a newer one are refused.
pub const VERSION: u32 = 1;
