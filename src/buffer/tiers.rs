//! When documents go to disk, when they come back, and who is told. Uses the disk through the log;
//! has no thread, no lock and no clock of its own, so that a simulator can drive it as it is.
//!
//! Invariants:
//!
//! - The source's mark passes an event only when it is settled, or when its record is synced.
//! - Once anything on disk is unread, new documents go behind it.
//! - A document is in the reader's way once: what was copied while it waited in memory is not read
//!   from the disk again by this process.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::charge;
use super::log::{
    AppendError, Disk, IoError, Limits, Log, OpenError, Opened, ReadError, Record, Seq,
};
use super::memory::{Guarded, Memory};
use crate::event::Documents;
use crate::handoff::{Closed, Stored};
use crate::ledger::{Held, Ledger, ReasonId, Settlement, Tally};
use crate::position::{Position, Positions, Tracker};

/// The memory is filled from the disk to this many bytes of documents: a few of the sink's
/// requests.
pub(super) const AHEAD_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Tiers<D: Disk> {
    log: Log<D>,
    memory: Arc<Memory>,
    tracker: Tracker,
    settled: Arc<Settled>,
    /// Appended and not synced.
    unsynced: Vec<Unsynced>,
    /// The events of records that are not in memory.
    held: Held,
    /// Read, and there was no room for it yet.
    read_ahead: Option<(Seq, Documents)>,
    /// What documents are counted as that were damaged on disk.
    lost_reason: ReasonId,
    begun: Begun,
    /// How many of the tracker's rewinds are in `begun`.
    rewinds: u64,
    troubles: Troubles,
}

/// Where the settled marks begin.
#[derive(Debug)]
struct Begun {
    /// The first record whose marks count.
    first: Seq,
    /// What holds until those before it and it are settled.
    marks: Positions,
    /// Whether others settle what those before it hold.
    is_settled: bool,
}

/// What each kind of work last met.
#[derive(Debug, Default)]
struct Troubles {
    append: Option<Trouble>,
    sync: Option<Trouble>,
    read: Option<Trouble>,
    tidy: Option<Trouble>,
}

/// Documents of records that were settled since the log was told.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<Vec<(Seq, u64)>>);

#[derive(Debug)]
enum Unsynced {
    /// Nowhere else.
    Spooled(Held),
    /// In memory, too.
    Copy { seq: Seq, documents: u64, original: Guarded },
}

/// Why the disk does not do what it should. Nothing is lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It passes when the sink takes documents again.
    Full(String),
    /// It needs a person.
    Fails(String),
}

impl Trouble {
    fn of(error: IoError) -> Trouble {
        Trouble::Fails(error.to_string())
    }
}

/// Where documents went.
#[derive(Debug)]
pub(super) enum Put {
    Memory,
    /// Safe once it is synced.
    Disk,
    /// Nowhere: both are full, or the disk fails.
    Nowhere(Documents, Held),
}

/// A record's documents in memory.
#[derive(Debug)]
struct Ticket {
    settled: Arc<Settled>,
    seq: Seq,
}

impl Settlement for Ticket {
    fn settled(&self, count: u64) {
        self.settled.0.lock().unwrap_or_else(|e| e.into_inner()).push((self.seq, count));
    }
}

impl<D: Disk> Tiers<D> {
    /// What `disk` holds of an earlier run goes first. Also answers whether that disk was new.
    pub(super) fn open(
        disk: D,
        limits: Limits,
        memory: Arc<Memory>,
        tracker: Tracker,
        ledger: &Ledger,
    ) -> Result<(Tiers<D>, bool), OpenError> {
        let Opened { log, recovered, marks, is_new } = Log::open(disk, limits)?;
        if recovered > 0 {
            let read_up_to: Vec<String> =
                marks.iter().flatten().map(|(scope, mark)| format!("{scope} {mark}")).collect();
            let read_up_to = read_up_to.join(", ");
            tracing::info!(
                documents = recovered,
                read_up_to,
                "an earlier run had not sent all: that goes first"
            );
        }
        let tiers = Tiers {
            // What an earlier run wrote beside its records may not hold any more: it may have lost
            // some, or have had to start over, and be gone before those were read
            // again.
            begun: Begun { first: log.end(), marks: Positions::new(), is_settled: false },
            rewinds: tracker.rewinds(),
            log,
            memory,
            tracker,
            settled: Arc::default(),
            unsynced: Vec::new(),
            held: ledger.recover(recovered),
            read_ahead: None,
            lost_reason: ledger.dead_letter_reason("buffer", "damaged"),
            troubles: Troubles::default(),
        };
        Ok((tiers, is_new))
    }

    /// Into memory if nothing on disk is before it and there is room, else onto the disk.
    pub(super) fn put(
        &mut self,
        documents: Documents,
        held: Held,
        now: Instant,
    ) -> Result<Put, Closed> {
        if !self.has_unread()
            && let Some(share) = self.memory.try_room(charge(&documents))
        {
            self.memory.push(Stored::new(documents, held, share), now)?;
            self.troubles.append = None;
            return Ok(Put::Memory);
        }
        let record = Record { documents: &documents, marks: &self.tracker.marks(), is_copy: false };
        match self.log.append(&record) {
            Ok(_) => {
                self.troubles.append = None;
                self.unsynced.push(Unsynced::Spooled(held));
                Ok(Put::Disk)
            }
            Err(error) => {
                self.cannot_append(&error);
                Ok(Put::Nowhere(documents, held))
            }
        }
    }

    /// Has the log know what was settled, and write it down: so that a power failure does not undo
    /// it, when `durably`.
    pub(super) fn settle(&mut self, durably: bool) {
        let settled =
            std::mem::take(&mut *self.settled.0.lock().unwrap_or_else(|e| e.into_inner()));
        if !settled.is_empty() {
            // There may be room now: whoever waits for it looks again.
            self.troubles.append.take_if(|trouble| matches!(trouble, Trouble::Full(_)));
        }
        for (seq, count) in settled {
            self.log.settle(seq, count);
        }
        self.troubles.tidy = self.log.tidy(durably).err().map(Trouble::of);
    }

    /// Copies what has been nowhere but in memory since before `until`.
    pub(super) fn copy_waiting(&mut self, until: Instant) {
        let mut waiting = self.memory.take_only_here(until).into_iter();
        while let Some(original) = waiting.next() {
            let Some(documents) = original.documents.upgrade() else { continue };
            let record =
                Record { documents: &documents, marks: &self.tracker.marks(), is_copy: true };
            match self.log.append(&record) {
                Ok(seq) => {
                    let documents = documents.docs.len() as u64;
                    self.unsynced.push(Unsynced::Copy { seq, documents, original });
                }
                Err(error) => {
                    self.cannot_append(&error);
                    self.memory.put_back(std::iter::once(original).chain(waiting).collect());
                    return;
                }
            }
        }
    }

    /// Makes durable what was appended, and tells whoever waited for that.
    pub(super) fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        self.troubles.sync = self.log.sync().err().map(Trouble::of);
        if self.troubles.sync.is_some() {
            return;
        }
        for unsynced in std::mem::take(&mut self.unsynced) {
            match unsynced {
                Unsynced::Spooled(mut held) => {
                    held.hand_over();
                    self.held.merge(held);
                }
                Unsynced::Copy { seq, documents, original } => {
                    let mut unsettled = 0;
                    if let Some(stored) = original.documents.upgrade() {
                        stored.hand_over(|count| {
                            unsettled = count;
                            self.ticket(seq)
                        });
                    }
                    self.log.settle(seq, documents - unsettled);
                }
            }
        }
    }

    /// Reads from the disk what the sink may want next, as far as there is room for it.
    pub(super) fn fill_memory(&mut self) {
        // What is not synced is still somebody else's to hand over.
        while self.unsynced.is_empty() && self.memory.waiting_bytes() < AHEAD_BYTES {
            let Some((seq, documents)) = self.read_ahead.take().or_else(|| self.read()) else {
                break;
            };
            let Some(share) = self.memory.try_room(charge(&documents)) else {
                self.read_ahead = Some((seq, documents));
                break;
            };
            let held = self.held.split(documents.docs.len() as u64).with_ticket(self.ticket(seq));
            self.memory.push_loaded(Stored::new(documents, held, share));
        }
    }

    fn read(&mut self) -> Option<(Seq, Documents)> {
        loop {
            match self.log.read() {
                Ok(record) => {
                    self.troubles.read = None;
                    return record.map(|(seq, record)| (seq, record.documents));
                }
                Err(error @ ReadError::Damaged { documents, .. }) => {
                    tracing::error!("{error}");
                    // No outcome is right for them but to be told and counted.
                    let mut tally = Tally::default();
                    tally.dead_lettered(self.lost_reason, documents);
                    // Before they count as done with, so that no mark passes them.
                    self.tracker.rewind_all();
                    self.held.settle(&tally);
                }
                Err(ReadError::Io(error)) => {
                    self.troubles.read = Some(Trouble::of(error));
                    return None;
                }
            }
        }
    }

    fn ticket(&self, seq: Seq) -> Arc<dyn Settlement> {
        Arc::new(Ticket { settled: self.settled.clone(), seq })
    }

    fn cannot_append(&mut self, error: &AppendError) {
        let text = error.to_string();
        self.troubles.append = Some(match error {
            AppendError::Full { .. } => Trouble::Full(text),
            AppendError::TooLarge { .. } | AppendError::Io(_) => Trouble::Fails(text),
        });
    }

    /// Whether the disk has documents that come before new ones.
    pub(super) fn has_unread(&self) -> bool {
        self.read_ahead.is_some() || !self.log.is_drained()
    }

    /// Documents on disk that are not settled.
    pub(super) fn documents(&self) -> u64 {
        self.log.documents()
    }

    /// Bytes that the log takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.log.bytes()
    }

    /// Bytes on disk for the sake of documents.
    pub(super) fn document_bytes(&self) -> u64 {
        self.log.segment_bytes()
    }

    /// What is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        let Troubles { append, sync, read, tidy } = &self.troubles;
        sync.as_ref().or(read.as_ref()).or(append.as_ref()).or(tidy.as_ref())
    }

    /// The source goes on from `marks`, before which everything is settled, by others if not by us:
    /// what the disk holds from before is still sent, and holds no mark back.
    pub(super) fn begin(&mut self, marks: Positions) {
        self.begun = Begun { first: self.log.end(), marks, is_settled: true };
    }

    /// Up to where everything is settled, of `read`, which was looked up before: what was spooled
    /// since is above it.
    pub(super) fn settled_marks(&mut self, read: Positions) -> Positions {
        let rewinds = self.tracker.rewinds();
        if rewinds != self.rewinds {
            // The marks of records until now may be of what a cluster was before it was restored.
            self.rewinds = rewinds;
            let marks = read.keys().map(|scope| (scope.clone(), Position::Nowhere)).collect();
            self.begun = Begun { first: self.log.end(), marks, is_settled: false };
        }
        let Begun { first, is_settled, .. } = self.begun;
        if self.log.documents() == 0 || (is_settled && self.log.end() == first) {
            // As if it had begun here: what is spooled next does not take it back.
            self.begun = Begun { first: self.log.end(), marks: read.clone(), is_settled: true };
            return read;
        }
        match self.log.settled_marks() {
            Some(settled) if self.log.settled() > first => settled.clone(),
            _ => self.begun.marks.clone(),
        }
    }
}
