//! What waits for the sink: bounded in bytes, first in first out, and cut into batches.
//!
//! Constraints: writers are OS threads that may sleep, the reader is a task that may not. The bound is on
//! real memory, so documents are charged with what their buffers have allocated, and the charge ends when
//! that memory does ([`Stored`]), not when their last request ends.
//!
//! Invariant: what is charged is at most `memory`, but for one `Documents` that is larger than all of it and
//! then is there alone. Nothing is dropped because the buffer is full: the writer waits.

mod batcher;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the buffer on disk is made of it next"))]
mod log;
mod room;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use self::batcher::Batcher;
use self::room::Room;
use crate::event::{Document, Documents};
use crate::handoff::{BatchLimits, Closed, Inbox, Item, Outbox, Stored};
use crate::ledger::Held;
use crate::metrics::Metrics;

/// `[buffer]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of documents in memory, those being sent included.
    pub memory: u64,
    /// Where to keep what the memory cannot hold; `None`: the source waits instead. (`config` refuses it in this
    /// version.)
    pub spool: Option<SpoolSettings>,
}

/// `path` and `disk` in `[buffer]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// A folder for this pipeline alone; need not exist yet.
    pub path: PathBuf,
    /// Bytes that it may take; at least [`Settings::memory`], so that all that waits in memory fits.
    pub disk: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { memory: 16 << 20, spool: None }
    }
}

/// A buffer in memory: the workers' end and the sink's.
///
/// When all writers are dropped, the reader gives the rest and then ends. When the reader is dropped,
/// writers get [`Closed`], those that wait included.
pub fn channel(settings: &Settings, metrics: &Metrics) -> (Writer, Reader) {
    let gauge = metrics.buffer_bytes.with_label_values(&["memory"]);
    let room = Arc::new(Room::new(settings.memory, gauge));
    // What is charged is at least the struct itself, so no more messages than this can be on the way,
    // and sending never waits: the room is the bound.
    let messages_max = settings.memory / size_of::<Documents>() as u64 + 1;
    let (sender, arrivals) = mpsc::channel(usize::try_from(messages_max).unwrap_or(usize::MAX >> 4));
    (Writer { room: room.clone(), sender }, Reader { room, arrivals, batcher: Batcher::default() })
}

/// Where workers put documents. Clones share one buffer.
#[derive(Clone, Debug)]
pub struct Writer {
    room: Arc<Room>,
    sender: mpsc::Sender<Stored>,
}

impl Outbox for Writer {
    fn put(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        if documents.docs.is_empty() {
            return Ok(());
        }
        let share = Room::take_blocking(&self.room, charge(&documents))?;
        self.sender.try_send(Stored::new(documents, held, share)).map_err(|_| Closed)
    }
}

/// Bytes of memory that `documents` occupies.
fn charge(documents: &Documents) -> u64 {
    let docs = documents.docs.capacity() * size_of::<Document>();
    (size_of::<Documents>() + documents.bytes.capacity() + docs) as u64
}

/// Where the sink takes batches from.
#[derive(Debug)]
pub struct Reader {
    room: Arc<Room>,
    arrivals: mpsc::Receiver<Stored>,
    batcher: Batcher,
}

impl Inbox for Reader {
    async fn next(&mut self, limits: BatchLimits) -> Option<Vec<Item>> {
        loop {
            while let Ok(documents) = self.arrivals.try_recv() {
                self.batcher.push(documents);
            }
            if let Some(batch) = self.batcher.cut(limits) {
                return Some(batch);
            }
            // The only await, and recv is cancel-safe.
            self.batcher.push(self.arrivals.recv().await?);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests;
