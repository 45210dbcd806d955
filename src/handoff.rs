//! How events pass from part to part: the source hands chunks to workers, workers hand documents to
//! the buffer, the sink takes batches out of it. The parts know these types and nothing of each
//! other.
//!
//! Invariant: whatever is handed over carries its [`Held`], so the ledger always knows how many
//! events are on the way; and whatever waits is bounded: raw events by the [`ChunkPool`], documents
//! by the buffer.

use std::any::Any;
use std::future::Future;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};

use crate::event::{Chunk, ChunkPool, Document, DocumentIdentity, Documents, Micros, Origin};
use crate::ledger::{Held, Ledger, Settlement, Tally};
use crate::position::{Position, Tracker};

/// The other side has ended; this side should end too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the next part of the pipeline has ended")]
pub struct Closed;

/// One worker's share of a chunk: the events whose `head.shard % workers` is this worker's number,
/// and for worker 0 the chunk's rejections.
#[derive(Debug)]
pub struct Work {
    /// The chunk, shared with the other workers that have events in it.
    pub chunk: Arc<Chunk>,
    /// This worker's share of its events.
    pub held: Held,
}

/// Where a source puts its chunks.
#[derive(Clone, Debug)]
pub struct SourceSender {
    ledger: Ledger,
    pool: ChunkPool,
    tracker: Tracker,
    workers: Vec<mpsc::Sender<Work>>,
}

impl SourceSender {
    /// A sender to `workers` workers over a pool of `chunks`, and the workers' ends. `tracker` is
    /// told of what is sent.
    pub fn new(
        ledger: Ledger,
        tracker: Tracker,
        chunks: usize,
        workers: usize,
    ) -> (SourceSender, Vec<mpsc::Receiver<Work>>) {
        // No queue can hold more than all chunks there are, so sending never waits: the pool is the
        // bound.
        let (senders, receivers) = (0..workers).map(|_| mpsc::channel(chunks)).unzip();
        let pool = ChunkPool::new(chunks);
        (SourceSender { ledger, pool, tracker, workers: senders }, receivers)
    }

    /// Where to go on in a scope: what an earlier run has reached.
    pub(crate) fn start_of(&self, scope: &str) -> Option<Position> {
        self.tracker.marks().remove(scope)
    }

    /// Nothing more is to come before `position` in this scope than was sent.
    pub(crate) fn reached(&self, scope: &str, position: Position) {
        self.tracker.issue(scope, 0, Some(position));
    }

    /// The positions of this scope mean nothing any more: see [`Tracker::rewind`].
    pub(crate) fn rewind(&self, scope: &str) {
        self.tracker.rewind(scope);
    }

    /// Told when something is lost that had been read: see [`Tracker::rewind_all`].
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        self.tracker.losses()
    }

    /// Hands on a chunk of a source that cannot go on in the middle of its input.
    ///
    /// # Errors
    ///
    /// When the workers have ended.
    pub fn send(&self, chunk: Chunk) -> Result<(), Closed> {
        let held = self.ledger.receive(chunk.received());
        self.hand_out(chunk, held)
    }

    /// Events of a dead letter, from here on replayed; `ticket` is told as they are settled.
    pub(crate) fn replay(&self, count: u64, ticket: Arc<dyn Settlement>) -> Held {
        self.ledger.replay(count).with_ticket(ticket)
    }

    /// Hands on a chunk of a dead letter's events; `ticket` is told as they are settled.
    ///
    /// # Errors
    ///
    /// When the workers have ended.
    pub(crate) fn send_replayed(
        &self,
        chunk: Chunk,
        ticket: Arc<dyn Settlement>,
    ) -> Result<(), Closed> {
        let held = self.replay(chunk.received(), ticket);
        self.hand_out(chunk, held)
    }

    /// Where the source takes its chunks from; waiting there is the back pressure.
    pub(crate) fn pool(&self) -> &ChunkPool {
        &self.pool
    }

    /// Hands a chunk's events to their workers: from here on they are received. Never waits. When
    /// they and all before them in `scope` are done with, `reaches` is reached; `None` in the
    /// middle of a list.
    ///
    /// # Errors
    ///
    /// When the workers have ended.
    pub(crate) fn send_of(
        &self,
        chunk: Chunk,
        scope: &str,
        reaches: Option<Position>,
    ) -> Result<(), Closed> {
        let held = self.ledger.receive(chunk.received());
        match self.tracker.issue(scope, chunk.received(), reaches) {
            Some(ticket) => self.hand_out(chunk, held.with_ticket(ticket)),
            None => Ok(()),
        }
    }

    fn hand_out(&self, chunk: Chunk, mut held: Held) -> Result<(), Closed> {
        let chunk = Arc::new(chunk);
        for (worker, sender) in self.workers.iter().enumerate() {
            let count = self.share(&chunk, worker);
            if count > 0 {
                let work = Work { chunk: chunk.clone(), held: held.split(count) };
                sender.try_send(work).map_err(|_| Closed)?;
            }
        }
        Ok(())
    }

    fn share(&self, chunk: &Chunk, worker: usize) -> u64 {
        if self.workers.len() == 1 {
            return chunk.received();
        }
        let events =
            chunk.events.iter().filter(|e| e.head.shard as usize % self.workers.len() == worker);
        let rejections = if worker == 0 { chunk.rejections.len() } else { 0 };
        (events.count() + rejections) as u64
    }
}

/// When this process last became the one that reads, or ceased to be it: what was written before
/// then, others may have sent already. Clones share one time.
#[derive(Clone, Debug)]
pub struct Takeover(Arc<Times>);

#[derive(Debug)]
struct Times {
    last: AtomicI64,
    /// When this process ceases to be the one that reads, unless it is told otherwise before.
    lapses_at: AtomicI64,
}

/// Later than any time.
const NEVER: Micros = Micros::MAX;

impl Takeover {
    /// At this time, in µs since the epoch.
    pub(crate) fn at(time: Micros) -> Takeover {
        let (last, lapses_at) = (AtomicI64::new(time), AtomicI64::new(NEVER));
        Takeover(Arc::new(Times { last, lapses_at }))
    }

    /// Another one, at `time`; the latest one counts.
    pub(crate) fn record(&self, time: Micros) {
        self.0.last.fetch_max(time, Ordering::Relaxed);
    }

    /// At `time` another replica may take over, and this one may be the last to learn of it;
    /// `None`: that cannot happen.
    pub(crate) fn lapses_at(&self, time: Option<Micros>) {
        self.0.lapses_at.store(time.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Whether another replica may have taken over by `now`, although nobody has said so.
    pub(crate) fn has_lapsed(&self, now: Micros) -> bool {
        self.0.lapses_at.load(Ordering::Relaxed) <= now
    }

    /// When the last one was, as seen at `now`; both in µs since the epoch. What this process has
    /// when it has lapsed was written before.
    pub(crate) fn time(&self, now: Micros) -> Micros {
        let lapses_at = self.0.lapses_at.load(Ordering::Relaxed);
        if lapses_at <= now {
            self.record(lapses_at);
        }
        self.0.last.load(Ordering::Relaxed)
    }
}

/// Now, by this machine's clock.
impl Default for Takeover {
    fn default() -> Takeover {
        Takeover::at(now())
    }
}

/// The time in µs since the epoch, by this machine's clock.
pub(crate) fn now() -> Micros {
    jiff::Timestamp::now().as_microsecond()
}

/// Where workers put finished documents.
pub trait Outbox: Send + Sync {
    /// Waits, asleep on this thread, until there is room, and hands the documents on. `held` counts
    /// exactly them.
    fn put(&self, documents: Documents, held: Held) -> Result<(), Closed>;
}

/// Where the sink takes documents from.
pub trait Inbox: Send {
    /// The next batch, in order; waits for the first document. `None` when no more will come.
    /// Cancel-safe.
    fn next(&mut self, limits: BatchLimits) -> impl Future<Output = Option<Vec<Item>>> + Send;
}

/// Bounds of one batch; one document larger than `bytes` still makes a batch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes of documents.
    pub bytes: usize,
    /// Documents.
    pub count: usize,
}

/// Documents in the buffer, with their events and with the room that they take there: both are
/// given back in one moment, when the last [`Item`] of them is dropped.
#[derive(Debug)]
pub(crate) struct Stored {
    documents: Documents,
    /// Those of its events that have no outcome.
    held: Mutex<Held>,
    _room: Box<dyn Any + Send + Sync>,
}

impl Stored {
    /// Ties `documents` to their events, and to `room`, whatever the buffer means by it.
    pub(crate) fn new(documents: Documents, held: Held, room: impl Any + Send + Sync) -> Stored {
        debug_assert_eq!(documents.docs.len() as u64, held.count());
        Stored { documents, held: Mutex::new(held), _room: Box::new(room) }
    }

    fn split(&self, count: u64) -> Held {
        self.lock().split(count)
    }

    /// They are safe on this machine's disk. From now on `ticket`, which is given how many are not
    /// settled, is told when they are, and nobody else.
    pub(crate) fn hand_over(&self, ticket: impl FnOnce(u64) -> Arc<dyn Settlement>) {
        let mut held = self.lock();
        held.hand_over();
        let count = held.count();
        let own = held.split(count).with_ticket(ticket(count));
        *held = own;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

impl Deref for Stored {
    type Target = Documents;

    fn deref(&self) -> &Documents {
        &self.documents
    }
}

/// One document on its way to the sink, and the duty to give its event an outcome: there is one
/// `Item` for each, and it ends in [`Item::settle_all`]. One that is dropped leaves its event in
/// flight.
#[derive(Debug)]
pub struct Item {
    documents: Arc<Stored>,
    index: u32,
}

impl Item {
    /// One for each of `documents`, in order.
    pub(crate) fn all_of(documents: Arc<Stored>) -> impl Iterator<Item = Item> {
        let count = documents.docs.len() as u32;
        (0..count).map(move |index| Item { documents: documents.clone(), index })
    }

    /// Gives each of `items` its outcome, in one move of the ledger.
    ///
    /// # Panics
    ///
    /// When `tally` counts more or fewer than they are.
    pub(crate) fn settle_all(items: Vec<Item>, tally: &Tally) {
        let runs = items.chunk_by(|a, b| Arc::ptr_eq(&a.documents, &b.documents));
        Held::settle_all(runs.map(|run| run[0].documents.split(run.len() as u64)), tally);
    }

    /// The same document in a buffer of its own, to be sent once more. No event depends on it, and
    /// it is never settled. It carries nothing of its source.
    pub(crate) fn copy(&self) -> Item {
        let (from, document) = (self.documents(), self.document());
        let mut bytes = Vec::with_capacity(document.body.len() + 64);
        let mut put = |range: &Range<usize>| {
            let start = bytes.len();
            bytes.extend_from_slice(&from.bytes[range.clone()]);
            start..bytes.len()
        };
        let body = put(&document.body);
        let identity = document.identity.as_ref().map(|identity| match identity {
            DocumentIdentity::Object { uid, version } => {
                DocumentIdentity::Object { uid: put(uid), version: put(version) }
            }
            DocumentIdentity::Digest(hex) => DocumentIdentity::Digest(put(hex)),
        });
        let document = Document { body, identity, origin: Origin::default(), ..*document };
        let documents = Documents { bytes, docs: vec![document] };
        let stored =
            Stored { documents, held: Mutex::new(self.documents.split(0)), _room: Box::new(()) };
        Item { documents: Arc::new(stored), index: 0 }
    }

    /// The buffer that it lies in.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// What addresses it.
    pub(crate) fn document(&self) -> &Document {
        &self.documents.docs[self.index as usize]
    }

    /// The JSON, without its line break.
    pub(crate) fn body(&self) -> &[u8] {
        self.documents.body(self.document())
    }
}
