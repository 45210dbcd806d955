//! What could not be processed, kept on disk with its reason: never evicted, never silently lost.
//!
//! Constraints: a letter is on disk before its event counts as dead-lettered; what is kept is bounded
//! ([`BYTES_MAX`]); one process owns the folder.
//!
//! When there is no room, neither under the bound nor on the disk, whoever writes waits until somebody has made some, and
//! with it the pipeline: readiness fails and says what to do. Every other failure ends the run.
//!
//! Invariant: every line of every `*.jsonl` file in the folder is one whole [`Record`], or empty where one was replayed,
//! but for the last line of the last file after a crash, which was never acknowledged and is moved aside when the folder is
//! opened.
//!
//! `store` appends, `folder` reads, `selection` chooses, and [`Replay`] takes out what was replayed.
//!
//! The letters hold whatever the events held, so the folder is 0700 and its files are 0600.

mod folder;
mod record;
mod replay;
mod rewrite;
mod selection;
mod store;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use self::folder::{Files, LetterId, LetterLine, Lines, NotAnId, ReadError, files, lines};
pub use self::record::{Part, Record, RecordError};
pub use self::replay::{Replay, Sending};
pub use self::selection::{Filter, Selection};
use self::store::Store;
use crate::health::{Condition, Health};
use crate::ledger::{Ledger, ReasonId};
use crate::shutdown::Shutdown;

/// Bytes that all dead letters of one folder may take. At this bound the pipeline pauses rather than lose one: 1 GiB is
/// about 400,000 events of 1.1 KB with their documents.
pub const BYTES_MAX: u64 = 1 << 30;
/// How often a full folder is looked at again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Its name in `/readyz`.
const PART: &str = "dead letters";

/// `[dead_letter]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder to write to; `None`: the first event that needs it stops the run.
    pub path: Option<PathBuf>,
}

/// Which part of the pipeline refused an event: the `where` label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where<'a> {
    /// The source: malformed.
    Source,
    /// A stage with `on_error = "dead-letter"`.
    Stage(&'a str),
    /// OpenSearch refused the document.
    Sink,
}

impl<'a> Where<'a> {
    /// The metric label: `source`, the stage's name, `sink`.
    pub fn label(self) -> &'a str {
        match self {
            Where::Source => "source",
            Where::Stage(name) => name,
            Where::Sink => "sink",
        }
    }
}

/// One dead letter.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Which part refused it.
    pub place: Where<'a>,
    /// Why: one of a closed set, the `reason` label.
    pub reason: &'a str,
    /// Why, for people, with the place in the input where there is one.
    pub detail: &'a str,
    /// The source's own bytes (the first 64 KiB of an event that was too large).
    pub source: &'a [u8],
    /// The document, where one had been made.
    pub document: Option<&'a [u8]>,
}

/// Why a dead letter could not be kept. The event stays unsettled.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// No folder is configured.
    #[error(
        "an event needs the dead letters ({place}: {reason}: {detail}), and there is no [dead_letter] path in the configuration: set dead_letter.path to a folder that weir may write to"
    )]
    NotConfigured {
        /// Which part refused the event.
        place: String,
        /// Why.
        reason: String,
        /// Why, for people.
        detail: String,
    },
    /// The folder or a file in it cannot be read or written.
    #[error(
        "cannot write the dead letters in {path}: {error}: dead_letter.path must name a folder that weir may write to, or could make, on a disk with room; no event is lost by this"
    )]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another process has the folder.
    #[error(
        "the dead letters in {path} belong to another running weir ({holder}): stop it, or give each pipeline a dead_letter.path of its own"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// The bound is reached: only the end of the run turns this into an error.
    #[error(
        "the dead letters in {path} are full ({bytes} bytes of at most {bytes_max}), and none is ever thrown away: find out why so many events fail, and move the folder's *.jsonl files elsewhere"
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// What they take.
        bytes: u64,
        /// What they may take.
        bytes_max: u64,
    },
}

impl DeadLetterError {
    /// Whether somebody can make room while the pipeline waits.
    fn is_want_of_room(&self) -> bool {
        match self {
            DeadLetterError::Full { .. } => true,
            DeadLetterError::Io { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            DeadLetterError::NotConfigured { .. } | DeadLetterError::Locked { .. } => false,
        }
    }
}

/// The dead letters of one process; cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    store: Option<Arc<Mutex<Store>>>,
    is_replay: bool,
    ledger: Ledger,
    health: Health,
    abort: CancellationToken,
}

impl DeadLetters {
    /// Opens the folder, making it where it is missing, and locks it for this process. Says in `health` when it is full;
    /// `shutdown.abort` ends every wait for room.
    ///
    /// # Errors
    ///
    /// When it cannot be made, read or locked.
    pub fn open(
        settings: &Settings,
        ledger: &Ledger,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<DeadLetters, DeadLetterError> {
        let store = settings.path.as_deref().map(|path| Store::open(path, BYTES_MAX)).transpose()?;
        Ok(DeadLetters::of(store, ledger, health, shutdown))
    }

    fn of(store: Option<Store>, ledger: &Ledger, health: &Health, shutdown: &Shutdown) -> DeadLetters {
        if store.is_some() {
            health.set(PART, Condition::Ready);
        }
        DeadLetters {
            store: store.map(|store| Arc::new(Mutex::new(store))),
            is_replay: false,
            ledger: ledger.clone(),
            health: health.clone(),
            abort: shutdown.abort.clone(),
        }
    }

    /// Begins a replay of the letters that are there: what is written from now on goes into other files. Before it is cloned.
    ///
    /// # Errors
    ///
    /// When there is no folder, or it cannot be read or written.
    pub fn begin_replay(&mut self) -> Result<Replay, DeadLetterError> {
        let Some(store) = &self.store else {
            return Err(DeadLetterError::NotConfigured {
                place: "replay".into(),
                reason: "nothing to replay".into(),
                detail: "there is no folder".into(),
            });
        };
        self.is_replay = true;
        let mut store = store.lock().unwrap_or_else(|e| e.into_inner());
        let files = store.begin_replay()?;
        Ok(Replay::new(store.folder().to_owned(), files))
    }

    /// Whether all events of this run come from dead letters: then none is worse off for becoming one again.
    pub fn is_replay(&self) -> bool {
        self.is_replay
    }

    /// Writes letters durably with one sync for all of them: all are on disk when this returns, and after an error none
    /// may be counted (some may be there twice after the next run). Blocks on the disk, and as long as it has no
    /// room: `task` then goes on telling the liveness probe that it is alive.
    ///
    /// # Errors
    ///
    /// When there is no folder, the disk fails, or the run is ended while there is no room.
    pub fn write_all(&self, task: &str, letters: &[Letter<'_>]) -> Result<(), DeadLetterError> {
        let Some(first) = letters.first() else { return Ok(()) };
        let Some(store) = &self.store else {
            return Err(DeadLetterError::NotConfigured {
                place: first.place.label().to_owned(),
                reason: first.reason.to_owned(),
                detail: first.detail.to_owned(),
            });
        };
        let mut rest = letters;
        let mut is_paused = false;
        while let Err(error) = append(store, &mut rest) {
            if !error.is_want_of_room() || self.abort.is_cancelled() {
                return Err(error);
            }
            if !is_paused {
                tracing::error!("paused, and nothing is lost meanwhile: {error}");
                is_paused = true;
            }
            self.health.progress(task);
            // Every time: another thread may have found room for its own.
            self.health.set(PART, Condition::NotReady(error.to_string()));
            // Not on the runtime: workers are threads of their own, and the sink lends itself one for this.
            std::thread::park_timeout(RETRY_INTERVAL);
        }
        if is_paused {
            tracing::info!("the dead letters have room again: going on");
            self.health.set(PART, Condition::Ready);
        }
        Ok(())
    }

    /// What to count a letter as once it is written.
    pub fn reason(&self, letter: &Letter<'_>) -> ReasonId {
        self.ledger.dead_letter_reason(letter.place.label(), letter.reason)
    }
}

/// Writes as many of `rest` as there is room for, and leaves the others in it. What was written is durable after `Ok`.
fn append(store: &Mutex<Store>, rest: &mut &[Letter<'_>]) -> Result<(), DeadLetterError> {
    let now = jiff::Timestamp::now();
    let mut store = store.lock().unwrap_or_else(|e| e.into_inner());
    while let Some((letter, others)) = rest.split_first() {
        store.append(|out| record::encode(letter, now, out))?;
        *rest = others;
    }
    store.sync()
}

#[cfg(test)]
mod tests;
