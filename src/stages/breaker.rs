//! When to stop calling a module that keeps failing.
//!
//! Invariant: failures (those that cost the instance: traps, timeouts, memory) take at most a tenth of a
//! worker's time over any longer period, plus [`DEBT_MAX`] timeouts at once; so a broken module cannot slow the
//! pipeline down. Each failure adds what it cost to a debt that shrinks by a tenth of the time that passes. When
//! the debt is too large the breaker opens: the stage's `on_error` applies without a call. After a backoff one
//! event probes; the backoff doubles from opening to opening, and starts over once the debt is paid.

use std::time::{Duration, Instant};

/// The breaker opens at this many timeouts of debt: three calls that loop for ever.
const DEBT_MAX: u32 = 3;
/// A failure costs at least this part of a timeout, so fifteen traps in a row open it too.
const FAILURE_SHARE_MIN: u32 = 5;
/// The share of time that failures may take for good: one part in this many.
const PAY_BACK: u32 = 10;
/// How long it stays open the first time, and at most.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What a failure changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// Nothing: the next event is called.
    Nothing,
    /// No call is made for this long.
    Opened(Duration),
}

#[derive(Debug)]
pub(super) struct Breaker {
    timeout: Duration,
    debt: Duration,
    /// When the debt was last reckoned.
    reckoned: Option<Instant>,
    backoff: Duration,
    /// While open: when the next event probes.
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(timeout: Duration) -> Breaker {
        Breaker { timeout, debt: Duration::ZERO, reckoned: None, backoff: BACKOFF_MIN, open_until: None }
    }

    /// Whether calls are made without asking [`Breaker::admits`], which needs a clock.
    pub(super) fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }

    /// Whether this event may be called: always while closed, and the one that probes.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until)
    }

    /// A probe did well: calls are made again. The debt stays, and is paid with time.
    pub(super) fn succeeded(&mut self, now: Instant) {
        if self.open_until.take().is_some() {
            self.reckoned = Some(now);
        }
    }

    /// A call cost its instance, and `cost` of time.
    pub(super) fn failed(&mut self, cost: Duration, now: Instant) -> Changed {
        if self.open_until.is_some() {
            return self.open(now); // The probe failed.
        }
        self.pay_back(now);
        self.debt += cost.max(self.timeout / FAILURE_SHARE_MIN);
        if self.debt >= self.timeout * DEBT_MAX { self.open(now) } else { Changed::Nothing }
    }

    /// No instance can be made at all.
    pub(super) fn open(&mut self, now: Instant) -> Changed {
        let wait = self.backoff;
        self.debt = self.timeout * DEBT_MAX;
        self.backoff = (wait * 2).min(BACKOFF_MAX);
        self.open_until = Some(now + wait);
        Changed::Opened(wait)
    }

    fn pay_back(&mut self, now: Instant) {
        let passed =
            self.reckoned.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.debt = self.debt.saturating_sub(passed / PAY_BACK);
        if self.debt.is_zero() {
            self.backoff = BACKOFF_MIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_millis(50);

    fn failures_until_open(cost: Duration, every: Duration) -> Option<u32> {
        let (mut breaker, start) = (Breaker::new(TIMEOUT), Instant::now());
        (1..1_000).find(|n| breaker.failed(cost, start + every * *n) != Changed::Nothing)
    }

    #[test]
    fn three_timeouts_or_fifteen_traps_in_a_row_open_it() {
        assert_eq!(failures_until_open(TIMEOUT, Duration::ZERO), Some(3));
        assert_eq!(failures_until_open(Duration::ZERO, Duration::ZERO), Some(15));
    }

    #[test]
    fn rare_failures_never_open_it() {
        assert_eq!(failures_until_open(TIMEOUT, TIMEOUT * 10), None);
        assert_eq!(failures_until_open(Duration::ZERO, Duration::from_millis(100)), None);
    }

    #[test]
    fn the_backoff_doubles_to_a_minute_and_one_event_probes_each_time() {
        let (mut breaker, mut now) = (Breaker::new(TIMEOUT), Instant::now());
        let mut waits = Vec::new();
        let mut changed = breaker.open(now);
        while let Changed::Opened(wait) = changed {
            waits.push(wait.as_secs());
            if waits.len() == 8 {
                break;
            }
            assert!(!breaker.admits(now + wait - Duration::from_millis(1)));
            now += wait;
            assert!(breaker.admits(now));
            changed = breaker.failed(TIMEOUT, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn after_a_good_probe_a_failure_opens_it_at_once_until_the_debt_is_paid() {
        let (mut breaker, mut now) = (Breaker::new(TIMEOUT), Instant::now());
        breaker.open(now);
        now += Duration::from_secs(1);
        breaker.succeeded(now);
        assert!(breaker.is_closed());
        assert_eq!(breaker.failed(TIMEOUT, now), Changed::Opened(Duration::from_secs(2)));
        now += Duration::from_secs(2);
        breaker.succeeded(now);
        now += TIMEOUT * DEBT_MAX * PAY_BACK;
        assert_eq!(breaker.failed(TIMEOUT, now), Changed::Nothing);
        assert_eq!(breaker.open(now), Changed::Opened(Duration::from_secs(1)));
    }

    proptest! {
        /// A module that fails every call that it gets, for any times between events.
        #[test]
        fn failures_take_a_bounded_share_of_the_time(
            steps in prop::collection::vec((0u64..2_000, 0u64..70, any::<bool>()), 1..300),
        ) {
            let (mut breaker, start) = (Breaker::new(TIMEOUT), Instant::now());
            let (mut now, mut lost) = (start, Duration::ZERO);
            for (gap_ms, cost_ms, fails) in steps {
                now += Duration::from_millis(gap_ms);
                if !breaker.admits(now) {
                    continue;
                }
                if fails {
                    let cost = Duration::from_millis(cost_ms);
                    now += cost;
                    lost += cost;
                    breaker.failed(cost, now);
                } else {
                    breaker.succeeded(now);
                }
                // The last failure may go beyond the debt by its own cost, once an opening.
                let bound = TIMEOUT * DEBT_MAX + Duration::from_millis(140) + (now - start) / PAY_BACK;
                prop_assert!(lost <= bound, "{lost:?} lost of {:?}", now - start);
            }
        }
    }
}
