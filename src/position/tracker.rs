//! The low-water mark of each scope, over chunks in the order in which they were read. Pure, but
//! for a lock.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::{Position, Positions};
use crate::ledger::Settlement;

/// Knows which chunks are done with; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tracker(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// How often marks were rewound.
    rewinds: watch::Sender<u64>,
    /// How often something was lost that had been read.
    losses: watch::Sender<u64>,
    on_loss: OnLoss,
}

/// What saves the marks of a loss.
#[derive(Default)]
struct OnLoss(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl fmt::Debug for OnLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnLoss({})", self.0.get().is_some())
    }
}

#[derive(Debug, Default)]
struct State {
    scopes: Vec<Scope>,
    /// How often it began.
    beginnings: u64,
    /// Scopes that were rewound since this process started.
    rewound: BTreeSet<String>,
}

#[derive(Debug)]
struct Scope {
    name: String,
    mark: Option<Position>,
    /// Chunks that are not done with, and those behind them.
    open: VecDeque<Chunk>,
    /// The number of the first one in `open`.
    first: u64,
    /// Something of it is lost, and its source has not begun to read it again.
    is_lost: bool,
}

#[derive(Debug)]
struct Chunk {
    /// Its events that are not done with.
    events: u64,
    /// What is reached when it and all before it are done with.
    reaches: Option<Position>,
}

/// One chunk's events; told when they are done with.
#[derive(Debug)]
struct Ticket {
    tracker: Tracker,
    beginning: u64,
    scope: usize,
    number: u64,
}

impl Settlement for Ticket {
    fn settled(&self, count: u64) {
        let mut state = self.tracker.lock();
        if state.beginnings != self.beginning {
            // The marks of now are not over these chunks.
            return;
        }
        let scope = &mut state.scopes[self.scope];
        // A chunk leaves `open` only when all its events are done with, so its number is not below
        // `first` here.
        let chunk = &mut scope.open[(self.number - scope.first) as usize];
        assert!(count <= chunk.events, "an event of {} was settled twice", scope.name);
        chunk.events -= count;
        scope.advance();
    }
}

impl Tracker {
    /// Begins where others have come to: an earlier run, or another replica. What is still open was
    /// issued for other marks, and moves these no more.
    pub(crate) fn begin(&self, marks: Positions) {
        let scope = |(name, mark)| Scope::new(name, Some(mark));
        let mut state = self.lock();
        state.scopes = marks.into_iter().map(scope).collect();
        state.beginnings += 1;
    }

    /// The next chunk of a scope: `events` of it are to be done with, and then `reaches` is
    /// reached. `None` where nothing new is: in the middle of a list. The answer is told as
    /// they are done with.
    pub(crate) fn issue(
        &self,
        scope: &str,
        events: u64,
        reaches: Option<Position>,
    ) -> Option<Arc<dyn Settlement>> {
        let mut state = self.lock();
        let State { scopes, beginnings, .. } = &mut *state;
        let index = scopes.iter().position(|other| other.name == scope).unwrap_or_else(|| {
            let name = scope.to_owned();
            scopes.push(Scope::new(name, None));
            scopes.len() - 1
        });
        let scope = &mut scopes[index];
        let reaches = reaches.filter(|_| !scope.is_lost);
        if events == 0 {
            match scope.open.back_mut() {
                Some(last) => last.reaches = reaches.or(last.reaches.take()),
                None => scope.mark = reaches.or(scope.mark.take()),
            }
            return None;
        }
        scope.open.push_back(Chunk { events, reaches });
        let number = scope.first + scope.open.len() as u64 - 1;
        Some(Arc::new(Ticket {
            tracker: self.clone(),
            beginning: *beginnings,
            scope: index,
            number,
        }))
    }

    /// The marks of all scopes that have one.
    pub(crate) fn marks(&self) -> Positions {
        self.lock()
            .scopes
            .iter()
            .filter_map(|scope| Some((scope.name.clone(), scope.mark.clone()?)))
            .collect()
    }

    /// Rewinds a scope whose positions mean nothing any more: its cluster was restored, and numbers
    /// anew from before them. Its mark is [`Position::Nowhere`] until a new position is reached;
    /// what is open is still done with, and reaches nothing.
    pub(crate) fn rewind(&self, scope: &str) {
        let mut state = self.lock();
        state.rewound.insert(scope.to_owned());
        if let Some(scope) = state.scopes.iter_mut().find(|other| other.name == scope) {
            scope.rewind();
            scope.is_lost = false;
        }
        self.count_rewind(state);
    }

    /// Rewinds once more what was rewound since this process started: the marks with which it began
    /// now may be of before, where that could not be written down in time. By then the cluster's
    /// versions may have passed them, and nobody would notice.
    pub(crate) fn rewind_again(&self) {
        let mut state = self.lock();
        let State { scopes, rewound, .. } = &mut *state;
        let mut is_moved = false;
        for scope in scopes.iter_mut().filter(|scope| rewound.contains(&scope.name)) {
            is_moved |= scope.mark.as_ref().is_some_and(|mark| *mark != Position::Nowhere);
            scope.rewind();
        }
        if is_moved {
            self.count_rewind(state);
        }
    }

    /// How often marks were rewound: those of one scope, or all because something was lost, or
    /// forgotten.
    pub(crate) fn rewinds(&self) -> u64 {
        *self.0.rewinds.borrow()
    }

    /// Tells of each rewind.
    pub(crate) fn watch_rewinds(&self) -> watch::Receiver<u64> {
        self.0.rewinds.subscribe()
    }

    /// Before anybody can look at the marks again.
    fn count_rewind(&self, state: MutexGuard<'_, State>) {
        self.0.rewinds.send_modify(|rewinds| *rewinds += 1);
        drop(state);
    }

    /// Rewinds all scopes: something that had been read is lost, and nobody knows of which scope it
    /// was. Every mark is [`Position::Nowhere`] until its source reads it again: at once where it
    /// can, else in the next run.
    pub(crate) fn rewind_all(&self) {
        let mut state = self.lock();
        for scope in &mut state.scopes {
            scope.rewind();
            scope.is_lost = true;
        }
        self.count_rewind(state);
        if let Some(save) = self.0.on_loss.0.get() {
            save();
        }
        self.0.losses.send_modify(|losses| *losses += 1);
    }

    /// How often that happened. Changes are seen from the first one on, also from before this call.
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        let mut losses = self.0.losses.subscribe();
        if *losses.borrow() > 0 {
            losses.mark_changed();
        }
        losses
    }

    /// Has `save` run after each loss, before what was lost counts as done with: it is to save the
    /// marks, and to wait for the disk. The first one holds.
    pub(crate) fn on_loss(&self, save: impl Fn() + Send + Sync + 'static) {
        // Nobody else is ever asked to.
        let _ = self.0.on_loss.0.set(Box::new(save));
    }

    /// Forgets all marks: they were another cluster's. What is open goes on.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.scopes.iter_mut().for_each(|scope| scope.mark = None);
        self.count_rewind(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl Scope {
    fn new(name: String, mark: Option<Position>) -> Scope {
        Scope { name, mark, open: VecDeque::new(), first: 0, is_lost: false }
    }

    fn rewind(&mut self) {
        self.mark = Some(Position::Nowhere);
        self.open.iter_mut().for_each(|chunk| chunk.reaches = None);
    }

    fn advance(&mut self) {
        while self.open.front().is_some_and(|chunk| chunk.events == 0) {
            let done = self.open.pop_front();
            self.first += 1;
            if let Some(reached) = done.and_then(|chunk| chunk.reaches) {
                self.mark = Some(reached);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(tracker: &Tracker, scope: &str) -> Option<u64> {
        tracker.marks().get(scope).map(|mark| mark.as_str().parse().unwrap())
    }

    #[test]
    fn a_run_begins_with_the_marks_of_the_one_before() {
        let marks = Positions::from([("team-a".into(), "41".into())]);
        let tracker = Tracker::default();
        tracker.begin(marks.clone());
        assert_eq!(tracker.marks(), marks);
        let ticket = tracker.issue("team-a", 1, Some("42".into())).unwrap();
        assert_eq!(tracker.marks(), marks);
        ticket.settled(1);
        assert_eq!(mark(&tracker, "team-a"), Some(42));
    }

    #[test]
    fn a_list_reaches_its_version_when_its_last_item_is_done_with_and_not_before() {
        let tracker = Tracker::default();
        let page = tracker.issue("all", 2, None).unwrap();
        assert!(tracker.issue("all", 0, Some("90".into())).is_none());
        page.settled(1);
        assert_eq!(mark(&tracker, "all"), None);
        page.settled(1);
        assert_eq!(mark(&tracker, "all"), Some(90));
    }

    #[test]
    fn what_was_open_before_a_beginning_moves_nothing() {
        let tracker = Tracker::default();
        let before = tracker.issue("all", 1, Some("5".into())).unwrap();
        tracker.begin(Positions::from([("all".into(), "90".into())]));
        let _open = tracker.issue("all", 1, Some("91".into()));
        before.settled(1);
        assert_eq!(mark(&tracker, "all"), Some(90));
    }

    #[test]
    fn a_scope_that_is_rewound_is_nowhere_until_something_new_is_reached() {
        let tracker = Tracker::default();
        tracker.begin(Positions::from([("all".into(), "90".into())]));
        let old = tracker.issue("all", 1, Some("91".into())).unwrap();
        tracker.rewind("all");
        let list = tracker.issue("all", 1, None).unwrap();
        tracker.issue("all", 0, Some("30".into()));
        old.settled(1);
        assert_eq!(tracker.marks()["all"], Position::Nowhere);
        list.settled(1);
        assert_eq!(tracker.marks()["all"], "30".into());
    }

    #[test]
    fn what_was_rewound_is_nowhere_again_whatever_is_begun_with() {
        let tracker = Tracker::default();
        let marks = Positions::from([("a".into(), "44".into()), ("b".into(), "45".into())]);
        tracker.begin(marks.clone());
        tracker.rewind_again();
        assert_eq!(tracker.marks(), marks, "nothing was rewound");
        tracker.rewind("a");
        for rewinds in 2..4 {
            tracker.begin(marks.clone());
            tracker.rewind_again();
            assert_eq!(tracker.marks()["a"], Position::Nowhere);
            assert_eq!(tracker.marks()["b"], Position::from("45"));
            assert_eq!(tracker.rewinds(), rewinds);
        }
        tracker.issue("a", 0, Some("7".into()));
        assert_eq!(tracker.marks()["a"], Position::from("7"));
    }

    #[test]
    fn after_a_loss_no_scope_is_anywhere_until_its_source_rewinds_it() {
        let tracker = Tracker::default();
        let old = tracker.issue("a", 1, Some("7".into())).unwrap();
        tracker.issue("b", 0, Some("7".into()));
        tracker.rewind_all();
        old.settled(1);
        // What the sources read before they are told.
        tracker.issue("a", 1, Some("8".into())).unwrap().settled(1);
        tracker.issue("b", 0, Some("8".into()));
        assert_eq!(
            (&tracker.marks()["a"], &tracker.marks()["b"]),
            (&Position::Nowhere, &Position::Nowhere)
        );
        tracker.rewind("a");
        tracker.issue("a", 1, Some("9".into())).unwrap().settled(1);
        assert_eq!(tracker.marks()["a"], "9".into());
        assert_eq!(tracker.marks()["b"], Position::Nowhere);
    }

    #[test]
    fn what_is_forgotten_counts_as_a_rewind_for_who_keeps_marks_of_his_own() {
        let tracker = Tracker::default();
        tracker.begin([("a".to_owned(), "7".into())].into());
        let before = tracker.rewinds();
        tracker.forget();
        assert!(tracker.marks().is_empty() && tracker.rewinds() > before);
    }

    #[test]
    fn scopes_do_not_wait_for_each_other() {
        let tracker = Tracker::default();
        let _stuck = tracker.issue("a", 1, Some("1".into()));
        tracker.issue("b", 1, Some("2".into())).unwrap().settled(1);
        assert_eq!(tracker.marks(), Positions::from([("b".into(), "2".into())]));
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A chunk of this many events; whether a position is reached behind it.
        Read(u8, bool),
        /// This many events of one of the open chunks.
        Settle(u8, u8),
    }

    /// A chunk of the model.
    struct Issued {
        open: u64,
        reaches: Option<u64>,
        ticket: Option<Arc<dyn Settlement>>,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0u8..4, any::<bool>()).prop_map(|(events, reaches)| Step::Read(events, reaches)),
            any::<(u8, u8)>().prop_map(|(which, count)| Step::Settle(which, count)),
        ];
        proptest::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn the_mark_is_the_last_position_with_nothing_open_before_it(steps in steps()) {
            let tracker = Tracker::default();
            let mut chunks: Vec<Issued> = Vec::new();
            for (step, number) in steps.into_iter().zip(0u64..) {
                match step {
                    Step::Read(events, reaches) => {
                        let reaches = reaches.then_some(number);
                        let position = reaches.map(|number| number.to_string().into());
                        let ticket = tracker.issue("all", events.into(), position);
                        chunks.push(Issued { open: events.into(), reaches, ticket });
                    }
                    Step::Settle(which, count) => {
                        let open = chunks.iter_mut().filter(|chunk| chunk.open > 0);
                        let mut open: Vec<_> = open.collect();
                        if !open.is_empty() {
                            let index = usize::from(which) % open.len();
                            let count = u64::from(count) % open[index].open + 1;
                            open[index].open -= count;
                            open[index].ticket.as_ref().unwrap().settled(count);
                        }
                    }
                }
                let done = chunks.iter().take_while(|chunk| chunk.open == 0);
                let expected = done.filter_map(|chunk| chunk.reaches).last();
                prop_assert_eq!(mark(&tracker, "all"), expected);
            }
        }
    }
}
