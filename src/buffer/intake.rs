//! Where the reader looks for documents: in memory, without waiting for the disk.
//!
//! Invariant: the reader is told of the end only when all writers have ended and no document is
//! left in memory or, but for a drain, on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::memory::{Found, Memory};
use super::tiers::AHEAD_BYTES;
use crate::handoff::BatchLimits;

/// Where the reader looks for documents.
#[derive(Debug)]
pub(super) struct Intake {
    memory: Arc<Memory>,
    /// What is on disk; `None`: there is no disk.
    unread: Option<Unread>,
}

/// Whether the disk has documents that are not in memory yet.
#[derive(Debug)]
pub(super) struct Unread {
    /// Kept by the spool.
    pub(super) is_any: Arc<AtomicBool>,
    /// In a drain they are left to the next run.
    pub(super) drain: CancellationToken,
}

impl Unread {
    fn will_come(&self) -> bool {
        self.is_any.load(Ordering::Acquire) && !self.drain.is_cancelled()
    }
}

impl Intake {
    /// Without `unread` it is that of a buffer without a disk.
    pub(super) fn new(memory: Arc<Memory>, unread: Option<Unread>) -> Intake {
        Intake { memory, unread }
    }

    /// What is there now, and whether the spool should do its work now, because memory runs low and
    /// the disk has more.
    pub(super) fn look(&self, limits: BatchLimits) -> (Found, bool) {
        let found = self.memory.find(limits);
        let more_will_come = self.unread.as_ref().is_some_and(Unread::will_come);
        let found = match found {
            Found::End if more_will_come => Found::Nothing,
            // Once more: the spool may have loaded its last documents since the first look.
            Found::End => self.memory.find(limits),
            found => found,
        };
        let wants_work = more_will_come && self.memory.waiting_bytes() < AHEAD_BYTES / 2;
        (found, wants_work)
    }

    /// Returns when [`Intake::look`] may find something else. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.memory.changed().await;
    }
}
