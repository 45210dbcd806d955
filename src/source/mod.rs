//! Where events come from: a Kubernetes watch, a file, stdin, or dead letters that are replayed.
//!
//! A source reads raw bytes into pooled chunks, and hands on each valid event and each malformed
//! one exactly once through a [`SourceSender`].
//!
//! - [`framer`] finds events in bytes, whatever they come in; pure.
//! - [`kubernetes`] lists and watches.
//! - `file` reads files and stdin.
//! - `letters` reads dead letters that are to be replayed.

mod file;
pub(crate) mod framer;
mod frames;
pub(crate) mod kubernetes;
mod letters;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use file::{FileError, run_file, run_stdin};
pub use letters::{Account, Letters};
pub(crate) use letters::{Counts, replay};

use crate::blocking::blocking;
use crate::dead_letter::ReadError;
use crate::handoff::{Closed, SourceSender};
use crate::health::Part;
use crate::kube::ClientError;
use crate::position::Keeper;
use crate::process::Process;
use crate::words::words;

/// `[source]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "kubernetes"`
    Kubernetes(KubernetesSettings),
    /// `kind = "file"`
    File {
        /// What to read.
        path: PathBuf,
        /// Whether to go on reading as the file grows, until a signal.
        follow: bool,
    },
    /// `kind = "stdin"`
    Stdin,
}

impl Settings {
    /// What is read, as saved positions name it.
    pub(crate) fn identity(&self) -> String {
        match self {
            Settings::Kubernetes(_) => "kubernetes".to_owned(),
            Settings::File { path, .. } => format!("file {}", absolute(path).display()),
            Settings::Stdin => "stdin".to_owned(),
        }
    }
}

/// The same file, from whichever folder weir is started.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// Namespaces; empty means all, in one watch.
    pub namespaces: Vec<String>,
    /// Namespaces whose events are not asked for, where all others are watched.
    pub exclude_namespaces: Vec<String>,
    /// Which events are asked for, as the API server reads it.
    pub field_selector: Option<String>,
    /// Where to begin without a saved position.
    pub start: Start,
}

impl KubernetesSettings {
    /// The field selector of every list and watch, if there is one: what it leaves out is not
    /// received. Terms with commas between them must all hold.
    pub(crate) fn selector(&self) -> Option<String> {
        let excluded = self.exclude_namespaces.iter();
        let terms = excluded.map(|name| format!("metadata.namespace!={name}"));
        let terms: Vec<String> = terms.chain(self.field_selector.clone()).collect();
        (!terms.is_empty()).then(|| terms.join(","))
    }
}

words! {
    /// `start`: where to begin when no position is saved. One that is saved always wins, and one
    /// that cannot be used always means [`Start::All`].
    #[derive(Default)]
    pub enum Start {
        #[default]
        All = "all": "list every event that the cluster still holds",
        Now = "now": "only what happens from now on",
    }
}

/// Why a source ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The next part of the pipeline has ended: its own error says why.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// There is no usable API server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The file or stdin cannot be read.
    #[error(transparent)]
    File(FileError),
    /// The dead letters that are to be replayed cannot be read.
    #[error(transparent)]
    Letters(#[from] ReadError),
}

impl From<FileError> for SourceError {
    fn from(error: FileError) -> SourceError {
        match error {
            FileError::Closed(closed) => SourceError::Closed(closed),
            error => SourceError::File(error),
        }
    }
}

/// How often a waiting source checks whether it should stop, and whether a followed file has grown.
const LOOK_UP: Duration = Duration::from_millis(200);

/// The name under which the source reports to [`Health`](crate::health::Health).
const TASK: Part = Part::Source;

/// Runs the configured source until its input ends or the drain begins; every event it has received
/// by then has gone into the sender. A file or stdin tells `on_read` how many bytes each read gave.
///
/// # Errors
///
/// When there is no usable API server, the file or stdin cannot be read, or the next part of the
/// pipeline has ended. An API server that cannot be reached, or refuses, is no error: that is
/// retried, and shown.
pub(crate) async fn run(
    settings: &Settings,
    sender: SourceSender,
    keeper: Keeper,
    process: Process,
    on_read: impl FnMut(u64) + Send + 'static,
) -> Result<(), SourceError> {
    match settings {
        Settings::Kubernetes(settings) => {
            let client = tokio::select! {
                biased;
                // A credential plugin may take its time.
                () = process.shutdown.drain.cancelled() => return Ok(()),
                client = crate::kube::client(&process.shutdown.reload) => client?,
            };
            kubernetes::run(settings, client, sender, keeper, process).await
        }
        Settings::File { path, follow } => {
            let (path, follow) = (path.clone(), *follow);
            on_a_thread(move || run_file(&path, follow, sender, process, on_read)).await
        }
        Settings::Stdin => on_a_thread(move || run_stdin(sender, process, on_read)).await,
    }
}

async fn on_a_thread<E: Send + 'static>(
    read: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Result<(), SourceError>
where
    SourceError: From<E>,
{
    Ok(blocking(read).await?)
}
