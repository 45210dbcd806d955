//! What could not be processed, kept on disk with its reason: never evicted, never silently lost.

use std::path::PathBuf;

use crate::ledger::{Ledger, ReasonId};

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

/// One dead letter.
#[derive(Clone, Debug)]
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

/// Why a dead letter could not be kept. The run stops with this; the event stays unsettled.
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
    /// The folder or a file in it cannot be written.
    #[error("cannot write the dead letters in {path}: {error}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// The dead letters of one process; cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    settings: Settings,
    ledger: Ledger,
}

impl DeadLetters {
    /// Opens the folder, making it where it is missing.
    pub fn open(settings: &Settings, ledger: &Ledger) -> Result<DeadLetters, DeadLetterError> {
        Ok(DeadLetters { settings: settings.clone(), ledger: ledger.clone() })
    }

    /// Writes one letter durably (it is on disk when this returns), and answers what to count it as.
    /// Blocks this thread on the disk.
    pub fn write(&self, _letter: &Letter<'_>) -> Result<ReasonId, DeadLetterError> {
        let _ = (&self.settings, &self.ledger);
        todo!()
    }
}
