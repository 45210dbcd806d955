//! Where documents go: OpenSearch, a file, stdout.
//!
//! A sink takes batches from an [`Inbox`] until there are no more, and gives every event of theirs
//! its outcome: delivered, or dead-lettered. What it could not bring to an outcome stays held, and
//! so in flight.

mod file;
mod lag;
mod opensearch;

use std::path::PathBuf;
use std::sync::Arc;

use crate::dead_letter::{self, DeadLetterError, DeadLetters};
use crate::event::EncodeSettings;
use crate::handoff::{Inbox, Takeover};
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::position::{KeepError, Keeper, Target};
use crate::secret::{Secret, SecretError};
use crate::shutdown::Shutdown;
use crate::tls::CaError;
use crate::words::words;

/// The sink's name in `/readyz` and `/livez`.
const PART: Part = Part::Sink;
/// A sink with nothing to do says this often that it is alive; well below
/// [`STALL_AFTER`](crate::health::STALL_AFTER).
const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);

/// What a sink needs of the rest of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// To be measured by.
    pub metrics: Metrics,
    /// Where it says how it is.
    pub health: Health,
    /// For documents that can never be stored.
    pub dead_letters: DeadLetters,
    /// Told which cluster the documents go to.
    pub keeper: Keeper,
    /// What was written before then, others may have sent.
    pub takeover: Takeover,
    /// `abort` ends it at once; `drain` means nothing to it: its inbox ends when the drain has
    /// come this far.
    pub shutdown: Shutdown,
}

/// Why a sink ended before its inbox did. The events that it had are not settled.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened or written.
    #[error(
        "cannot write the sink's file {path}: {error}: its folder must exist, weir must have the right to write to it, and its disk must have room; nothing that was not written counts as delivered"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// What weir tears is a document, and this is none: the file is somebody else's.
    #[error(
        "the sink's file {0} does not end in a line break, and what its last line holds is not weir's: end it with a line break, or name another file"
    )]
    NotOurs(PathBuf),
    /// Two sinks would tear each other's lines.
    #[error(
        "the sink's file {0} is being written by another running weir: stop it, or give each pipeline a file of its own"
    )]
    Locked(PathBuf),
    /// The reader of stdout has ended, or stdout cannot be written.
    #[error(
        "cannot write documents to stdout: {0}: what reads it must read to the end, and nothing that was not written counts as delivered"
    )]
    Stdout(std::io::Error),
    /// A dead letter could not be kept.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// The password could not be read at the start.
    #[error("sink.password: {0}")]
    Secret(#[from] SecretError),
    /// The CA file could not be used.
    #[error("sink.ca: {0}")]
    Ca(#[from] CaError),
    /// The HTTP client could not be made.
    #[error("sink.hosts: {0}")]
    Client(String),
    /// The saved position is for another target.
    #[error(transparent)]
    Position(#[from] KeepError),
    /// The index cannot be used as configured.
    #[error("sink.index: {0}")]
    Index(String),
    /// Letters in an index of an OpenSearch that there is not.
    #[error(
        "dead_letter.kind = \"index\" needs a sink of kind = \"opensearch\": the index is in its OpenSearch"
    )]
    NoLetterIndex,
}

/// Takes everything out of `inbox` and brings it to an outcome.
///
/// Returns when the inbox has ended and all is settled, or when `shutdown.abort` is cancelled (what
/// was not settled then stays in flight in the ledger).
///
/// # Errors
///
/// [`SinkError`]: nothing that was not stored or written counts as delivered. OpenSearch that is down or
/// refuses is no error: it is waited for, and shows in `health`.
pub async fn run<I: Inbox>(
    settings: &Settings,
    inbox: I,
    context: Context,
) -> Result<(), SinkError> {
    match settings {
        Settings::OpenSearch(settings) => opensearch::run(settings, inbox, &context).await,
        Settings::File { path } => {
            file::run(file::Target::File(path.clone()), inbox, &context).await
        }
        Settings::Stdout => file::run(file::Target::Stdout, inbox, &context).await,
    }
}

/// Where dead letters lie, as the settings have it: in a folder, or in the OpenSearch that
/// documents go to. Connects to nothing; what is asked of an index from then on runs on this
/// runtime, and not by its threads, until `shutdown.abort`.
///
/// # Errors
///
/// When the sink has no OpenSearch, or its password or CA cannot be read.
pub fn place_of_letters(
    letters: &dead_letter::Settings,
    sink: &Settings,
    owner: dead_letter::Owner,
    shutdown: &Shutdown,
) -> Result<Option<dead_letter::Place>, SinkError> {
    Ok(match (letters, sink) {
        (dead_letter::Settings::None, _) => None,
        (dead_letter::Settings::Disk { path }, _) => Some(dead_letter::Place::Folder(path.clone())),
        (dead_letter::Settings::Index { index }, Settings::OpenSearch(sink)) => {
            let (runtime, abort) = (tokio::runtime::Handle::current(), shutdown.abort.clone());
            let index = opensearch::LetterIndex::new(sink, index, owner, runtime, abort)?;
            Some(dead_letter::Place::Index(Arc::new(index)))
        }
        (dead_letter::Settings::Index { .. }, _) => return Err(SinkError::NoLetterIndex),
    })
}

/// `[sink]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "opensearch"`
    OpenSearch(OpenSearchSettings),
    /// `kind = "file"`: one document a line, appended.
    File {
        /// Where to.
        path: PathBuf,
    },
    /// `kind = "stdout"`
    Stdout,
}

impl Settings {
    /// What documents must carry for this sink. The caller adds what is not the sink's to know
    /// (`cluster`).
    pub fn encode_settings(&self) -> EncodeSettings {
        let addresses = matches!(self, Settings::OpenSearch(_));
        EncodeSettings { identity: addresses, keep_source: addresses, ..EncodeSettings::default() }
    }
}

impl Settings {
    /// Where documents go, as far as the settings say.
    pub fn target(&self) -> Target {
        let kind = |kind: &str| Target { kind: kind.to_owned(), ..Target::default() };
        match self {
            Settings::OpenSearch(settings) => Target {
                index: Some(settings.index.to_string()),
                mode: Some(settings.mode.word().to_owned()),
                ..kind("opensearch")
            },
            Settings::File { path } => {
                // The same file, from whichever folder weir is started.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Target { index: Some(path.display().to_string()), ..kind("file") }
            }
            Settings::Stdout => kind("stdout"),
        }
    }
}

/// How to reach OpenSearch, and what to store there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSearchSettings {
    /// Base URLs, `http://` or `https://`, of nodes of one cluster. At least one.
    pub hosts: Vec<String>,
    /// Basic auth.
    pub username: Option<String>,
    /// Basic auth.
    pub password: Option<Secret>,
    /// PEM file with the certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Index name; in `history` mode it may hold a date placeholder such as `{yyyy.MM.dd}`.
    pub index: IndexPattern,
    /// What a document is.
    pub mode: Mode,
    /// Whether to install the index template when it is missing.
    pub template: Template,
    /// Whether a data stream or an alias may hold a document twice.
    pub duplicates: Duplicates,
}

/// An index name with at most one date placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPattern {
    /// Text before the placeholder, or the whole name.
    pub prefix: String,
    /// The placeholder.
    pub date: Option<DateFormat>,
    /// Text behind the placeholder.
    pub suffix: String,
}

/// As the configuration has it.
impl std::fmt::Display for IndexPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date = match self.date {
            Some(DateFormat::Day) => "{yyyy.MM.dd}",
            Some(DateFormat::Month) => "{yyyy.MM}",
            Some(DateFormat::Year) => "{yyyy}",
            None => "",
        };
        write!(f, "{}{date}{}", self.prefix, self.suffix)
    }
}

/// The date placeholders there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `{yyyy.MM.dd}`
    Day,
    /// `{yyyy.MM}`
    Month,
    /// `{yyyy}`
    Year,
}

words! {
    /// `mode`: what a document is.
    #[derive(Default)]
    pub enum Mode {
        #[default]
        History = "history": "a document for each version of an event",
        Latest = "latest": "one document an event, its latest version; the index has no date",
    }
}

words! {
    /// `template`: whether to install the index template.
    #[derive(Default)]
    pub enum Template {
        #[default]
        Install = "install": "install the index template when it is missing",
        Skip = "skip": "leave templates alone",
    }
}

words! {
    /// `duplicates`: only where the index is a data stream or an alias, whose writes move from index
    /// to index. Everywhere else ids keep duplicates out, whatever this says.
    #[derive(Default)]
    pub enum Duplicates {
        #[default]
        Forbid = "forbid": "what may have been sent before is looked up before it is sent again",
        Allow = "allow": "it is sent again, and stored twice where writes have moved on",
    }
}

#[cfg(test)]
pub(crate) use opensearch::simulated;

#[cfg(test)]
mod tests;
