//! The tier in memory: documents that wait for the sink, and what is left of those that it has
//! taken.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::batcher::Batcher;
use super::charge;
use super::room::{Room, Share};
use crate::event::Documents;
use crate::handoff::{BatchLimits, Closed, Item, Stored};
use crate::ledger::Held;

#[derive(Debug)]
pub(super) struct Memory {
    room: Arc<Room>,
    state: Mutex<State>,
    /// Something came, or the writers have ended.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    batcher: Batcher,
    /// Oldest first; `None` where there is no disk to save them to.
    unsaved: Option<VecDeque<Unsaved>>,
    writers_ended: bool,
    reader_ended: bool,
}

/// Documents that are nowhere but here and in the sink's hands: lost when this process is.
#[derive(Clone, Debug)]
pub(super) struct Unsaved {
    /// Since when.
    pub(super) since: Instant,
    /// What is left of them; nothing when all are settled.
    pub(super) documents: Weak<Stored>,
}

/// What the reader finds.
#[derive(Debug)]
pub(super) enum Found {
    Batch(Vec<Item>),
    /// Nothing, and the writers may bring more.
    Nothing,
    /// Nothing, and no writer is left.
    End,
}

impl Memory {
    /// `has_disk`: documents that come from a writer are remembered for [`Memory::take_unsaved`].
    pub(super) fn new(room: Arc<Room>, has_disk: bool) -> Memory {
        let state = State { unsaved: has_disk.then(VecDeque::new), ..State::default() };
        Memory { room, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Waits, asleep on this thread, for room.
    pub(super) fn put_blocking(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        let share = Room::take_blocking(&self.room, charge(&documents))?;
        self.push(Stored::new(documents, held, share), Instant::now())
    }

    /// Takes documents of a writer, or gives them back when there is no room.
    pub(super) fn try_put(
        &self,
        documents: Documents,
        held: Held,
        now: Instant,
    ) -> Result<Option<(Documents, Held)>, Closed> {
        match self.try_room(charge(&documents)) {
            None => Ok(Some((documents, held))),
            Some(share) => self.push(Stored::new(documents, held, share), now).map(|()| None),
        }
    }

    /// Room for this many bytes, if it is there now.
    pub(super) fn try_room(&self, bytes: u64) -> Option<Share> {
        Room::try_take(&self.room, bytes)
    }

    /// Documents of a writer, with their room.
    fn push(&self, documents: Stored, now: Instant) -> Result<(), Closed> {
        let documents = Arc::new(documents);
        let mut state = self.state.lock();
        if state.reader_ended {
            return Err(Closed);
        }
        if let Some(unsaved) = &mut state.unsaved {
            unsaved.push_back(Unsaved { since: now, documents: Arc::downgrade(&documents) });
        }
        state.batcher.push(documents);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Documents that are on disk too, with their room.
    pub(super) fn push_loaded(&self, documents: Stored) {
        self.state.lock().batcher.push(Arc::new(documents));
        self.changed.notify_one();
    }

    /// Bytes of documents that the sink has not taken.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.state.lock().batcher.bytes()
    }

    /// Takes out, oldest first, what has been unsaved since before `until`.
    pub(super) fn take_unsaved(&self, until: Instant) -> Vec<Unsaved> {
        let mut state = self.state.lock();
        let Some(unsaved) = &mut state.unsaved else { return Vec::new() };
        unsaved.retain(|one| one.documents.strong_count() > 0);
        let old = unsaved.iter().take_while(|one| one.since <= until).count();
        unsaved.drain(..old).collect()
    }

    /// Puts back what could not be brought to disk.
    pub(super) fn put_back(&self, those: Vec<Unsaved>) {
        if let Some(unsaved) = &mut self.state.lock().unsaved {
            those.into_iter().rev().for_each(|one| unsaved.push_front(one));
        }
    }

    pub(super) fn find(&self, limits: BatchLimits) -> Found {
        let mut state = self.state.lock();
        match state.batcher.cut(limits) {
            Some(batch) => Found::Batch(batch),
            None if state.writers_ended => Found::End,
            None => Found::Nothing,
        }
    }

    /// Returns when [`Memory::find`] may find something else. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether [`Memory::changed`] would return now; then it does not again.
    #[cfg(test)]
    pub(super) fn has_changed(&self) -> bool {
        let notified = std::pin::pin!(self.changed.notified());
        notified.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    /// Has the reader look again.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    pub(super) fn writers_ended(&self) {
        self.state.lock().writers_ended = true;
        self.changed.notify_one();
    }

    pub(super) fn reader_ended(&self) {
        self.state.lock().reader_ended = true;
        self.room.close();
    }
}
