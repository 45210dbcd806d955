//! The marks of one process: saved in its file, written into the Lease, and held against the oracle
//! each time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::clock::SECOND;
use super::super::feed::Feed;
use super::super::leases::Mark as OfLease;
use super::super::oracle::{Mark, Violation};
use super::super::position_file::Epochs;
use super::super::shared::Shared;
use super::Process;
use crate::position::file::Saved;
use crate::position::{Keeper, Position, Positions};

/// Of which lives of the API server the positions are that the processes of one machine may have:
/// the oracle's business.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Known {
    /// The spool has marks of earlier processes; clones are the same.
    of: Rc<RefCell<BTreeMap<(String, u64), u32>>>,
}

impl Known {
    /// A process begins with what was saved.
    pub(super) fn load(&self, saved: &Saved, epochs: &Epochs) {
        if let Saved::Record(record) = saved {
            self.begin(&record.positions, epochs);
        }
    }

    /// Marks to begin with.
    pub(super) fn begin(&self, marks: &Positions, epochs: &Epochs) {
        for (scope, mark) in marks {
            if let (Ok(mark), Some(epoch)) = (mark.as_str().parse(), epochs.get(scope)) {
                self.note(scope, mark, *epoch);
            }
        }
    }

    /// Of which life the mark is from which a scope's source begins.
    pub(super) fn of_mark(&self, scope: &str, marks: &Positions) -> u32 {
        let mark = marks.get(scope).and_then(|mark| mark.as_str().parse().ok());
        mark.and_then(|mark| self.get(scope, mark)).unwrap_or_default()
    }

    /// What a source has learned.
    pub(super) fn learn(&self, feed: &mut Feed) {
        for (position, epoch) in feed.new_epochs() {
            self.note(feed.key(), position, epoch);
        }
    }

    /// Of two lives in which a position was, it may be of the first: that claims less.
    fn note(&self, scope: &str, position: u64, epoch: u32) {
        let mut of = self.of.borrow_mut();
        let known = of.entry((scope.to_owned(), position)).or_insert(epoch);
        *known = epoch.min(*known);
    }

    fn get(&self, scope: &str, position: u64) -> Option<u32> {
        self.of.borrow().get(&(scope.to_owned(), position)).copied()
    }
}

impl Process {
    /// Of which life of the API server a position is.
    fn epoch_of(&self, scope: &str, position: u64) -> Option<u32> {
        let feed = self.feeds.iter().find(|feed| feed.key() == scope);
        feed.and_then(|feed| feed.epoch_of(position)).or_else(|| self.epochs.get(scope, position))
    }

    /// Holds marks against what is so; answers of which lives they are.
    fn check_marks(
        &self,
        which: Mark,
        marks: &Positions,
        shared: &mut Shared,
    ) -> Result<Epochs, Violation> {
        let mut epochs = Epochs::new();
        // Another one leads, and goes on from what it was told itself: this one, which may not know
        // yet, tells nobody any more, and a Lease that it wants to write is not its own.
        let counts = self.lease.is_none() || !shared.leases.is_held_by_another(self.life);
        for (scope, mark) in marks.iter().filter(|(_, mark)| **mark != Position::Nowhere) {
            let number = mark.as_str().parse().map_err(|_| format!("{mark} is no mark"))?;
            let Some(epoch) = self.epoch_of(scope, number) else {
                return Err(format!(
                    "nobody knows from where the {which:?} mark {mark} of {scope} comes"
                ));
            };
            epochs.insert(scope.clone(), epoch);
            if counts {
                shared.check_mark(which, (scope, number, epoch), &self.home.disk)?;
            }
        }
        Ok(epochs)
    }

    /// As production does from time to time. Now and then it fails.
    pub(super) fn save_in_time(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let is_calm = shared.now >= shared.calm_at;
        self.save_due = shared.now + if is_calm { SECOND } else { self.save_every };
        self.check_saved(shared)?;
        self.home.file.fail(!is_calm && self.dice.u8(..16) == 0);
        let news = self.saving.save();
        self.home.file.fail(false);
        if let Some(news) = news {
            shared.trace.say(shared.now, || format!("saving: {news:?}"));
        }
        self.tell_of_saved(shared);
        Ok(())
    }

    /// Answers whether it worked.
    pub(super) fn save(&mut self, durably: bool, shared: &mut Shared) -> Result<bool, Violation> {
        self.check_saved(shared)?;
        let saved = self.keeper.save(durably);
        self.tell_of_saved(shared);
        Ok(saved.is_ok())
    }

    /// Holds the marks that are to be saved against what is so.
    fn check_saved(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let epochs =
            self.check_marks(Mark::Read(self.home.number), &self.tracker.marks(), shared)?;
        let settled = self.buffer.settled_marks();
        self.check_marks(Mark::Settled, &settled, shared)?;
        self.home.file.epochs_are(epochs);
        Ok(())
    }

    /// Who comes next looks into the file, if there is no Lease.
    pub(super) fn tell_of_saved(&self, shared: &mut Shared) {
        let marks = self.tracker.marks();
        if self.lease.is_none() && (marks.is_empty() || self.home.file.holds(&marks)) {
            shared.oracle.told(self.life, shared.now);
        }
    }

    /// What the Lease is to hold of this process's term.
    pub(super) fn mark_of_lease(
        &mut self,
        keeper: &Keeper,
        shared: &mut Shared,
    ) -> Result<Option<OfLease>, Violation> {
        let settled = self.buffer.settled_marks();
        let epochs = self.check_marks(Mark::Settled, &settled, shared)?;
        Ok(keeper.record(settled).map(|text| (text, epochs)))
    }
}
