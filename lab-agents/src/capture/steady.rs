//! Packets' times on a steady clock. The kernel stamps packets with the wall clock, which may be stepped in the middle
//! of a run; here each stamp is turned into monotonic time, by the distance between both clocks when it was read.

use lab_protocol::{Epoch, clock::wall_ns};

use crate::mono_ns;

/// What two readings of the distance between the clocks may differ by before it counts as a step, in nanoseconds.
const STEP: i64 = 1_000_000;
/// Smaller differences than this are the reading's own inaccuracy and leave the distance as it is, in nanoseconds; a
/// clock that is slewed (at most 500 ppm, adjtimex(2)) is followed in steps of this size.
const NOISE: i64 = 100_000;
/// How often the clocks are read for the tightest of the readings.
const TRIES: u32 = 8;

/// Turns stamps of the wall clock into the attempt's steady time.
#[derive(Debug)]
pub(super) struct SteadyClock {
    epoch: Epoch,
    /// Wall clock minus monotonic clock.
    distance: i64,
    /// The distance before the last step, while packets stamped before it may still come.
    before_step: Option<i64>,
    /// Monotonic time of the reading before the last.
    previous: u64,
    /// Monotonic time of the last reading.
    last: u64,
}

impl SteadyClock {
    pub(super) fn new(epoch: Epoch) -> Self {
        let Reading { mono, distance, .. } = read();
        Self { epoch, distance, before_step: None, previous: mono, last: mono }
    }

    /// Reads both clocks anew; to be called before each batch of packets is converted.
    pub(super) fn refresh(&mut self) {
        let Reading { mono, distance, doubt } = read();
        let changed = (distance - self.distance).unsigned_abs() > NOISE.unsigned_abs() + doubt;
        self.observe(mono, if changed { distance } else { self.distance });
    }

    fn observe(&mut self, mono: u64, distance: i64) {
        self.previous = self.last;
        self.last = mono;
        if (distance - self.distance).abs() > STEP {
            self.before_step = Some(self.distance);
        } else if self.previous + 1_000_000_000 < mono {
            self.before_step = None;
        }
        self.distance = distance;
    }

    /// The packet's time: Unix time in nanoseconds, counted steadily from the epoch.
    pub(super) fn steady_wall_ns(&self, stamp: u64) -> u64 {
        self.epoch.steady_wall_ns(self.epoch.since(self.monotonic(stamp)))
    }

    fn monotonic(&self, stamp: u64) -> u64 {
        let by = |distance: i64| stamp.wrapping_sub_signed(distance);
        let now = by(self.distance);
        // A packet can't come from the future, nor from long before the last reading: then it was stamped before a
        // step of the wall clock.
        let earliest = self.previous.saturating_sub(1_000_000_000);
        let fits = |mono: u64| (earliest..=self.last.saturating_add(1_000_000_000)).contains(&mono);
        match self.before_step.map(by) {
            Some(before) if fits(before) && (!fits(now) || now > self.last) => before,
            _ => now,
        }
    }
}

/// Both clocks, read as one.
struct Reading {
    /// Monotonic time.
    mono: u64,
    /// The wall clock's distance from it.
    distance: i64,
    /// By how much the distance may be wrong.
    doubt: u64,
}

/// Reads the wall clock between two readings of the monotonic one, and keeps the tightest: on a busy machine we may be
/// put aside for milliseconds in between.
fn read() -> Reading {
    let once = || {
        let before = mono_ns();
        let wall = wall_ns();
        let after = mono_ns();
        let doubt = after.saturating_sub(before) / 2;
        let distance = wall.wrapping_sub(before + doubt).cast_signed();
        Reading { mono: after, distance, doubt }
    };
    let mut best = once();
    for _ in 1..TRIES {
        if best.doubt < 1000 {
            break;
        }
        let next = once();
        best = Reading { mono: next.mono, ..if next.doubt < best.doubt { next } else { best } };
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const WALL: u64 = 1_700_000_000 * SECOND;

    fn clock() -> SteadyClock {
        let distance = (WALL - 100 * SECOND) as i64;
        SteadyClock {
            epoch: Epoch { mono_ns: 100 * SECOND, wall_ns: WALL },
            distance,
            before_step: None,
            previous: 100 * SECOND,
            last: 100 * SECOND,
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_moves_no_packet() {
        let mut clock = clock();
        let one = clock.steady_wall_ns(WALL + SECOND);
        assert_eq!(one, WALL + SECOND);
        // An hour forward, at 102 s of monotonic time.
        let stepped = clock.distance + 3600 * SECOND as i64;
        clock.observe(102 * SECOND, stepped);
        assert_eq!(
            clock.steady_wall_ns(WALL + 3600 * SECOND + 2 * SECOND),
            WALL + 2 * SECOND,
            "stamped after"
        );
        assert_eq!(
            clock.steady_wall_ns(WALL + SECOND + SECOND / 2),
            WALL + SECOND + SECOND / 2,
            "stamped before"
        );
        // An hour back again.
        clock.observe(103 * SECOND, stepped - 3600 * SECOND as i64);
        assert_eq!(clock.steady_wall_ns(WALL + 3 * SECOND), WALL + 3 * SECOND);
        let before = WALL + 3600 * SECOND + 2 * SECOND + SECOND / 2;
        assert_eq!(clock.steady_wall_ns(before), WALL + 2 * SECOND + SECOND / 2);
    }
}
