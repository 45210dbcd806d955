//! Tells a bad document from a mistake that makes every document bad. Pure: time is a parameter.
//!
//! A mistake in a template or a mapping answers 400 to document after document. Were each of these
//! answers believed, every event would become a dead letter. So refusals are believed only while
//! documents are stored as well.
//!
//! Invariant: a success speaks against a refusal only if its request was sent after the refusal was
//! known. One that was sent before may have been carried out before the mistake was made. And it
//! speaks only to requests that were sent after its answer: one that was under way meanwhile may
//! have been refused while the mistake lasted.
//!
//! What is not believed is sent again, and refused again. It counts once in each minute: a few bad
//! documents would else never be believed on a cluster where little happens.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When this many were refused and no success speaks against it, refusals are not believed.
const REFUSALS_WITHOUT_SUCCESS: u64 = 100;
/// A minute's refusals are not believed when they are more than one in this many of its outcomes...
const MINUTE_SHARE: u64 = 4;
/// ...and at least this many, so that two bad documents on a quiet cluster are still just that.
const MINUTE_REFUSALS: u64 = 50;
/// The minute.
const MINUTE: Duration = Duration::from_secs(60);

/// Recent outcomes of documents.
#[derive(Clone, Debug, Default)]
pub(super) struct MassRejection {
    /// What was refused without a success in the same answer. Oldest first, and no more than
    /// matter.
    refusals: VecDeque<Refusals>,
    /// The running minute and the one before, so that "a minute" does not start from nothing.
    since: Option<Instant>,
    now: Counts,
    before: Counts,
    is_trusting: bool,
}

/// The refusals of one answer.
#[derive(Clone, Copy, Debug)]
struct Refusals {
    count: u64,
    known: Instant,
    /// When the first success was answered that speaks against them.
    over: Option<Instant>,
}

/// Documents that were refused for their content in one answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) all: u64,
    /// Those that [`MassRejection::counts`].
    pub(super) counted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    outcomes: u64,
    refusals: u64,
}

impl MassRejection {
    /// Believes every refusal: the documents come from dead letters, and a refusal leaves them
    /// where they were.
    pub(super) fn trusting() -> MassRejection {
        MassRejection { is_trusting: true, ..MassRejection::default() }
    }

    /// Whether it believes every refusal.
    pub(super) fn is_trusting(&self) -> bool {
        self.is_trusting
    }

    /// Whether a document that was `counted` then and is refused now counts in the running minute:
    /// once. Notes it there if it does.
    pub(super) fn counts(&mut self, counted: &mut Option<Instant>, now: Instant) -> bool {
        let minute = self.turn_minute(now);
        let is_new = counted.is_none_or(|at| at < minute);
        if is_new {
            *counted = Some(now);
        }
        is_new
    }

    /// A request that was `sent` then is answered `now`, with this many documents stored and this
    /// many refused for their content: whether to believe the refusals. Those that are not believed
    /// are sent again later.
    pub(super) fn believes(
        &mut self,
        stored: u64,
        refused: Refused,
        sent: Instant,
        now: Instant,
    ) -> bool {
        self.turn_minute(now);
        if stored > 0 {
            for refusals in self.refusals.iter_mut().filter(|refusals| refusals.known <= sent) {
                refusals.over.get_or_insert(now);
            }
        } else if refused.all > 0 {
            self.refusals.push_back(Refusals { count: refused.all, known: now, over: None });
        }
        self.now.outcomes += stored + refused.counted;
        self.now.refusals += refused.counted;
        let without_success = self.without_success(sent);
        let outcomes = self.now.outcomes + self.before.outcomes;
        let refusals = self.now.refusals + self.before.refusals;
        let too_many = refusals >= MINUTE_REFUSALS && refusals * MINUTE_SHARE > outcomes;
        refused.all == 0
            || self.is_trusting
            || (without_success < REFUSALS_WITHOUT_SUCCESS && !too_many)
    }

    /// How many refusals no success speaks against, of those that matter to a request that was
    /// `sent` then. Forgets the oldest where the others are enough: it is over before they are, so
    /// where it would matter they do.
    fn without_success(&mut self, sent: Instant) -> u64 {
        let mut all: u64 = self.refusals.iter().map(|refusals| refusals.count).sum();
        while let Some(oldest) = self.refusals.front()
            && all - oldest.count >= REFUSALS_WITHOUT_SUCCESS
        {
            all -= oldest.count;
            self.refusals.pop_front();
        }
        let matters = |refusals: &&Refusals| refusals.over.is_none_or(|over| over > sent);
        self.refusals.iter().filter(matters).map(|refusals| refusals.count).sum()
    }

    /// After a pause a probe was stored: what was counted before says nothing any more.
    pub(super) fn over(&mut self) {
        *self = MassRejection { is_trusting: self.is_trusting, ..MassRejection::default() };
    }

    /// Answers when the running minute began.
    fn turn_minute(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age < MINUTE {
            return since;
        }
        self.before = if age < 2 * MINUTE { self.now } else { Counts::default() };
        self.now = Counts::default();
        self.since = Some(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Documents that were not refused before.
    fn new(all: u64) -> Refused {
        Refused { all, counted: all }
    }

    /// An answer that comes at once.
    fn believes(rejection: &mut MassRejection, stored: u64, refused: u64, now: Instant) -> bool {
        rejection.believes(stored, new(refused), now, now)
    }

    /// An hour of a cluster where one document is stored every ten seconds, after sixty were
    /// refused at once. Each of `count` others is sent as often, until its refusal is believed:
    /// answers in which round that was.
    fn rounds_until_believed(count: usize) -> Vec<u64> {
        let (mut rejection, start) = (MassRejection::default(), Instant::now());
        assert!(!believes(&mut rejection, 1, 60, start));
        let (mut held, mut rounds) = (vec![None; count], Vec::new());
        for round in 1..360 {
            let now = start + Duration::from_secs(10) * u32::try_from(round).unwrap();
            believes(&mut rejection, 1, 0, now);
            held.retain_mut(|counted| {
                let counted = u64::from(rejection.counts(counted, now));
                let is_believed = rejection.believes(0, Refused { all: 1, counted }, now, now);
                rounds.extend(is_believed.then_some(round));
                !is_believed
            });
        }
        rounds
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_documents_that_are_refused_again_and_again_are_believed_after_two_minutes() {
        assert_eq!(rounds_until_believed(16), [12; 16]);
        assert_eq!(rounds_until_believed(60), [0; 0], "so many are a mistake");
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_that_was_sent_before_a_refusal_was_known_does_not_speak_against_it() {
        let (mut rejection, start) = (MassRejection::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(120) * seconds;
        assert!(rejection.believes(0, new(40), at(0), at(1)));
        assert!(rejection.believes(5, new(0), at(0), at(2)), "it may be of before the mistake");
        assert!(rejection.believes(0, new(40), at(2), at(3)));
        assert!(
            rejection.believes(5, new(0), at(2), at(4)),
            "it is of before the second refusals only"
        );
        assert!(rejection.believes(0, new(45), at(4), at(5)));
        assert!(!rejection.believes(0, new(15), at(5), at(6)), "the hundredth since then");
        assert!(
            rejection.believes(1, new(0), at(7), at(8))
                && rejection.believes(0, new(1), at(8), at(9))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_was_under_way_all_the_while_is_judged_by_what_was_refused_then() {
        let (mut rejection, start) = (MassRejection::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(120) * seconds;
        assert!(rejection.believes(0, new(40), at(0), at(1)));
        assert!(rejection.believes(0, new(40), at(1), at(2)));
        assert!(rejection.believes(5, new(0), at(3), at(5)));
        let mut late = rejection.clone();
        assert!(!late.believes(0, new(20), at(4), at(7)), "the success may be of after it");
        assert!(rejection.believes(0, new(20), at(5), at(7)), "the mistake was over");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_of_an_hour_of_refusals_is_bounded() {
        let (mut rejection, start) = (MassRejection::default(), Instant::now());
        for second in 0..3600 {
            believes(&mut rejection, 0, 1, start + Duration::from_secs(second));
        }
        assert_eq!(rejection.refusals.len() as u64, REFUSALS_WITHOUT_SUCCESS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_refused_whole_is_not_believed() {
        assert!(!believes(&mut MassRejection::default(), 0, 100, Instant::now()));
        assert!(believes(&mut MassRejection::default(), 0, 49, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_by_one_the_hundredth_failure_without_a_success_is_not_believed() {
        let mut mass_rejection = MassRejection::default();
        // So slowly that no minute has enough of them.
        let believed = (0..150).take_while(|i| {
            believes(&mut mass_rejection, 0, 1, Instant::now() + Duration::from_secs(10) * *i)
        });
        assert_eq!(believed.count(), 99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_bad_documents_among_good_ones_are_believed_however_long() {
        let mut mass_rejection = MassRejection::default();
        let start = Instant::now();
        assert!((0..10_000).all(|i| believes(
            &mut mass_rejection,
            9,
            1,
            start + Duration::from_secs(1) * i
        )));
    }

    #[tokio::test(start_paused = true)]
    async fn every_refusal_of_a_dead_letter_is_believed() {
        let mut mass_rejection = MassRejection::trusting();
        assert!(believes(&mut mass_rejection, 0, 500, Instant::now()));
        mass_rejection.over();
        assert!(believes(&mut mass_rejection, 0, 500, Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_share_of_a_minute_is_not_believed_and_is_forgotten_after_two() {
        let mut mass_rejection = MassRejection::default();
        let start = Instant::now();
        assert!(believes(&mut mass_rejection, 60, 40, start));
        assert!(!believes(&mut mass_rejection, 6, 10, start));
        assert!(!believes(&mut mass_rejection, 0, 1, start + MINUTE));
        assert!(believes(&mut mass_rejection, 0, 1, start + 3 * MINUTE));
        mass_rejection.over();
        assert!(believes(&mut mass_rejection, 0, 1, start + 3 * MINUTE));
    }

    proptest! {
        #[test]
        fn a_response_without_refusals_is_always_believed(
            steps in proptest::collection::vec((0u64..300, 0u64..300, 0u64..90), 0..50),
            stored in 0u64..10,
        ) {
            let mut mass_rejection = MassRejection::default();
            let mut now = Instant::now();
            for (stored, refused, seconds) in steps {
                now += Duration::from_secs(seconds);
                let believed = believes(&mut mass_rejection, stored, refused, now);
                prop_assert!(believed || refused > 0);
                if stored == 0 && refused >= 100 {
                    prop_assert!(!believed);
                }
            }
            prop_assert!(believes(&mut mass_rejection, stored, 0, now));
        }
    }
}
