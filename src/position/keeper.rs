//! The positions of a run: loaded when it starts, checked against what it reads and where it sends,
//! saved as they move.
//!
//! The identity of a cluster is not known before it answers, so it is checked then: a mark of
//! another cluster means nothing and is forgotten; another target is for a person to decide on, and
//! ends the run.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::file::{self, FileError, Folder, Saved, Store};
use super::{Identity, Misfit, Position, Positions, Record, Tracker};

/// Why a run cannot go on from what is saved.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The events before the saved position went elsewhere.
    #[error(
        "the position in {place} was saved for another target ({saved}; now {now}): the events before it are there and would not be here. Decide with `weir position keep --config FILE` (go on behind it) or `weir position reset --config FILE` (read everything again that the source still has); `weir position show --config FILE` shows it"
    )]
    OtherTarget {
        /// Where it is saved: a folder, or a Lease.
        place: String,
        /// What the record says.
        saved: String,
        /// What this run says.
        now: String,
    },
}

/// Keeps the positions of one run; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Where they are saved, and that for people; `None`: nowhere.
    store: Option<Arc<dyn Store>>,
    place: Option<String>,
    identity: Identity,
    tracker: Tracker,
    /// What the folder said when the run started, as long as it may still turn out to be another
    /// cluster's.
    found: Option<Record>,
    /// Something was there, and could not be used: then everything is read.
    is_lost: bool,
    saved: Option<Record>,
}

/// Where a position was found, when that is no folder.
const LEASE: &str = "the Lease";

impl Keeper {
    /// Loads what is saved in `folder`, which this process owns, into `tracker`; `None`: nothing
    /// ever is. `has_spool`: what the position counts on is still there. `identity` is what is
    /// known before anybody has answered.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or was saved for another target.
    pub fn open(
        folder: Option<&Path>,
        has_spool: bool,
        identity: Identity,
        tracker: Tracker,
    ) -> Result<Keeper, KeepError> {
        let saved = folder.map(file::load).transpose()?.unwrap_or(Saved::Nothing);
        let store = folder.map(|folder| Arc::new(Folder(folder.to_owned())) as Arc<dyn Store>);
        let place = folder.map(|folder| folder.display().to_string());
        Keeper::over(store, place, saved, has_spool, identity, tracker)
    }

    /// [`Keeper::open`] over any store, in which `saved` was found. `place` is for people.
    pub(crate) fn over(
        store: Option<Arc<dyn Store>>,
        place: Option<String>,
        saved: Saved,
        has_spool: bool,
        identity: Identity,
        tracker: Tracker,
    ) -> Result<Keeper, KeepError> {
        let mut state =
            State { store, place, identity, tracker, found: None, is_lost: false, saved: None };
        match saved {
            Saved::Nothing => {}
            Saved::Unusable(error) => {
                tracing::warn!(
                    "the saved position cannot be used: {error}; everything that the source has is read again"
                );
                state.is_lost = true;
            }
            Saved::Record(_) if !has_spool => {
                tracing::warn!(
                    "a position is saved, and the spool beside it is gone: everything that the source has is read again"
                );
                state.is_lost = true;
            }
            Saved::Record(record) => {
                let place = state.place.clone().unwrap_or_default();
                state.take(record, &place)?;
            }
        }
        let tracker = state.tracker.clone();
        let keeper = Keeper(Arc::new(Mutex::new(state)));
        let saving = Arc::downgrade(&keeper.0);
        tracker.on_loss(move || {
            let keeper = saving.upgrade().map(Keeper);
            if let Some(Err(error)) = keeper.map(|keeper| keeper.save(true)) {
                tracing::error!(
                    "{error}; a run that ends before that is mended does not read again what was lost"
                );
            }
        });
        if *tracker.losses().borrow() > 0 {
            // Before these marks were known.
            tracker.rewind_all();
        }
        Ok(keeper)
    }

    /// Goes on from what a Lease holds, a [`Record`] as text, instead of what this machine knows:
    /// another replica may have come further since. The marks to go on from; `None`: it holds
    /// nothing, and what this machine knows is good.
    ///
    /// # Errors
    ///
    /// When it was written for another target.
    pub fn adopt(&self, mark: Option<&str>) -> Result<Option<Positions>, KeepError> {
        let mut state = self.lock();
        let Some(text) = mark.filter(|text| !text.is_empty()) else {
            // What is still open of an earlier term is read again, and rewinds no mark.
            state.tracker.begin(state.tracker.marks());
            return Ok(None);
        };
        state.found = None;
        state.is_lost = false;
        state.tracker.begin(Positions::new());
        match Record::decode(text) {
            Ok(record) => state.take(record, LEASE)?,
            Err(error) => {
                tracing::warn!(
                    "the position in the Lease cannot be used: {error}; everything that the source has is read again"
                );
                state.is_lost = true;
            }
        }
        Ok(Some(state.tracker.marks()))
    }

    /// What a Lease is to hold: the record of these marks; `None` while there are none.
    pub fn record(&self, marks: Positions) -> Option<String> {
        let identity = self.lock().identity.clone();
        (!marks.is_empty()).then(|| Record::new(identity, marks).encode())
    }

    /// Where the marks are kept.
    pub fn tracker(&self) -> Tracker {
        self.lock().tracker.clone()
    }

    /// Whether something was saved that cannot be used: then `start = "now"` would leave a gap.
    pub fn is_lost(&self) -> bool {
        self.lock().is_lost
    }

    /// The source has told its cluster's UID, or keeps it to itself. Marks of another one are
    /// forgotten.
    pub fn source_is(&self, cluster: Option<String>) {
        let mut state = self.lock();
        state.identity.cluster = cluster.or(state.identity.cluster.take());
        let misfit = state.found.as_ref().and_then(|found| found.fits(&state.identity).err());
        if let Some(Misfit::Source { saved, now }) = misfit {
            tracing::warn!(
                saved,
                now,
                "the saved position is of another cluster: everything that this one has is read"
            );
            state.found = None;
            state.is_lost = true;
            state.tracker.forget();
        }
    }

    /// The target has told its cluster's UUID, or keeps it to itself.
    ///
    /// # Errors
    ///
    /// When it is not the one that the positions were saved for.
    pub fn target_is(&self, cluster: Option<String>) -> Result<(), KeepError> {
        let mut state = self.lock();
        state.identity.target.cluster = cluster.or(state.identity.target.cluster.take());
        let misfit = state.found.as_ref().and_then(|found| found.fits(&state.identity).err());
        match misfit {
            Some(Misfit::Target { saved, now }) => {
                let place = state.place.clone().unwrap_or(LEASE.to_owned());
                Err(KeepError::OtherTarget { place, saved, now })
            }
            _ => Ok(()),
        }
    }

    /// Saves the marks if they have moved. Blocks on the disk; waits for it when `durably`, and
    /// when a mark was rewound: the one before is not good any more.
    ///
    /// # Errors
    ///
    /// When they cannot be written; those from before are still there.
    pub fn save(&self, durably: bool) -> Result<(), FileError> {
        let mut state = self.lock();
        let Some(store) = state.store.clone() else { return Ok(()) };
        let record = Record::new(state.identity.clone(), state.tracker.marks());
        if record.positions.is_empty() || state.saved.as_ref() == Some(&record) && !durably {
            return Ok(());
        }
        let saved = state.saved.as_ref().or(state.found.as_ref());
        let is_rewound = record.positions.iter().any(|(scope, mark)| {
            *mark == Position::Nowhere
                && saved
                    .is_some_and(|saved| saved.positions.get(scope).is_some_and(|old| old != mark))
        });
        store.save(&record, durably || is_rewound)?;
        state.saved = Some(record);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl State {
    fn take(&mut self, record: Record, place: &str) -> Result<(), KeepError> {
        match record.fits(&self.identity) {
            Ok(()) => {
                self.tracker.begin(record.positions.clone());
                // What this run may not come to know is still known.
                self.identity.cluster =
                    self.identity.cluster.take().or(record.identity.cluster.clone());
                let target = &record.identity.target.cluster;
                self.identity.target.cluster =
                    self.identity.target.cluster.take().or(target.clone());
                self.found = Some(record);
                Ok(())
            }
            Err(Misfit::Source { saved, now }) => {
                tracing::warn!(
                    saved,
                    now,
                    "the saved position is of another source: everything that this one has is read"
                );
                self.is_lost = true;
                Ok(())
            }
            Err(Misfit::Target { saved, now }) => {
                Err(KeepError::OtherTarget { place: place.to_owned(), saved, now })
            }
        }
    }
}

/// Without anything to save, and nowhere to save it: for tests, and for sources that begin anew
/// each time.
impl Default for Keeper {
    fn default() -> Keeper {
        let tracker = Tracker::default();
        Keeper(Arc::new(Mutex::new(State {
            store: None,
            place: None,
            identity: Identity::default(),
            tracker,
            found: None,
            is_lost: false,
            saved: None,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Target;

    fn identity(index: &str) -> Identity {
        let target =
            Target { kind: "opensearch".into(), index: Some(index.into()), ..Target::default() };
        Identity { pipeline: "p".into(), source: "kubernetes".into(), cluster: None, target }
    }

    /// A folder in which a run of cluster `k1` into OpenSearch `o1` has come to 41.
    fn saved() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.source_is(Some("k1".into()));
        keeper.target_is(Some("o1".into())).unwrap();
        keeper.tracker().issue("*", 0, Some("41".into()));
        keeper.save(false).unwrap();
        folder
    }

    fn mark(keeper: &Keeper) -> Option<Position> {
        keeper.tracker().marks().remove("*")
    }

    #[test]
    fn the_next_run_goes_on_where_the_last_one_was() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.source_is(Some("k1".into()));
        keeper.target_is(Some("o1".into())).unwrap();
        assert_eq!(mark(&keeper), Some("41".into()));
    }

    #[test]
    fn a_run_that_learns_no_identity_keeps_the_one_that_is_known() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.source_is(None);
        keeper.tracker().issue("*", 0, Some("42".into()));
        keeper.save(true).unwrap();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.source_is(Some("k2".into()));
        assert!(keeper.is_lost(), "k1 was forgotten");
    }

    #[test]
    fn positions_of_another_cluster_are_forgotten_and_everything_is_read() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.source_is(Some("k2".into()));
        assert_eq!(mark(&keeper), None);
        assert!(keeper.is_lost());
    }

    fn on_disk(folder: &tempfile::TempDir) -> Position {
        match file::load(folder.path()).unwrap() {
            Saved::Record(mut record) => record.positions.remove("*").unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_loss_is_saved_at_once() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        keeper.tracker().rewind_all();
        assert_eq!(on_disk(&folder), Position::Nowhere);
    }

    #[test]
    fn a_loss_before_the_marks_were_known_makes_them_worthless() {
        let folder = saved();
        let tracker = Tracker::default();
        tracker.rewind_all();
        let keeper = Keeper::open(Some(folder.path()), true, identity("i"), tracker).unwrap();
        assert_eq!((mark(&keeper), on_disk(&folder)), (Some(Position::Nowhere), Position::Nowhere));
    }

    /// Keeps nothing but whether the last save waited for the disk.
    #[derive(Debug, Default)]
    struct Waits(Mutex<Option<bool>>);

    impl Store for Waits {
        fn save(&self, _: &Record, durably: bool) -> Result<(), FileError> {
            *self.0.lock().unwrap() = Some(durably);
            Ok(())
        }
    }

    #[test]
    fn only_a_rewind_is_waited_for() {
        let folder = saved();
        let (store, saved) =
            (Arc::new(Waits::default()), super::super::file::load(folder.path()).unwrap());
        let of = Some(store.clone() as Arc<dyn Store>);
        let keeper =
            Keeper::over(of, None, saved, true, identity("i"), Tracker::default()).unwrap();
        let waits = || {
            keeper.save(false).unwrap();
            store.0.lock().unwrap().take()
        };
        keeper.tracker().issue("*", 0, Some("42".into()));
        assert_eq!(waits(), Some(false));
        keeper.tracker().rewind("*");
        assert_eq!(waits(), Some(true), "an older one would skip what a restored cluster has");
        assert_eq!(waits(), None);
        keeper.tracker().issue("*", 0, Some("7".into()));
        assert_eq!(waits(), Some(false));
    }

    #[test]
    fn another_target_ends_the_run_with_the_choices_named() {
        let folder = saved();
        let hidden = |text: String| text.replace(&folder.path().display().to_string(), "FOLDER");
        let error =
            Keeper::open(Some(folder.path()), true, identity("j"), Tracker::default()).unwrap_err();
        insta::assert_snapshot!(hidden(error.to_string()), @"the position in FOLDER was saved for another target (pipeline p, opensearch, index i, cluster o1; now pipeline p, opensearch, index j): the events before it are there and would not be here. Decide with `weir position keep --config FILE` (go on behind it) or `weir position reset --config FILE` (read everything again that the source still has); `weir position show --config FILE` shows it");
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        let error = keeper.target_is(Some("o2".into())).unwrap_err();
        insta::assert_snapshot!(hidden(error.to_string()), @"the position in FOLDER was saved for another target (pipeline p, opensearch, index i, cluster o1; now pipeline p, opensearch, index i, cluster o2): the events before it are there and would not be here. Decide with `weir position keep --config FILE` (go on behind it) or `weir position reset --config FILE` (read everything again that the source still has); `weir position show --config FILE` shows it");
    }

    #[test]
    fn without_the_spool_that_it_counts_on_a_position_is_of_no_use() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), false, identity("i"), Tracker::default()).unwrap();
        assert!(keeper.is_lost());
        assert_eq!(mark(&keeper), None);
    }

    #[test]
    fn what_the_lease_holds_goes_before_what_this_machine_knows() {
        let folder = saved();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        let open = keeper.tracker().issue("*", 1, Some("50".into())).unwrap();
        assert_eq!(keeper.adopt(None).unwrap(), None, "the Lease is new");
        open.settled(1);
        assert_eq!(mark(&keeper), Some("41".into()));
        let further = keeper.record(Positions::from([("*".into(), "90".into())])).unwrap();
        assert_eq!(keeper.adopt(Some(&further)).unwrap().unwrap()["*"], "90".into());
        assert_eq!(mark(&keeper), Some("90".into()));
        assert_eq!(keeper.adopt(Some("{")).unwrap(), Some(Positions::new()));
        assert!(keeper.is_lost());
        let other = Record::new(identity("j"), Positions::new()).encode();
        let error = keeper.adopt(Some(&other)).unwrap_err().to_string();
        assert!(
            error.starts_with("the position in the Lease was saved for another target"),
            "{error}"
        );
        assert_eq!(keeper.record(Positions::new()), None);
    }

    #[test]
    fn a_corrupt_record_means_everything_is_read() {
        let folder = saved();
        std::fs::write(folder.path().join("position.json"), "{").unwrap();
        let keeper =
            Keeper::open(Some(folder.path()), true, identity("i"), Tracker::default()).unwrap();
        assert!(keeper.is_lost());
        assert_eq!(mark(&keeper), None);
    }
}
