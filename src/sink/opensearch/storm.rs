//! Tells a bad document from a mistake that makes every document bad. Pure: time is a parameter.
//!
//! A mistake in a template or a mapping answers 400 to document after document. Were each one
//! believed, every event would become a dead letter. So documents' failures are believed only while
//! documents succeed as well.

use std::time::Duration;

use tokio::time::Instant;

/// With no success among this many outcomes, failures are not believed.
const OUTCOMES_WITHOUT_SUCCESS: u64 = 100;
/// A minute's failures are not believed when they are more than one in this many of its outcomes...
const MINUTE_SHARE: u64 = 4;
/// ...and at least this many, so that two bad documents on a quiet cluster are still just that.
const MINUTE_FAILURES: u64 = 50;
/// The minute.
const MINUTE: Duration = Duration::from_secs(60);

/// Recent outcomes of documents.
#[derive(Clone, Debug, Default)]
pub(super) struct Storm {
    /// Failures since the last success.
    failures_in_a_row: u64,
    /// The running minute and the one before, so that "a minute" does not start from nothing.
    since: Option<Instant>,
    now: Counts,
    before: Counts,
    is_trusting: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    outcomes: u64,
    failures: u64,
}

impl Storm {
    /// Believes every failure: the documents come from dead letters, and a refusal leaves them
    /// where they were.
    pub(super) fn trusting() -> Storm {
        Storm { is_trusting: true, ..Storm::default() }
    }

    /// A response with so many documents stored and so many refused for their content: whether to
    /// believe the refusals. Those that are not believed are asked again later, and then
    /// counted again.
    pub(super) fn believes(&mut self, stored: u64, refused: u64, now: Instant) -> bool {
        self.turn_minute(now);
        self.failures_in_a_row = if stored > 0 { 0 } else { self.failures_in_a_row + refused };
        self.now.outcomes += stored + refused;
        self.now.failures += refused;
        let outcomes = self.now.outcomes + self.before.outcomes;
        let failures = self.now.failures + self.before.failures;
        let too_many = failures >= MINUTE_FAILURES && failures * MINUTE_SHARE > outcomes;
        refused == 0
            || self.is_trusting
            || (self.failures_in_a_row < OUTCOMES_WITHOUT_SUCCESS && !too_many)
    }

    /// After a pause a probe was stored: what was counted before says nothing any more.
    pub(super) fn over(&mut self) {
        *self = Storm { is_trusting: self.is_trusting, ..Storm::default() };
    }

    fn turn_minute(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age >= MINUTE {
            self.before = if age < 2 * MINUTE { self.now } else { Counts::default() };
            self.now = Counts::default();
            self.since = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_refused_whole_is_not_believed() {
        assert!(!Storm::default().believes(0, 100, Instant::now()));
        assert!(Storm::default().believes(0, 49, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_by_one_the_hundredth_failure_without_a_success_is_not_believed() {
        let mut storm = Storm::default();
        // So slowly that no minute has enough of them.
        let believed = (0..150)
            .take_while(|i| storm.believes(0, 1, Instant::now() + Duration::from_secs(10) * *i));
        assert_eq!(believed.count(), 99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_bad_documents_among_good_ones_are_believed_however_long() {
        let mut storm = Storm::default();
        let start = Instant::now();
        assert!((0..10_000).all(|i| storm.believes(9, 1, start + Duration::from_secs(1) * i)));
    }

    #[tokio::test(start_paused = true)]
    async fn every_refusal_of_a_dead_letter_is_believed() {
        let mut storm = Storm::trusting();
        assert!(storm.believes(0, 500, Instant::now()));
        storm.over();
        assert!(storm.believes(0, 500, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_share_of_a_minute_is_not_believed_and_is_forgotten_after_two() {
        let mut storm = Storm::default();
        let start = Instant::now();
        assert!(storm.believes(60, 40, start));
        assert!(!storm.believes(6, 10, start));
        assert!(!storm.believes(0, 1, start + MINUTE));
        assert!(storm.believes(0, 1, start + 3 * MINUTE));
        storm.over();
        assert!(storm.believes(0, 1, start + 3 * MINUTE));
    }

    proptest! {
        #[test]
        fn a_response_without_refusals_is_always_believed(
            steps in proptest::collection::vec((0u64..300, 0u64..300, 0u64..90), 0..50),
            stored in 0u64..10,
        ) {
            let mut storm = Storm::default();
            let mut now = Instant::now();
            for (stored, refused, seconds) in steps {
                now += Duration::from_secs(seconds);
                let believed = storm.believes(stored, refused, now);
                prop_assert!(believed || refused > 0);
                if stored == 0 && refused >= 100 {
                    prop_assert!(!believed);
                }
            }
            prop_assert!(storm.believes(stored, 0, now));
        }
    }
}
