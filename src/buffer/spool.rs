//! The spool: what is done with the documents in memory and on disk at each step, and when the next
//! step is due.
//!
//! Constraints: it has no thread, no lock and no clock of its own. In production
//! [`SpoolThread`](super::thread::SpoolThread) drives it, in the simulator the simulator does, on a
//! disk of its own. Its calls may block on the disk; what the reader asks is answered by
//! [`Intake`], which never does.
//!
//! Invariant: nothing that this does loses a document that was put. When the disk fails, work that
//! could not be done is left for a later step.

use crate::ledger::Ledger;
use crate::process::Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::intake::{Intake, Unread};
use super::log::{Disk, Limits, OpenError};
use super::memory::Memory;
use super::tiers::Tiers;
use crate::event::Documents;
use crate::handoff::Closed;
use crate::health::Condition;
use crate::ledger::Held;
use crate::position::{Positions, SettledPositions, Tracker};

/// Documents that have waited in memory for this long are copied to disk: well below the five
/// minutes after which an API server may have compacted what would have to be read again, and long
/// enough that nothing is copied while the sink keeps up.
pub(super) const COPY_AFTER: Duration = Duration::from_secs(5);
/// Time between two steps of work: what was appended meanwhile is synced together, and what was
/// settled is written down.
pub(crate) const WORK_INTERVAL: Duration = Duration::from_millis(100);
/// How often what was settled is written down durably: this much is sent again after a power
/// failure.
pub(super) const DURABLY_INTERVAL: Duration = Duration::from_secs(1);
/// How long a writer that finds no room waits before it tries again, unless work is done earlier.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// What a spool knows of the rest of the process.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Where what an earlier run left on disk is entered.
    pub(super) ledger: Ledger,
    /// How far the source has read: written down with what goes to disk.
    pub(super) tracker: Tracker,
    pub(super) drain: CancellationToken,
}

impl From<&Process> for Surroundings {
    fn from(process: &Process) -> Surroundings {
        let (ledger, tracker) = (process.ledger.clone(), process.tracker.clone());
        Surroundings { ledger, tracker, drain: process.shutdown.drain.clone() }
    }
}

/// Memory and disk of one process.
#[derive(Debug)]
pub(super) struct Spool<D: Disk> {
    tiers: Tiers<D>,
    memory: Arc<Memory>,
    tracker: Tracker,
    drain: CancellationToken,
    /// Shared with the reader's [`Intake`].
    has_unread: Arc<AtomicBool>,
    reader_ended: bool,
    /// When to write down durably next; `None`: at once.
    durably_at: Option<Instant>,
    /// What [`Spool::changed_condition`] last answered.
    told: Condition,
}

impl<D: Disk> Spool<D> {
    /// Opens what `disk` holds. Also answers whether nothing was there yet.
    pub(super) fn open(
        disk: D,
        limits: Limits,
        memory: Arc<Memory>,
        surroundings: Surroundings,
    ) -> Result<(Spool<D>, bool), OpenError> {
        let Surroundings { ledger, tracker, drain } = surroundings;
        let (tiers, is_new) = Tiers::open(disk, limits, memory.clone(), tracker.clone(), &ledger)?;
        let spool = Spool {
            has_unread: Arc::new(AtomicBool::new(tiers.has_unread())),
            tiers,
            memory,
            tracker,
            drain,
            reader_ended: false,
            durably_at: None,
            told: Condition::Ready,
        };
        Ok((spool, is_new))
    }

    /// The reader's side of it.
    pub(super) fn intake(&self) -> Intake {
        let unread = Unread { is_any: self.has_unread.clone(), drain: self.drain.clone() };
        Intake::new(self.memory.clone(), Some(unread))
    }

    /// Takes documents, or gives them back when neither memory nor disk has room for them.
    pub(super) fn put(
        &mut self,
        documents: Documents,
        held: Held,
        now: Instant,
    ) -> Result<Option<(Documents, Held)>, Closed> {
        if self.reader_ended {
            return Err(Closed);
        }
        let left = self.tiers.put(documents, held, now)?;
        if self.tiers.has_unread() {
            self.has_unread.store(true, Ordering::Release);
        }
        Ok(left)
    }

    /// One step of work. To be called after each [`WORK_INTERVAL`], when the reader wants more, and
    /// a last time with `is_closing`.
    pub(super) fn work(&mut self, now: Instant, is_closing: bool) {
        let durably = is_closing || self.durably_at.is_none_or(|at| now >= at);
        if durably {
            self.durably_at = Some(now + DURABLY_INTERVAL);
        }
        self.tiers.settle(durably);
        // In a drain everything is copied, for the next run.
        let is_draining = self.drain.is_cancelled();
        if let Some(until) = if is_draining { Some(now) } else { now.checked_sub(COPY_AFTER) } {
            self.tiers.copy_waiting(until);
        }
        self.tiers.sync();
        if !is_closing && !is_draining {
            self.tiers.fill_memory();
        }
        let has_unread = self.tiers.has_unread();
        if self.has_unread.swap(has_unread, Ordering::AcqRel) && !has_unread {
            // The reader may be waiting for documents that turned out not to be there. Only then:
            // it would ask for more work, without end while there is no room or the disk fails.
            self.memory.look_again();
        }
    }

    /// What there is to say of the disk, if that has changed since this was last asked.
    pub(super) fn changed_condition(&mut self) -> Option<Condition> {
        let condition = self.tiers.condition();
        if *condition == self.told {
            return None;
        }
        self.told = condition.clone();
        Some(condition.clone())
    }

    /// See [`Handle::secure`](super::Handle::secure).
    pub(super) fn secure(&mut self, now: Instant) {
        self.tiers.copy_waiting(now);
        self.tiers.sync();
    }

    /// See [`Handle::documents_on_disk`](super::Handle::documents_on_disk).
    pub(super) fn documents(&mut self) -> u64 {
        self.tiers.settle(false);
        self.tiers.documents()
    }

    /// See [`Handle::settled_marks`](super::Handle::settled_marks).
    pub(super) fn settled_marks(&mut self) -> SettledPositions {
        loop {
            let rewinds = self.tracker.rewinds();
            let read = self.tracker.marks();
            // Otherwise the source has rewound in between, and nobody knows which marks these are.
            if self.tracker.rewinds() == rewinds {
                self.tiers.settle(false);
                return SettledPositions(self.tiers.settled_marks(read, rewinds));
            }
        }
    }

    /// See [`Handle::begin`](super::Handle::begin).
    pub(super) fn begin(&mut self, marks: Positions) {
        self.tiers.begin(marks);
    }

    /// Writers get [`Closed`] from now on.
    pub(super) fn reader_ended(&mut self) {
        self.reader_ended = true;
    }

    /// Bytes on disk that documents take.
    pub(super) fn document_bytes(&self) -> u64 {
        self.tiers.document_bytes()
    }

    #[cfg(test)]
    pub(super) fn tiers(&self) -> &Tiers<D> {
        &self.tiers
    }
}
