//! Time in a run: nanoseconds on the monotonic clock since the attempt began.
//!
//! Agents stamp what they see with `CLOCK_MONOTONIC`, so that a step of the wall clock moves nothing into another
//! phase. The wall clock stands beside it, as a pair, only to tell a person when it was.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One moment read on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPair {
    /// Nanoseconds since the attempt's [`Epoch`].
    pub mono_ns: u64,
    /// Unix time in nanoseconds.
    pub wall_ns: u64,
}

/// The moment from which an attempt counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Reading of `CLOCK_MONOTONIC`, in nanoseconds. Means nothing on another host.
    pub mono_ns: u64,
    /// Unix time in nanoseconds at that moment.
    pub wall_ns: u64,
}

impl Epoch {
    /// The moment on the steady wall clock of this attempt: the epoch's wall time plus monotonic time since. Packets
    /// are stamped with it.
    pub fn steady_wall_ns(&self, since_epoch_ns: u64) -> u64 {
        self.wall_ns.saturating_add(since_epoch_ns)
    }

    /// Nanoseconds since the epoch for a reading of `CLOCK_MONOTONIC`.
    pub fn since(&self, mono_ns: u64) -> u64 {
        mono_ns.saturating_sub(self.mono_ns)
    }
}

/// Unix time in nanoseconds.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
