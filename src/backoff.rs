//! How long to wait before the next try of something that keeps failing.
//!
//! Waits double from failure to failure, up to a bound, so that an outage is noticed to have ended
//! within that bound. Jitter spreads them, so that many weirs that lost one server do not come back
//! to it at the same moment. Pure: randomness is a parameter.

use std::time::Duration;

/// Waits that double from `first` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The longest wait after the first failure in a row; not zero.
    pub(crate) first: Duration,
    /// The longest wait after any failure.
    pub(crate) max: Duration,
    pub(crate) jitter: Jitter,
}

/// How much of a wait is random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jitter {
    /// Nothing: each wait is as long as it can be.
    None,
    /// From half of the longest wait to all of it.
    Half,
    /// From a millisecond to the longest wait.
    Full,
}

impl Backoff {
    /// The wait after this many failures in a row, counting this one.
    pub(crate) fn wait(self, failures: u32, random: u64) -> Duration {
        let longest = self.longest(failures);
        let shortest = match self.jitter {
            Jitter::None => return longest,
            Jitter::Half => longest / 2,
            Jitter::Full => Duration::from_millis(1).min(longest),
        };
        // No configured wait has more than 2^64 milliseconds.
        let span_ms = (longest - shortest).as_millis() as u64;
        shortest + Duration::from_millis(random % (span_ms + 1))
    }

    /// The longest wait after this many failures in a row, counting this one.
    pub(crate) fn longest(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_backoff() -> impl Strategy<Value = Backoff> {
        let jitter = prop_oneof![Just(Jitter::None), Just(Jitter::Half), Just(Jitter::Full)];
        (1u64..100_000, 1u64..100_000, jitter).prop_map(|(a, b, jitter)| Backoff {
            first: Duration::from_millis(a.min(b)),
            max: Duration::from_millis(a.max(b)),
            jitter,
        })
    }

    proptest! {
        #[test]
        fn a_wait_is_never_nothing_and_never_longer_than_its_bounds(
            backoff in any_backoff(), failures: u32, random: u64,
        ) {
            let (wait, longest) = (backoff.wait(failures, random), backoff.longest(failures));
            prop_assert!(!wait.is_zero());
            prop_assert!(wait <= longest && longest <= backoff.max);
            match backoff.jitter {
                Jitter::None => prop_assert_eq!(wait, longest),
                Jitter::Half => prop_assert!(wait >= longest / 2),
                Jitter::Full => {}
            }
        }

        #[test]
        fn the_longest_wait_doubles_until_it_reaches_its_bound(
            backoff in any_backoff(), failures in 1u32..u32::MAX,
        ) {
            let (now, next) = (backoff.longest(failures), backoff.longest(failures + 1));
            prop_assert_eq!(next, (now * 2).min(backoff.max));
            prop_assert_eq!(backoff.longest(1), backoff.first);
        }

        #[test]
        fn jitter_reaches_both_ends(backoff in any_backoff(), failures in 0u32..20) {
            let longest = backoff.longest(failures);
            let last = longest.as_millis() as u64;
            let waits = [0, last - 1, last / 2, last].map(|random| backoff.wait(failures, random));
            prop_assert!(waits.iter().any(|wait| longest - *wait < Duration::from_millis(1)));
            if backoff.jitter == Jitter::Full {
                prop_assert_eq!(waits[0], Duration::from_millis(1));
            }
        }
    }
}
