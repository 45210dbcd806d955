//! Saves the position as it moves, and reports when it cannot be saved. What to report of a save is
//! decided by pure code, which the simulator drives too.

use std::time::Duration;

use crate::blocking::blocking;
use crate::health::{Condition, Health, Part};
use crate::position::Keeper;

/// How far behind the saved position may be: what a run that is killed sends again. Saving costs
/// some 50 µs.
pub(crate) const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// Saves the marks of one run.
#[derive(Debug)]
pub(crate) struct Saving {
    keeper: Keeper,
    is_failing: bool,
}

/// What people should know of a save.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It fails now, and why.
    Fails(String),
    /// It works again.
    WorksAgain,
}

impl Saving {
    /// Of this run, in which nothing has failed yet.
    pub(crate) fn new(keeper: Keeper) -> Saving {
        Saving { keeper, is_failing: false }
    }

    /// Saves the marks if they have moved. Blocks on the disk. After a failure the marks from
    /// before are still there, and whoever is killed now begins further back.
    pub(crate) fn save(&mut self) -> Option<News> {
        let saved = self.keeper.save(false);
        let was_failing = std::mem::replace(&mut self.is_failing, saved.is_err());
        match saved {
            Ok(()) => was_failing.then_some(News::WorksAgain),
            Err(error) => (!was_failing).then(|| News::Fails(error.to_string())),
        }
    }
}

/// Saves until the task is aborted.
pub(super) async fn run(keeper: Keeper, health: Health) {
    let mut saving = Saving::new(keeper);
    loop {
        tokio::time::sleep(SAVE_INTERVAL).await;
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
            Some(News::Fails(why)) => {
                tracing::error!("{why}; going on: a run that is killed now begins further back");
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
        let Some(News::Fails(why)) = saving.save() else { panic!("it cannot be saved") };
        assert!(why.contains("on-a-full-disk"), "{why}");
        assert_eq!(saving.save(), None);
        store.has_room.store(true, Ordering::Relaxed);
        assert_eq!(saving.save(), Some(News::WorksAgain));
        assert_eq!(saving.save(), None);
    }
}
