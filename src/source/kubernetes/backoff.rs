//! How long to wait before the API server is asked again.

use std::time::Duration;

use crate::backoff::{Backoff, Jitter};

const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    // client-go's reflector waits as long.
    max: Duration::from_secs(30),
    jitter: Jitter::Full,
};
/// The longest that a server's `Retry-After` is honoured.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// The wait after `failures` failures in a row, counting this one, from a random number. A
/// `Retry-After` is the minimum, and jitter is added to it.
pub(super) fn wait(failures: u32, retry_after: Option<Duration>, random: u64) -> Duration {
    retry_after.unwrap_or_default().min(RETRY_AFTER_MAX) + BACKOFF.wait(failures, random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_never_nothing_and_never_longer_than_its_bounds(
            failures in 0u32.., after in proptest::option::of(0u64..10_000), random: u64,
        ) {
            let after = after.map(Duration::from_secs);
            let wait = wait(failures, after, random);
            let least = after.unwrap_or_default().min(RETRY_AFTER_MAX);
            prop_assert!(wait > least);
            prop_assert!(wait <= least + BACKOFF.max);
        }
    }

    #[test]
    fn the_longest_wait_doubles_up_to_half_a_minute() {
        // The random number that gives the longest wait of each step.
        let longest = |failures, ms: u64| wait(failures, None, ms - 1).as_millis() as u64;
        for (failures, ms) in
            [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000), (5, 16_000), (6, 30_000)]
        {
            assert_eq!(longest(failures, ms), ms);
        }
        assert_eq!(longest(1_000, 30_000), 30_000);
    }
}
