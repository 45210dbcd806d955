//! A bound on how often one kind of line is logged. Pure: time is a parameter.
//!
//! Invariants: a line is shown at once when its kind has been quiet for long enough; whatever was
//! left out is counted, and the next line that is shown can say how many; in any period no more
//! lines are shown than `burst` and one for each `interval`.

use std::ops::{AddAssign, Sub};
use std::time::Duration;

/// How many lines may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Lines that may come together; at least 1.
    pub(crate) burst: u32,
    /// After a burst, one line in that time; not zero.
    pub(crate) interval: Duration,
}

/// A moment on some clock: `Instant` of the standard library or of tokio, or a `Duration` since a
/// moment that does not matter.
pub(crate) trait Moment:
    Copy + PartialOrd + AddAssign<Duration> + Sub<Output = Duration>
{
}

impl<T: Copy + PartialOrd + AddAssign<Duration> + Sub<Output = Duration>> Moment for T {}

/// A token bucket for one kind of line, which also counts what it leaves out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimiter<T> {
    rate: Rate,
    tokens: u32,
    /// When the last token was added; `None` before the first line.
    filled: Option<T>,
    suppressed: u64,
}

impl<T: Moment> LogLimiter<T> {
    /// For a kind of line that has been quiet.
    pub(crate) const fn new(rate: Rate) -> LogLimiter<T> {
        LogLimiter { rate, tokens: rate.burst, filled: None, suppressed: 0 }
    }

    /// Whether to show a line now, which is about `count` things that happened. `Some` says how
    /// many things were left out since the last line that was shown; `None` leaves these out.
    pub(crate) fn admit(&mut self, count: u64, now: T) -> Option<u64> {
        self.fill(now);
        if self.tokens == 0 {
            self.suppressed += count;
            return None;
        }
        self.tokens -= 1;
        Some(self.take_suppressed())
    }

    /// How many things were left out and not told yet; they count as told now.
    pub(crate) fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }

    fn fill(&mut self, now: T) {
        let Rate { burst, interval } = self.rate;
        let passed = match self.filled {
            Some(filled) if now > filled => now - filled,
            Some(_) => Duration::ZERO,
            None => Duration::MAX,
        };
        let earned = passed.as_nanos() / interval.as_nanos();
        match (&mut self.filled, u32::try_from(earned)) {
            (Some(filled), Ok(earned)) if earned < burst - self.tokens => {
                self.tokens += earned;
                *filled += interval * earned;
            }
            (filled, _) => (self.tokens, *filled) = (burst, Some(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(burst: u32, interval: Duration) -> LogLimiter<Duration> {
        LogLimiter::new(Rate { burst, interval })
    }

    #[test]
    fn a_burst_is_shown_then_one_line_an_interval_which_counts_the_others() {
        let mut limiter = limiter(10, SECOND);
        for _ in 0..10 {
            assert_eq!(limiter.admit(1, Duration::ZERO), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(limiter.admit(1, SECOND / 2), None);
        }
        assert_eq!(limiter.admit(1, SECOND), Some(7));
        assert_eq!(limiter.admit(1, SECOND), None);
    }

    #[test]
    fn after_quiet_a_whole_burst_is_shown_again() {
        let mut limiter = limiter(10, SECOND);
        for _ in 0..100 {
            limiter.admit(1, Duration::ZERO);
        }
        assert_eq!(limiter.admit(1, SECOND * 1_000), Some(90));
        for _ in 1..10 {
            assert_eq!(limiter.admit(1, SECOND * 1_000), Some(0));
        }
        assert_eq!(limiter.admit(1, SECOND * 1_000), None);
    }

    #[test]
    fn a_line_about_many_things_counts_them_all() {
        let mut limiter = limiter(1, SECOND);
        assert_eq!(limiter.admit(5, Duration::ZERO), Some(0));
        assert_eq!(limiter.admit(2, SECOND / 2), None);
        assert_eq!(limiter.admit(1, SECOND / 2), None);
        assert_eq!(limiter.admit(1, SECOND), Some(3));
    }

    #[test]
    fn a_clock_that_goes_back_shows_no_more_lines() {
        let mut limiter = limiter(1, SECOND);
        assert_eq!(limiter.admit(1, SECOND * 9), Some(0));
        assert_eq!(limiter.admit(1, SECOND), None);
        assert_eq!(limiter.admit(1, SECOND * 10), Some(1));
    }

    proptest! {
        #[test]
        fn everything_is_shown_or_counted_and_the_rate_is_bounded_in_every_period(
            burst in 1u32..20,
            interval_ms in 1u64..20_000,
            lines in proptest::collection::vec((0u64..30_000, 1u64..5), 0..200),
        ) {
            let interval = Duration::from_millis(interval_ms);
            let mut limiter = limiter(burst, interval);
            let (mut now, mut shown) = (Duration::ZERO, Vec::new());
            let (mut told, mut all) = (0, 0);
            for (gap_ms, count) in lines {
                now += Duration::from_millis(gap_ms);
                all += count;
                if let Some(suppressed) = limiter.admit(count, now) {
                    told += count + suppressed;
                    shown.push(now);
                }
            }
            prop_assert_eq!(told + limiter.take_suppressed(), all);
            prop_assert_eq!(limiter.take_suppressed(), 0);
            for (begin, from) in shown.iter().enumerate() {
                for (lines_before, to) in shown[begin..].iter().enumerate() {
                    let intervals = (*to - *from).as_nanos() / interval.as_nanos();
                    prop_assert!((lines_before as u128) < u128::from(burst) + intervals);
                }
            }
        }

        #[test]
        fn with_a_burst_of_one_lines_are_an_interval_apart(
            gaps_ms in proptest::collection::vec(0u64..7_000, 1..100),
        ) {
            let mut limiter = limiter(1, SECOND);
            let (mut now, mut last) = (Duration::ZERO, None::<Duration>);
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                if limiter.admit(1, now).is_some() {
                    prop_assert!(last.is_none_or(|last| now - last >= SECOND));
                    last = Some(now);
                }
            }
        }
    }
}
