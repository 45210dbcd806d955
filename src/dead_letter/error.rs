//! Why a dead letter could not be kept, and whether that can be fixed while the pipeline waits.

use std::io;
use std::path::PathBuf;

use crate::folders::{FolderError, NotOurs};
use crate::health::Condition;

/// Why a dead letter could not be kept. The event stays unsettled.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// No place for them is configured.
    #[error(
        "an event needs the dead letters ({part}: {reason}: {detail}), and the configuration has \
         no place for them: set dead_letter.path to a folder that weir may write to, or \
         dead_letter.kind = \"index\" to keep them in the OpenSearch of the sink"
    )]
    NotConfigured {
        /// Which part refused the event.
        part: String,
        /// The `reason` label.
        reason: String,
        /// What went wrong, in words.
        detail: String,
    },
    /// The folder or a file in it cannot be read or written.
    #[error(
        "cannot write the dead letters in {path}: {error}: dead_letter.path must name a folder \
         that weir may write to, or could make, on a disk with room; no event is lost by this"
    )]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another process has the folder.
    #[error(
        "the dead letters in {path} belong to another running weir ({holder}): stop it, or give \
         each pipeline a dead_letter.path of its own"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// Others may change what is in the folder.
    #[error("cannot keep the dead letters: {0}")]
    NotOurs(NotOurs),
    /// The bound is reached: only the end of the run turns this into an error.
    #[error(
        "the dead letters in {path} are full ({bytes} bytes of at most {bytes_max}), and none is \
         ever thrown away: find out why so many events fail, and move the folder's *.jsonl files \
         elsewhere"
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// What they take.
        bytes: u64,
        /// What they may take.
        bytes_max: u64,
    },
    /// The bound is reached, in an index.
    #[error(
        "the dead letters in the index {index} are full ({bytes} bytes of at most {bytes_max}), \
         and none is ever thrown away: find out why so many events fail, and replay them (`weir \
         dead-letter replay`) or delete those that were dealt with"
    )]
    IndexFull {
        /// Its name.
        index: String,
        /// What the letters of this pipeline take.
        bytes: u64,
        /// What they may take.
        bytes_max: u64,
    },
    /// The index cannot be written for now.
    #[error("the dead letters cannot be written to the index {index} for now: {why}")]
    IndexOutage {
        /// Its name.
        index: String,
        /// What OpenSearch, or the way to it, says.
        why: String,
    },
    /// The index cannot be written until a person has mended something.
    #[error("the dead letters cannot be written to the index {index}: {why}")]
    IndexRefused {
        /// Its name.
        index: String,
        /// What OpenSearch says, and what to do.
        why: String,
    },
}

impl From<FolderError> for DeadLetterError {
    fn from(error: FolderError) -> DeadLetterError {
        match error {
            FolderError::NotOurs(error) => DeadLetterError::NotOurs(error),
            FolderError::Io { path, error } => DeadLetterError::Io { path, error },
        }
    }
}

impl DeadLetterError {
    /// What to say while the pipeline waits for a fix; `None`: there is none while weir runs.
    pub(super) fn condition(&self) -> Option<Condition> {
        let not_ready = || Some(Condition::NotReady(self.to_string()));
        match self {
            DeadLetterError::Full { .. }
            | DeadLetterError::IndexFull { .. }
            | DeadLetterError::IndexRefused { .. } => not_ready(),
            DeadLetterError::IndexOutage { .. } => {
                Some(Condition::Note(format!("{self}; events are held, and it is tried again")))
            }
            DeadLetterError::Io { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                    .then(not_ready)
                    .flatten()
            }
            DeadLetterError::NotConfigured { .. }
            | DeadLetterError::Locked { .. }
            | DeadLetterError::NotOurs(_) => None,
        }
    }
}
