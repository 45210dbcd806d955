//! Where documents go: OpenSearch, a file, stdout.
//!
//! A sink takes batches from an [`Inbox`] until there are no more, and gives each of their events
//! its outcome: delivered, or dead-lettered. An event without an outcome stays held, and so in
//! flight.

mod error;
mod file;
mod lag;
mod opensearch;
mod settings;

use std::time::Duration;

pub use self::error::SinkError;
pub(crate) use self::opensearch::{SetupError, examine, set_up, setup};
pub use self::settings::{
    DateFormat, Duplicates, IndexPattern, LastTimestamp, Mode, OpenSearchSettings, Settings, Setup,
    Template,
};
use crate::dead_letter::DeadLetters;
use crate::handoff::Inbox;
use crate::health::Part;
use crate::position::Keeper;
use crate::process::Process;

/// The sink's name in `/readyz` and `/livez`.
const PART: Part = Part::Sink;
/// A sink with nothing to do says this often that it is alive: well below
/// [`STALL_AFTER`](crate::health::STALL_AFTER).
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// Takes everything out of `inbox` and brings it to an outcome.
///
/// Returns when the inbox has ended and all is settled, or when `shutdown.abort` is cancelled (what
/// was not settled then stays in flight in the ledger).
///
/// # Errors
///
/// [`SinkError`]: nothing that was not stored or written counts as delivered. An OpenSearch that is
/// down or refuses is no error: it is waited for, and shows in `health`.
pub async fn run<I: Inbox + 'static>(
    settings: &Settings,
    inbox: I,
    dead_letters: DeadLetters,
    keeper: Keeper,
    process: Process,
) -> Result<(), SinkError> {
    match settings {
        Settings::OpenSearch(settings) => {
            opensearch::run(settings, inbox, dead_letters, keeper, process).await
        }
        Settings::File { path } => {
            file::run(file::Target::File(path.clone()), inbox, &process).await
        }
        Settings::Stdout => file::run(file::Target::Stdout, inbox, &process).await,
    }
}

#[cfg(feature = "fuzz")]
pub(crate) use opensearch::fuzz;
#[cfg(test)]
pub(crate) use opensearch::simulated;

#[cfg(test)]
mod tests;
