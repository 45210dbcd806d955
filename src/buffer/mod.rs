//! What waits for the sink: memory first, then disk, both bounded in bytes; first in first out, and
//! cut into batches.
//!
//! ```text
//!   writers ──> memory ──────────────> reader    while the sink keeps up
//!          └──> disk ───> memory ────┘           once memory is full, until the disk is read out
//!               memory ──> disk                  a copy of what waits for long, lest a crash
//!                                                lose it
//! ```
//!
//! Constraints: writers are OS threads that may sleep, the reader is a task that may not. The bound
//! is on real memory, so documents are charged with what their buffers have allocated, and the
//! charge ends when that memory does ([`Stored`](crate::handoff::Stored)), not when their last
//! request ends.
//!
//! Invariant: what is charged is at most `memory`, but for one `Documents` that is larger than all
//! of it and then is there alone. Nothing is dropped because the buffer is full: the writer waits.

mod batcher;
mod conditions;
mod intake;
mod log;
mod memory;
mod record;
mod room;
mod settled;
mod spool;
mod thread;
mod tiers;

use crate::process::Process;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::intake::Intake;
pub use self::log::OpenError;
use self::log::{Disk, Folder, Limits};
use self::memory::{Found, Memory};
use self::record::Contents;
use self::room::Room;
use self::thread::SpoolThread;
use crate::event::{Document, Documents};
use crate::folders;
use crate::handoff::{BatchLimits, Closed, Inbox, Item, Outbox};
use crate::ledger::Held;
use crate::metrics::Metrics;
use crate::position::{Positions, SettledPositions, Tracker};

/// `[buffer]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of documents in memory, those being sent included.
    pub memory: u64,
    /// Where to keep what the memory cannot hold; `None`: the source waits instead.
    pub spool: Option<SpoolSettings>,
}

/// `path` and `disk` in `[buffer]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// A folder for this pipeline alone; need not exist yet.
    pub path: PathBuf,
    /// Bytes that it may take; at least [`Settings::memory`], so that all that waits in memory
    /// fits.
    pub disk: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { memory: 16 << 20, spool: None }
    }
}

fn memory(settings: &Settings, metrics: &Metrics, has_disk: bool) -> Arc<Memory> {
    let gauge = metrics.buffer_bytes.with_label_values(&["memory"]);
    Arc::new(Memory::new(Arc::new(Room::new(settings.memory, gauge)), has_disk))
}

/// Opens a buffer: the workers' end, the sink's, and what is left to do with it besides.
///
/// When all writers are dropped, the reader gives the rest and then ends. When the reader is
/// dropped, writers get [`Closed`], those that wait included. In a drain nothing more is taken from
/// the disk: it is safe there, for the next run.
///
/// # Errors
///
/// When the folder on disk cannot be used.
pub fn open(settings: &Settings, process: &Process) -> Result<(Writer, Reader, Handle), OpenError> {
    let memory = memory(settings, &process.metrics, settings.spool.is_some());
    let gauge = process.metrics.buffer_bytes.with_label_values(&["disk"]);
    let (spool, intake, is_new, folder) = match &settings.spool {
        None => (None, Intake::new(memory.clone(), None), true, None),
        Some(settings) => {
            let folder = folders::Folder::make(&settings.path)?;
            let (spool, intake, is_new) =
                SpoolThread::start(folder.clone(), settings.disk, memory.clone(), gauge, process)?;
            (Some(spool), intake, is_new, Some(folder))
        }
    };
    let end = Arc::new(WritersEnd(memory.clone()));
    let writer = Writer { memory: memory.clone(), spool: spool.clone(), _end: end };
    let reader = Reader { memory, intake, spool: spool.clone() };
    Ok((writer, reader, Handle { spool, is_new, folder }))
}

/// A buffer without a disk, for tests of what stands before and behind it.
#[cfg(test)]
pub(crate) fn in_memory(process: &Process) -> (Writer, Reader) {
    let opened = open(&Settings::default(), process);
    let (writer, reader, _) = opened.unwrap_or_else(|error| unreachable!("no disk, yet {error}"));
    (writer, reader)
}

/// Takes a spool's folder for this process as long as the answer lives, so that no run has it
/// meanwhile. Makes it where it is missing.
///
/// # Errors
///
/// When another process has it, or it cannot be used.
pub(crate) fn lock(path: &Path) -> Result<FolderLock, OpenError> {
    let folder = folders::Folder::make(path)?;
    let mut lock = Folder::new(folder.clone());
    lock.lock()?;
    Ok(FolderLock { folder, _lock: lock })
}

/// How many documents wait in a spool's folder for the next run, which sends them first. Takes the
/// folder meanwhile, and opens what is there as that run would; a folder without a spool stays as
/// it is.
///
/// # Errors
///
/// When a process has it, or it cannot be used.
pub(crate) fn documents_in(path: &Path) -> Result<u64, OpenError> {
    let folder = folders::Folder::open(path)?;
    if !log::is_in(&folder) {
        return Ok(0);
    }
    // A bound of what is appended, and nothing is.
    let log = log::Log::<_, Contents>::open(Folder::new(folder), Limits::new(u64::MAX))?.log;
    Ok(log.documents())
}

/// A spool's folder that nobody else has.
#[derive(Debug)]
pub(crate) struct FolderLock {
    folder: folders::Folder,
    _lock: Folder,
}

impl FolderLock {
    /// The folder.
    pub(crate) fn folder(&self) -> &folders::Folder {
        &self.folder
    }
}

/// Where workers put documents. Clones share one buffer.
#[derive(Clone, Debug)]
pub struct Writer {
    memory: Arc<Memory>,
    spool: Option<Arc<SpoolThread>>,
    _end: Arc<WritersEnd>,
}

#[derive(Debug)]
struct WritersEnd(Arc<Memory>);

impl Drop for WritersEnd {
    fn drop(&mut self) {
        self.0.writers_ended();
    }
}

impl Outbox for Writer {
    fn put(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        match &self.spool {
            _ if documents.docs.is_empty() => Ok(()),
            None => self.memory.put_blocking(documents, held),
            Some(spool) => spool.put_blocking(documents, held),
        }
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
    memory: Arc<Memory>,
    intake: Intake,
    spool: Option<Arc<SpoolThread>>,
}

impl Inbox for Reader {
    async fn next(&mut self, limits: BatchLimits) -> Option<Vec<Item>> {
        loop {
            let (found, wants_work) = self.intake.look(limits);
            if let (true, Some(spool)) = (wants_work, &self.spool) {
                spool.call();
            }
            match found {
                Found::Batch(batch) => return Some(batch),
                Found::End => return None,
                // The only await, and it is cancel-safe.
                Found::Nothing => self.intake.changed().await,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.memory.reader_ended();
        if let Some(spool) = &self.spool {
            spool.reader_ended();
        }
    }
}

/// What is left to do with an open buffer besides writing and reading: its marks, and its end.
#[derive(Debug)]
pub struct Handle {
    spool: Option<Arc<SpoolThread>>,
    is_new: bool,
    folder: Option<folders::Folder>,
}

impl Handle {
    /// The folder, which is this process's as long as the buffer is open.
    pub(crate) fn folder(&self) -> Option<&folders::Folder> {
        self.folder.as_ref()
    }

    /// Whether nothing was on disk yet. A position that is saved there cannot be relied on then:
    /// the documents before it that were not sent are gone.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Brings to disk, as far as that is possible, what is nowhere but in memory. Blocks on the
    /// disk.
    pub(crate) fn secure(&self) {
        if let Some(spool) = &self.spool {
            spool.secure();
        }
    }

    /// Documents without outcome that are on disk, for the next run. Blocks while others use the
    /// disk.
    pub(crate) fn documents_on_disk(&self) -> u64 {
        self.spool.as_ref().map_or(0, |spool| spool.documents())
    }

    /// The settled marks: up to where everything that was read has its outcome, so that nothing is
    /// needed of this machine's disk.
    pub(crate) fn settled_marks(&self, tracker: &Tracker) -> SettledPositions {
        match &self.spool {
            Some(spool) => spool.settled_marks(),
            // Without a disk only an outcome moves the read marks.
            None => SettledPositions(tracker.marks()),
        }
    }

    /// The source goes on from `marks`, before which everything is settled, by others if not by us.
    /// Blocks while others use the disk.
    pub(crate) fn begin(&self, marks: Positions) {
        if let Some(spool) = &self.spool {
            spool.begin(marks);
        }
    }

    /// Ends it, after the writers and the reader. Blocks on the disk.
    pub(crate) fn close(&self) {
        if let Some(spool) = &self.spool {
            spool.close();
        }
    }
}

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
