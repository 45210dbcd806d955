//! Saves the position as it moves, and reports when it cannot be saved. What to report of a save is
//! decided by pure code, which the simulator drives too.

use std::fmt;
use std::time::Duration;

use crate::blocking::blocking;
use crate::health::{Condition, Health, Part};
use crate::position::Keeper;

/// How far behind the saved position may be: what a run that is killed sends again. Saving
/// costs 50 µs of CPU in a loop, and ten times that on a machine that is busy with other things.
pub(crate) const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Saves the marks of one run.
#[derive(Debug)]
pub(crate) struct Saving {
    keeper: Keeper,
    /// What was told last, if saving fails.
    failing: Option<IfKilled>,
}

/// What people should know of a save.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It fails now, and why.
    Fails(String, IfKilled),
    /// It works again.
    WorksAgain,
}

/// What comes of a run that is killed while it cannot save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfKilled {
    /// The next one begins further back, and sends again what has been sent.
    SendsAgain,
    /// The next one begins where the position was before it was rewound.
    Skips,
}

impl fmt::Display for IfKilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IfKilled::SendsAgain => {
                "a run that is killed now begins further back, and sends again what it has sent"
            }
            IfKilled::Skips => {
                "what was read is to be read again, and after a run that is killed before that is \
                 written down some of it may be missing"
            }
        })
    }
}

impl Saving {
    /// Of this run, in which nothing has failed yet.
    pub(crate) fn new(keeper: Keeper) -> Saving {
        Saving { keeper, failing: None }
    }

    /// Saves the marks if they have moved. Blocks on the disk. After a failure the marks from
    /// before are still there.
    pub(crate) fn save(&mut self) -> Option<News> {
        let saved = self.keeper.save(false);
        let failing = saved.is_err().then(|| match self.keeper.is_rewind_saved() {
            true => IfKilled::SendsAgain,
            false => IfKilled::Skips,
        });
        let before = std::mem::replace(&mut self.failing, failing);
        match (saved, failing) {
            (Err(error), Some(now)) => {
                (before != failing).then(|| News::Fails(error.to_string(), now))
            }
            _ => before.map(|_| News::WorksAgain),
        }
    }
}

/// Saves until the task is aborted: from time to time, and at once when a mark was rewound. Until
/// then a run that is killed would go on from a mark that means nothing any more.
pub(super) async fn run(keeper: Keeper, health: Health) {
    let mut rewinds = keeper.tracker().watch_rewinds();
    let mut saving = Saving::new(keeper);
    loop {
        tokio::select! {
            () = tokio::time::sleep(SAVE_INTERVAL) => {}
            Ok(()) = rewinds.changed() => {}
        }
        let news;
        (saving, news) = blocking(move || {
            let news = saving.save();
            (saving, news)
        })
        .await;
        match news {
            None => {}
            Some(News::WorksAgain) => {
                tracing::info!("the position can be saved again");
                health.set(Part::Position, Condition::Ready);
            }
            Some(News::Fails(why, if_killed)) => {
                tracing::error!("{why}; going on: {if_killed}");
                health.set(Part::Position, Condition::NotReady(why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::position::file::{FileError, Saved, Store};
    use crate::position::{Identity, Record, Tracker};

    /// When something was saved, and whether the disk was waited for.
    #[derive(Debug, Default)]
    struct Times(parking_lot::Mutex<Vec<(tokio::time::Instant, bool)>>);

    impl Store for Times {
        fn save(&self, _: &Record, durably: bool) -> Result<(), FileError> {
            self.0.lock().push((tokio::time::Instant::now(), durably));
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rewind_is_saved_at_once_and_all_else_from_time_to_time() {
        let (tracker, store, start) =
            (Tracker::default(), Arc::new(Times::default()), tokio::time::Instant::now());
        let of = Some(store.clone() as Arc<dyn Store>);
        let (none, whose) = (Saved::Nothing, Identity::default());
        let keeper = Keeper::over(of, None, none, true, whose, tracker.clone()).unwrap();
        let saving = tokio::spawn(run(keeper, Health::default()));
        tracker.issue("*", 0, Some("7".into()));
        tokio::time::sleep(SAVE_INTERVAL * 3 / 2).await;
        tracker.rewind("*");
        tokio::time::sleep(Duration::from_millis(1)).await;
        let saved: Vec<_> = store
            .0
            .lock()
            .iter()
            .map(|(at, durably)| (at.duration_since(start), *durably))
            .collect();
        // A timer of tokio's is precise to a millisecond.
        assert!(matches!(saved[..], [(_, false), (_, true)]), "{saved:?}");
        assert!(saved[1].0 < SAVE_INTERVAL * 3 / 2 + Duration::from_millis(2), "{saved:?}");
        saving.abort();
    }

    #[derive(Debug, Default)]
    struct Fails {
        has_room: AtomicBool,
    }

    impl Store for Fails {
        fn save(&self, _: &Record, _: bool) -> Result<(), FileError> {
            let error = std::io::ErrorKind::StorageFull.into();
            let failed = || Err(FileError { path: "on-a-full-disk".into(), error });
            if self.has_room.load(Ordering::Relaxed) { Ok(()) } else { failed() }
        }
    }

    #[test]
    fn a_failure_is_told_once_and_so_is_its_end() {
        let (tracker, store) = (Tracker::default(), Arc::new(Fails::default()));
        let of = Some(store.clone() as Arc<dyn Store>);
        let (none, whose) = (Saved::Nothing, Identity::default());
        let keeper = Keeper::over(of, None, none, true, whose, tracker.clone()).unwrap();
        let mut saving = Saving::new(keeper);
        tracker.issue("*", 0, Some("7".into()));
        let Some(News::Fails(why, IfKilled::SendsAgain)) = saving.save() else {
            panic!("it cannot be saved")
        };
        assert!(why.contains("on-a-full-disk"), "{why}");
        assert_eq!(saving.save(), None);
        tracker.rewind("*");
        assert_eq!(saving.save(), Some(News::Fails(why, IfKilled::Skips)), "that is worse");
        assert_eq!(saving.save(), None);
        store.has_room.store(true, Ordering::Relaxed);
        assert_eq!(saving.save(), Some(News::WorksAgain));
        assert_eq!(saving.save(), None);
    }
}
