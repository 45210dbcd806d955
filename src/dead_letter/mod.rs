//! What could not be processed, kept with its reason: never evicted, never silently lost.
//!
//! Constraints: a letter is kept durably before its event counts as dead-lettered; what is kept is
//! bounded ([`BYTES_MAX`]); one process owns a folder, while the letters of a pipeline in an index
//! belong to every process with the pipeline's name.
//!
//! When there is no room, under the bound or on the disk, or when the index cannot be written,
//! whoever writes waits until that is fixed, and the pipeline waits too: readiness says why and
//! what to do. Every other failure ends the run.
//!
//! Invariants: every line of every `*.jsonl` file in a folder is one whole [`Record`], or empty
//! where one was replayed, but for the last line of the last file after a crash, which was never
//! acknowledged and is moved aside when the folder is opened. In an index an event of a pipeline is
//! one letter, however often it is written (`index::entry`).
//!
//! Two kinds behind one type: `store` appends to a folder, `folder` reads it; `index` does both
//! with what an `Index` offers. A [`LetterStore`] is either of them, to be read; `selection`
//! chooses letters, and [`Replay`] removes those that were replayed. `volume` knows whether a
//! folder is lost with its container.
//!
//! The letters hold whatever the events held, so the folder is 0700 and its files are 0600.

mod error;
mod folder;
mod index;
mod kept;
mod letter;
mod letter_store;
mod record;
mod replay;
mod rewrite;
mod selection;
mod settings;
mod store;
mod volume;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

pub(crate) use self::error::DeadLetterError;
pub(crate) use self::index::Owner;
pub(crate) use self::kept::{LetterId, LetterLine, ReadError};
pub(crate) use self::letter::{Letter, Where};
pub(crate) use self::letter_store::Contents;
pub use self::letter_store::LetterStore;
pub(crate) use self::record::{Part, Record};
pub(crate) use self::replay::Replay;
pub use self::selection::{Filter, Selection};
pub(crate) use self::settings::{LetterStoreError, Settings};
use self::store::Store;
pub(crate) use self::volume::ephemeral;
use crate::health::{self, Condition, Health};
use crate::ledger::{Ledger, ReasonId};
use crate::shutdown::Shutdown;
use crate::text::{self, REASON_BYTES_MAX};

/// Bytes that all dead letters of one folder, or of one pipeline in an index, may take. At this
/// bound the pipeline pauses rather than lose one: 1 GiB is about 400,000 events of 1.1 KB with
/// their documents.
pub(crate) const BYTES_MAX: u64 = 1 << 30;
/// How often a full folder is looked at again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How long the end of a run waits at most for a writer that waits.
const ABORT_INTERVAL: Duration = Duration::from_millis(100);
/// Its name in `/readyz`.
const PART: health::Part = health::Part::DeadLetters;

/// The dead letters of one process; cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    kept: Option<Arc<Kept>>,
    is_replay: bool,
    ledger: Ledger,
    health: Health,
    abort: CancellationToken,
}

/// Where they are kept: nobody outside of this file knows which.
#[derive(Debug)]
enum Kept {
    Folder(Mutex<Store>),
    Index(index::Writer),
}

impl DeadLetters {
    /// Opens a letter store: a folder is made where it is missing, and locked for this process; an
    /// index is not contacted before there is something to write. Says in `health` when nothing
    /// can be written; `shutdown.abort` ends every wait.
    ///
    /// # Errors
    ///
    /// When a folder cannot be made, read or locked.
    pub fn open(
        store: Option<&LetterStore>,
        ledger: &Ledger,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<DeadLetters, DeadLetterError> {
        let kept = match store {
            None => None,
            Some(LetterStore::Folder(path)) => {
                Some(Kept::Folder(Mutex::new(Store::open(path, BYTES_MAX)?)))
            }
            Some(LetterStore::Index(index)) => {
                Some(Kept::Index(index::Writer::new(index.clone(), BYTES_MAX)))
            }
        };
        Ok(DeadLetters::of(kept, ledger, health, shutdown))
    }

    fn of(
        kept: Option<Kept>,
        ledger: &Ledger,
        health: &Health,
        shutdown: &Shutdown,
    ) -> DeadLetters {
        if kept.is_some() {
            health.set(PART, Condition::Ready);
        }
        DeadLetters {
            kept: kept.map(Arc::new),
            is_replay: false,
            ledger: ledger.clone(),
            health: health.clone(),
            abort: shutdown.abort.clone(),
        }
    }

    /// Begins a replay of the letters that are there: what is written from now on is none of them.
    /// Before it is cloned. Blocks.
    ///
    /// # Errors
    ///
    /// When there is no letter store, or it cannot be read or written.
    pub(crate) fn begin_replay(&mut self) -> Result<Replay, DeadLetterError> {
        self.is_replay = true;
        match self.kept.as_deref() {
            None => Err(DeadLetterError::NotConfigured {
                part: "replay".into(),
                reason: "nothing to replay".into(),
                detail: "there is no folder".into(),
            }),
            Some(Kept::Folder(store)) => {
                let mut store = store.lock();
                let files = store.begin_replay()?;
                Ok(Replay::of_folder(store.folder().clone(), files))
            }
            Some(Kept::Index(writer)) => {
                let until = writer.begin_replay()?;
                Ok(Replay::of_index(writer.index().clone(), until))
            }
        }
    }

    /// Whether all events of this run come from dead letters: then none is worse off for becoming
    /// one again.
    pub(crate) fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// Writes letters durably, all of them at once: all are kept when this returns, and after an
    /// error none may be counted (some may be in a folder twice after the next run). Blocks,
    /// and as long as nothing can be written: `task` then goes on telling the liveness probe
    /// that it is alive.
    ///
    /// # Errors
    ///
    /// When there is no letter store, the disk fails, or the run is ended while nothing can be
    /// written.
    pub(crate) fn write_all(
        &self,
        task: &str,
        letters: &[Letter<'_>],
    ) -> Result<(), DeadLetterError> {
        let Some(first) = letters.first() else { return Ok(()) };
        let Some(kept) = &self.kept else {
            return Err(DeadLetterError::NotConfigured {
                part: first.part.label().to_owned(),
                reason: first.reason.to_owned(),
                detail: text::words(first.detail, REASON_BYTES_MAX),
            });
        };
        let mut rest = letters;
        let mut failures = 0;
        while let Err(error) = kept.append(&mut rest) {
            let Some(condition) = error.condition().filter(|_| !self.abort.is_cancelled()) else {
                return Err(error);
            };
            if failures == 0 {
                tracing::error!("paused, and nothing is lost meanwhile: {error}");
            }
            // First: who sees that it waits sees that it lives.
            self.health.progress(task);
            // Every time: another thread may have had more luck with its own.
            self.health.set(PART, condition);
            self.wait(task, kept.wait(failures));
            failures += 1;
        }
        if failures > 0 {
            tracing::info!("the dead letters can be written again: going on");
            self.health.set(PART, Condition::Ready);
        }
        Ok(())
    }

    /// Not on the runtime: workers are threads of their own, and the sink lends itself one for
    /// this.
    fn wait(&self, task: &str, time: Duration) {
        let until = Instant::now() + time;
        while !self.abort.is_cancelled() {
            self.health.progress(task);
            match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => {
                    std::thread::park_timeout(left.min(ABORT_INTERVAL))
                }
                _ => return,
            }
        }
    }

    /// What to count a letter as once it is written.
    pub(crate) fn reason(&self, letter: &Letter<'_>) -> ReasonId {
        self.ledger.dead_letter_reason(letter.part.label(), letter.reason)
    }
}

impl Kept {
    /// Writes as many of `rest` as it can, and leaves the others in it. What was written is durable
    /// after `Ok`.
    fn append(&self, rest: &mut &[Letter<'_>]) -> Result<(), DeadLetterError> {
        let store = match self {
            Kept::Folder(store) => store,
            Kept::Index(writer) => return writer.append(rest),
        };
        let now = jiff::Timestamp::now();
        let mut store = store.lock();
        while let Some((letter, others)) = rest.split_first() {
            store.append(|out| record::encode(letter, now, out))?;
            *rest = others;
        }
        store.sync()
    }

    /// How long to wait after this many failures before the next.
    fn wait(&self, failures: u32) -> Duration {
        match self {
            Kept::Folder(_) => RETRY_INTERVAL,
            Kept::Index(writer) => writer.index().wait(failures),
        }
    }
}

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
