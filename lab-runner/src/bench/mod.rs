//! The bench: what this desk has. Its file type stands in `file`; a live bench is made from it in `live`, with the
//! virtual bench described by itself in the same shape.

#[cfg(feature = "hardware")]
mod bindings;
pub mod file;
mod file_read;
#[cfg(feature = "hardware")]
mod live;
#[cfg(feature = "hardware")]
mod processes;

pub use file_read::schema;
#[cfg(feature = "hardware")]
pub use live::{Begin, LiveBench, Spawner};
#[cfg(feature = "hardware")]
pub use processes::{AgentProcesses, VirtualBench, VirtualBenchError};
