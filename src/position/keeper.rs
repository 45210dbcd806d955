//! The positions of a run: loaded when it starts, checked against what it reads and where it sends,
//! saved as they move.
//!
//! The identity of a cluster is not known before it answers, so it is checked then: a mark of
//! another cluster means nothing and is forgotten; another target is for a person to decide on, and
//! ends the run.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::file::{self, FileError, Saved, Store};
use super::{Identity, Misfit, Positions, Record, SettledPositions, Tracker};
use crate::folders::Folder;

/// Why a run cannot go on from what is saved.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The events before the saved position went elsewhere.
    #[error(
        "the position in {kept_in} was saved for another target ({saved}; now {now}): the events \
         before it are in that one, and would be missing in this one. Decide with `weir position \
         keep --config FILE` (continue after it) or `weir position reset --config FILE` (read \
         again everything that the source still has); `weir position show --config FILE` shows it"
    )]
    OtherTarget {
        /// Where it is saved: a folder, or a Lease.
        kept_in: String,
        /// What the record says.
        saved: String,
        /// What this run says.
        now: String,
    },
}

/// Keeps the positions of one run; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// One save at a time. Nobody who wants to know something waits for the disk.
    saving: Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// Where they are saved, and that for people; `None`: nowhere.
    store: Option<Arc<dyn Store>>,
    kept_in: Option<String>,
    identity: Identity,
    tracker: Tracker,
    /// What the folder said when the run started, as long as it may still turn out to be another
    /// cluster's.
    found: Option<Record>,
    /// Something was there, and could not be used: then everything is read.
    is_lost: bool,
    saved: Option<Record>,
    /// How often marks had been rewound when they were saved durably last.
    rewinds: u64,
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
    pub(crate) fn open(
        folder: Option<&Folder>,
        has_spool: bool,
        identity: Identity,
        tracker: Tracker,
    ) -> Result<Keeper, KeepError> {
        let saved = folder.map(file::load).transpose()?.unwrap_or(Saved::Nothing);
        let store = folder.map(|folder| Arc::new(folder.clone()) as Arc<dyn Store>);
        let kept_in = folder.map(|folder| folder.path().display().to_string());
        Keeper::over(store, kept_in, saved, has_spool, identity, tracker)
    }

    /// [`Keeper::open`] over any store, in which `saved` was found. `kept_in` is for people.
    pub(crate) fn over(
        store: Option<Arc<dyn Store>>,
        kept_in: Option<String>,
        saved: Saved,
        has_spool: bool,
        identity: Identity,
        tracker: Tracker,
    ) -> Result<Keeper, KeepError> {
        let mut state = State {
            store,
            kept_in,
            identity,
            tracker,
            found: None,
            is_lost: false,
            saved: None,
            rewinds: 0,
        };
        match saved {
            Saved::Nothing => {}
            Saved::Unusable(error) => {
                tracing::warn!(
                    "the saved position cannot be used: {error}; everything that the source has is \
                     read again"
                );
                state.is_lost = true;
            }
            Saved::Record(_) if !has_spool => {
                tracing::warn!(
                    "a position is saved, and the spool beside it is gone: everything that the \
                     source has is read again"
                );
                state.is_lost = true;
            }
            Saved::Record(record) => {
                let kept_in = state.kept_in.clone().unwrap_or_default();
                state.take(record, &kept_in)?;
            }
        }
        let tracker = state.tracker.clone();
        let keeper = Keeper::of(state);
        let saving = Arc::downgrade(&keeper.0);
        tracker.on_loss(move || {
            let keeper = saving.upgrade().map(Keeper);
            if let Some(Err(error)) = keeper.map(|keeper| keeper.save(true)) {
                tracing::error!(
                    "{error}; a run that ends before that is fixed will not read again what was \
                     lost"
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
    pub(crate) fn adopt(&self, mark: Option<&str>) -> Result<Option<Positions>, KeepError> {
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
                    "the position in the Lease cannot be used: {error}; everything that the source \
                     has is read again"
                );
                state.is_lost = true;
            }
        }
        state.tracker.rewind_again();
        Ok(Some(state.tracker.marks()))
    }

    /// What a Lease is to hold: the record of these marks; `None` while there are none.
    pub(crate) fn record(&self, SettledPositions(marks): SettledPositions) -> Option<String> {
        let identity = self.lock().identity.clone();
        (!marks.is_empty()).then(|| Record::new(identity, marks).encode())
    }

    /// Where the marks are kept.
    pub(crate) fn tracker(&self) -> Tracker {
        self.lock().tracker.clone()
    }

    /// Whether something was saved that cannot be used: then `start = "now"` would leave a gap.
    pub(crate) fn is_lost(&self) -> bool {
        self.lock().is_lost
    }

    /// The source has told its cluster's UID, or keeps it to itself. Marks of another one are
    /// forgotten.
    pub(crate) fn source_is(&self, cluster: Option<String>) {
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
    pub(crate) fn target_is(&self, cluster: Option<String>) -> Result<(), KeepError> {
        let mut state = self.lock();
        state.identity.target.cluster = cluster.or(state.identity.target.cluster.take());
        let misfit = state.found.as_ref().and_then(|found| found.fits(&state.identity).err());
        match misfit {
            Some(Misfit::Target { saved, now }) => {
                let kept_in = state.kept_in.clone().unwrap_or(LEASE.to_owned());
                Err(KeepError::OtherTarget { kept_in, saved, now })
            }
            _ => Ok(()),
        }
    }

    /// Saves the marks if they have moved. Blocks on the disk; waits for it when `durably`, and
    /// when a mark was rewound since it last did: a saved one from before is no longer valid, and a
    /// power failure must not bring it back, wherever the mark has come to meanwhile.
    ///
    /// # Errors
    ///
    /// When they cannot be written; those from before are still there.
    pub(crate) fn save(&self, durably: bool) -> Result<(), FileError> {
        let _one = self.0.saving.lock();
        let state = self.lock();
        let Some(store) = state.store.clone() else { return Ok(()) };
        // Before the marks: if one is rewound in between, the next save is durable once more.
        let rewinds = state.tracker.rewinds();
        let durably = durably || rewinds != state.rewinds;
        let record = Record::new(state.identity.clone(), state.tracker.marks());
        if record.positions.is_empty() || state.saved.as_ref() == Some(&record) && !durably {
            return Ok(());
        }
        drop(state);
        store.save(&record, durably)?;
        let mut state = self.lock();
        state.saved = Some(record);
        if durably {
            state.rewinds = rewinds;
        }
        Ok(())
    }

    /// Whether the last rewind of a mark is on the disk.
    pub(crate) fn is_rewind_saved(&self) -> bool {
        let state = self.lock();
        state.tracker.rewinds() == state.rewinds
    }

    fn of(state: State) -> Keeper {
        Keeper(Arc::new(Shared { state: Mutex::new(state), saving: Mutex::new(()) }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl State {
    fn take(&mut self, record: Record, kept_in: &str) -> Result<(), KeepError> {
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
                Err(KeepError::OtherTarget { kept_in: kept_in.to_owned(), saved, now })
            }
        }
    }
}

/// Without anything to save, and nowhere to save it: for tests, and for sources that begin anew
/// each time.
impl Default for Keeper {
    fn default() -> Keeper {
        let tracker = Tracker::default();
        Keeper::of(State {
            store: None,
            kept_in: None,
            identity: Identity::default(),
            tracker,
            found: None,
            is_lost: false,
            saved: None,
            rewinds: 0,
        })
    }
}
