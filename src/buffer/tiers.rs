//! When documents go to disk, when they come back, and who is told. Uses the disk through the log;
//! has no thread, no lock and no clock of its own, so that a simulator can drive it as it is.
//!
//! Invariants:
//!
//! - The source's mark passes an event only when it is settled, or when its record is synced.
//! - Once anything on disk is unread, new documents go behind it.
//! - The reader gets a document once: what was copied while it waited in memory is not read from
//!   the disk again by this process.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::charge;
use super::conditions::Conditions;
use super::log::{AppendError, Disk, Limits, Log, OpenError, Opened, ReadError, Record, Seq};
use super::memory::{Memory, Unsaved};
use super::record::{Contents, Encoder, PLAIN_BYTES_MAX};
use super::settled::{OnDisk, SettledMarks};
use crate::event::Documents;
use crate::handoff::{Closed, Stored};
use crate::health::Condition;
use crate::ledger::{Held, Ledger, ReasonId, Settlement, Tally};
use crate::position::{Positions, Tracker};

/// Memory is filled from the disk up to this many bytes of documents: a few of the sink's requests.
pub(super) const AHEAD_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Tiers<D: Disk> {
    log: Log<D, Contents>,
    encoder: Encoder,
    memory: Arc<Memory>,
    tracker: Tracker,
    settled: Arc<Settled>,
    /// Appended, and not synced yet.
    unsynced: Vec<Unsynced>,
    /// The events of records that are not in memory.
    held: Held,
    /// Read, and there was no room for it yet.
    read_ahead: Option<(Seq, Documents)>,
    /// What documents count as that were damaged on disk.
    lost_reason: ReasonId,
    settled_marks: SettledMarks,
    conditions: Conditions,
}

/// Documents that were settled since the log was told, by record.
#[derive(Debug, Default)]
struct Settled(Mutex<Vec<(Seq, u64)>>);

impl Settled {
    fn take(&self) -> Vec<(Seq, u64)> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// A record's documents in memory: tells the log as they are settled.
#[derive(Debug)]
struct Ticket {
    settled: Arc<Settled>,
    seq: Seq,
}

impl Settlement for Ticket {
    fn settled(&self, count: u64) {
        self.settled.0.lock().push((self.seq, count));
    }
}

#[derive(Debug)]
enum Unsynced {
    /// It is nowhere else.
    Spooled(Held),
    /// It is in memory, too.
    Copy { seq: Seq, documents: u64, original: Unsaved },
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
        let Opened { log, recovered, marks, is_new } = Log::<D, Contents>::open(disk, limits)?;
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
            settled_marks: SettledMarks::new(log.end(), tracker.rewinds()),
            log,
            encoder: Encoder::new(),
            memory,
            tracker,
            settled: Arc::default(),
            unsynced: Vec::new(),
            held: ledger.recover(recovered),
            read_ahead: None,
            lost_reason: ledger.dead_letter_reason("buffer", "damaged"),
            conditions: Conditions::default(),
        };
        Ok((tiers, is_new))
    }

    /// Into memory if nothing on disk comes before it and there is room, else onto the disk, where
    /// it is safe once it is synced. Gives the documents back when both are full, or the disk
    /// fails.
    pub(super) fn put(
        &mut self,
        mut documents: Documents,
        mut held: Held,
        now: Instant,
    ) -> Result<Option<(Documents, Held)>, Closed> {
        if !self.has_unread() {
            match self.memory.try_put(documents, held, now)? {
                None => {
                    self.conditions.appended();
                    return Ok(None);
                }
                Some(given_back) => (documents, held) = given_back,
            }
        }
        match self.append(&documents, false) {
            Ok(_) => {
                self.conditions.appended();
                self.unsynced.push(Unsynced::Spooled(held));
                Ok(None)
            }
            Err(error) => {
                self.conditions.not_appended(&error);
                Ok(Some((documents, held)))
            }
        }
    }

    fn append(&mut self, documents: &Documents, is_copy: bool) -> Result<Seq, AppendError> {
        if documents.bytes.len() > PLAIN_BYTES_MAX {
            return Err(self.log.too_large(documents.bytes.len() as u64));
        }
        let marks = self.tracker.marks();
        let payload = self.encoder.encode(documents, &marks);
        let documents = documents.docs.len() as u32;
        self.log.append(&Record { payload, documents, marks: &marks, is_copy })
    }

    /// Tells the log what was settled, and has it write that down: with `durably`, so that no power
    /// failure undoes it.
    pub(super) fn settle(&mut self, durably: bool) {
        let settled = self.settled.take();
        if !settled.is_empty() {
            self.conditions.may_have_room();
        }
        for (seq, count) in settled {
            self.log.settle(seq, count);
        }
        self.conditions.tidied(self.log.tidy(durably));
    }

    /// Copies to disk what has been nowhere but in memory since before `until`.
    pub(super) fn copy_waiting(&mut self, until: Instant) {
        let mut waiting = self.memory.take_unsaved(until).into_iter();
        while let Some(original) = waiting.next() {
            let Some(stored) = original.documents.upgrade() else { continue };
            match self.append(&stored, true) {
                Ok(seq) => {
                    let documents = stored.docs.len() as u64;
                    self.unsynced.push(Unsynced::Copy { seq, documents, original });
                }
                Err(error) => {
                    self.conditions.copied(Err(error));
                    self.memory.put_back(std::iter::once(original).chain(waiting).collect());
                    return;
                }
            }
        }
        self.conditions.copied(Ok(()));
    }

    /// Makes durable what was appended. From then on the source's mark may pass it.
    pub(super) fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        let result = self.log.sync();
        let is_synced = result.is_ok();
        self.conditions.synced(result);
        if !is_synced {
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
        // The events of records that are not synced are not in `held` yet.
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
                    self.conditions.read(Ok(()));
                    return record;
                }
                Err(error @ ReadError::Damaged { documents, .. }) => {
                    tracing::error!("{error}");
                    // The only outcome that is true of them.
                    let mut tally = Tally::default();
                    tally.dead_lettered(self.lost_reason, documents);
                    // First the tracker, so that no mark passes them when they are settled.
                    self.tracker.rewind_all();
                    self.held.settle(&tally);
                }
                Err(ReadError::Io(error)) => {
                    self.conditions.read(Err(error));
                    return None;
                }
            }
        }
    }

    fn ticket(&self, seq: Seq) -> Arc<dyn Settlement> {
        Arc::new(Ticket { settled: self.settled.clone(), seq })
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

    /// Bytes on disk that documents take.
    pub(super) fn document_bytes(&self) -> u64 {
        self.log.segment_bytes()
    }

    /// What there is to say of the disk.
    pub(super) fn condition(&self) -> &Condition {
        self.conditions.worst()
    }

    /// The source goes on from `marks`, before which everything is settled, by others if not by us.
    pub(super) fn begin(&mut self, marks: Positions) {
        self.settled_marks.begin(self.log.end(), marks, self.tracker.rewinds());
    }

    /// Up to where everything is settled. `read` are the read marks of now, after this many
    /// `rewinds`.
    pub(super) fn settled_marks(&mut self, read: Positions, rewinds: u64) -> Positions {
        let on_disk = OnDisk {
            documents: self.log.documents(),
            end: self.log.end(),
            settled: self.log.settled(),
            marks: self.log.settled_marks(),
        };
        self.settled_marks.marks(read, rewinds, on_disk)
    }
}
