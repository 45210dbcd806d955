//! Simulated time: microseconds since the run began, and the instants that production code wants.

use std::time::{Duration, Instant};

/// Microseconds since the run began.
pub(super) type Time = u64;

pub(super) const MILLISECOND: Time = 1_000;
pub(super) const SECOND: Time = 1_000_000;
/// Later than everything.
pub(super) const NEVER: Time = u64::MAX;

/// What the clocks on the walls show, in µs since the epoch: a run begins ten seconds before
/// midnight.
pub(super) fn wall(time: Time) -> i64 {
    1_709_251_190_000_000 + time as i64
}

/// Turns simulated time into instants and back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    base: Instant,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { base: Instant::now() }
    }

    pub(super) fn at(self, time: Time) -> Instant {
        self.base + Duration::from_micros(time)
    }

    /// When an instant is, rounded up; `None` is never.
    pub(super) fn time_of(self, at: Option<Instant>) -> Time {
        at.map_or(NEVER, |at| {
            at.saturating_duration_since(self.base).as_nanos().div_ceil(1_000) as Time
        })
    }
}
