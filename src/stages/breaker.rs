//! When to stop calling a module that keeps failing.
//!
//! Invariant: failures (those that cost the instance: traps, timeouts, memory) and making the
//! instances that replace the lost ones take at most a tenth of a worker's time over any longer
//! period, plus [`DEBT_MAX`] timeouts at once; so a broken module cannot slow the pipeline down.
//! Each adds what it cost to a debt that shrinks by a tenth of the time that passes. When the debt
//! is too large the breaker opens: the stage's `on_error` applies without a call. After a backoff
//! one event probes; the backoff doubles from opening to opening, and is reset once the debt is
//! paid.
//!
//! An error that `process` answers costs no instance, and may be right for the event. So errors
//! open the breaker only when [`ERRORS_MAX`] calls in a row answered nothing else: a module that
//! fails on one kind of event only, and copes with any other in between, is called for ever. A
//! probe that answers an error does not close the breaker.

use std::time::{Duration, Instant};

use crate::backoff::{Backoff, Jitter};

/// The breaker opens at this many timeouts of debt: three calls that loop for ever.
const DEBT_MAX: u32 = 3;
/// A failure costs at least this part of a timeout, so fifteen traps in a row open it too.
const FAILURE_SHARE_MIN: u32 = 5;
/// The share of time that failures may take for good: one part in this many.
const PAY_BACK: u32 = 10;
/// Errors in a row that open it. Many more than are likely to come in a row about one kind of
/// object.
const ERRORS_MAX: u32 = 1_000;
/// How long it stays open the first time, and at most.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60), jitter: Jitter::None };

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
    /// When the debt was last brought up to date.
    reckoned: Option<Instant>,
    /// Since the debt was last paid.
    openings: u32,
    errors_in_a_row: u32,
    /// While open: when the next event probes.
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(timeout: Duration) -> Breaker {
        Breaker {
            timeout,
            debt: Duration::ZERO,
            reckoned: None,
            openings: 0,
            errors_in_a_row: 0,
            open_until: None,
        }
    }

    /// Whether calls are made without asking [`Breaker::admits`], which needs a clock.
    pub(super) fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }

    /// Whether this event may be called: always while closed, and the one that probes.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until)
    }

    /// A call answered ok while the breaker is closed. Needs no clock: most calls end here.
    pub(super) fn answered(&mut self) {
        self.errors_in_a_row = 0;
    }

    /// A probe succeeded: calls are made again. The debt stays, and time pays it off.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.errors_in_a_row = 0;
        if self.open_until.take().is_some() {
            self.reckoned = Some(now);
        }
    }

    /// A call answered an error.
    pub(super) fn errored(&mut self, now: Instant) -> Changed {
        self.errors_in_a_row += 1;
        if self.open_until.is_some() {
            return self.open(now); // The probe failed.
        }
        if self.errors_in_a_row < ERRORS_MAX {
            return Changed::Nothing;
        }
        self.pay_back(now);
        self.open(now)
    }

    /// An instance was made in place of one that was lost. It opens nothing, but leaves less for
    /// failures.
    pub(super) fn replaced(&mut self, cost: Duration, now: Instant) {
        if self.open_until.is_none() {
            self.pay_back(now);
            self.debt += cost;
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
        self.openings = self.openings.saturating_add(1);
        let wait = BACKOFF.longest(self.openings);
        self.debt = self.timeout * DEBT_MAX;
        self.errors_in_a_row = 0;
        self.open_until = Some(now + wait);
        Changed::Opened(wait)
    }

    fn pay_back(&mut self, now: Instant) {
        let passed = self
            .reckoned
            .replace(now)
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.debt = self.debt.saturating_sub(passed / PAY_BACK);
        if self.debt.is_zero() {
            self.openings = 0;
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
    fn only_errors_without_anything_else_open_it() {
        let (mut breaker, now) = (Breaker::new(TIMEOUT), Instant::now());
        for _ in 0..3 {
            assert!((1..ERRORS_MAX).all(|_| breaker.errored(now) == Changed::Nothing));
            breaker.answered();
        }
        assert!((1..ERRORS_MAX).all(|_| breaker.errored(now) == Changed::Nothing));
        assert_eq!(breaker.errored(now), Changed::Opened(Duration::from_secs(1)));
    }

    #[test]
    fn a_probe_that_answers_an_error_keeps_it_open() {
        let (mut breaker, now) = (Breaker::new(TIMEOUT), Instant::now());
        breaker.open(now);
        assert_eq!(breaker.errored(now + BACKOFF.first), Changed::Opened(BACKOFF.first * 2));
        assert!(!breaker.is_closed());
    }

    #[test]
    fn what_instances_cost_to_make_counts_too() {
        let (mut breaker, now) = (Breaker::new(TIMEOUT), Instant::now());
        breaker.failed(TIMEOUT, now);
        breaker.replaced(TIMEOUT, now);
        assert!(breaker.is_closed());
        assert_ne!(breaker.failed(TIMEOUT, now), Changed::Nothing);
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
            steps in prop::collection::vec((0u64..2_000, 0u64..70, 0u64..70, any::<bool>()), 1..300),
        ) {
            let (mut breaker, start) = (Breaker::new(TIMEOUT), Instant::now());
            let (mut now, mut lost, mut is_lost) = (start, Duration::ZERO, false);
            for (gap_ms, cost_ms, start_ms, fails) in steps {
                now += Duration::from_millis(gap_ms);
                if !breaker.admits(now) {
                    continue;
                }
                if std::mem::take(&mut is_lost) {
                    let cost = Duration::from_millis(start_ms);
                    now += cost;
                    lost += cost;
                    breaker.replaced(cost, now);
                }
                is_lost = fails;
                if fails {
                    let cost = Duration::from_millis(cost_ms);
                    now += cost;
                    lost += cost;
                    breaker.failed(cost, now);
                } else {
                    breaker.succeeded(now);
                }
                // Each time it opens, the last failure may go beyond the debt by its own cost and
                // its instance's.
                let bound = TIMEOUT * DEBT_MAX + Duration::from_millis(280) + (now - start) / PAY_BACK;
                prop_assert!(lost <= bound, "{lost:?} lost of {:?}", now - start);
            }
        }
    }
}
