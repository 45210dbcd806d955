//! The tier in memory: documents that wait for the sink, and what is left of those that it has
//! taken.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

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
    /// Documents that are nowhere but here and in the sink's hands, oldest first, where somebody
    /// wants to know.
    only_here: Option<VecDeque<Guarded>>,
    writers_ended: bool,
    reader_ended: bool,
}

/// Documents that are lost when this process is.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
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
    /// `guarded`: documents that came from a writer are remembered for [`Memory::only_here`].
    pub(super) fn new(room: Arc<Room>, guarded: bool) -> Memory {
        let state = State { only_here: guarded.then(VecDeque::new), ..State::default() };
        Memory { room, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Waits, asleep on this thread, for room.
    pub(super) fn put_blocking(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        let share = Room::take_blocking(&self.room, charge(&documents))?;
        self.push(Stored::new(documents, held, share), Instant::now())
    }

    /// Room for so many bytes, if it is there now.
    pub(super) fn try_room(&self, bytes: u64) -> Option<Share> {
        Room::try_take(&self.room, bytes)
    }

    /// Documents of a writer, with their room, `now`.
    pub(super) fn push(&self, documents: Stored, now: Instant) -> Result<(), Closed> {
        let documents = Arc::new(documents);
        let mut state = self.lock();
        if state.reader_ended {
            return Err(Closed);
        }
        if let Some(only_here) = &mut state.only_here {
            let weak = Arc::downgrade(&documents);
            only_here.push_back(Guarded { since: now, documents: weak });
        }
        state.batcher.push(documents);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Documents that are on disk too, with their room.
    pub(super) fn push_loaded(&self, documents: Stored) {
        self.lock().batcher.push(Arc::new(documents));
        self.changed.notify_one();
    }

    /// Bytes of documents that the sink has not taken.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.lock().batcher.bytes()
    }

    /// Takes out, oldest first, what is nowhere but here since before `until`.
    pub(super) fn take_only_here(&self, until: Instant) -> Vec<Guarded> {
        let mut state = self.lock();
        let Some(only_here) = &mut state.only_here else { return Vec::new() };
        only_here.retain(|guarded| guarded.documents.strong_count() > 0);
        let old = only_here.iter().take_while(|guarded| guarded.since <= until).count();
        only_here.drain(..old).collect()
    }

    /// Puts back what could not be brought to disk.
    pub(super) fn put_back(&self, guarded: Vec<Guarded>) {
        if let Some(only_here) = &mut self.lock().only_here {
            guarded.into_iter().rev().for_each(|one| only_here.push_front(one));
        }
    }

    pub(super) fn find(&self, limits: BatchLimits) -> Found {
        let mut state = self.lock();
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

    /// Has the reader look again.
    pub(super) fn look_again(&self) {
        self.changed.notify_one();
    }

    pub(super) fn writers_ended(&self) {
        self.lock().writers_ended = true;
        self.changed.notify_one();
    }

    pub(super) fn reader_ended(&self) {
        self.lock().reader_ended = true;
        self.room.close();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}
