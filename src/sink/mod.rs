//! Where documents go: OpenSearch, a file, stdout.
//!
//! A sink takes batches from an [`Inbox`] until there are no more, and gives every event of theirs
//! its outcome: delivered, or dead-lettered. What it could not bring to an outcome stays held, and
//! so in flight.

mod context;
mod error;
mod file;
mod lag;
mod opensearch;
mod settings;

pub use self::context::Context;
pub use self::error::SinkError;
pub use self::settings::{
    DateFormat, Duplicates, IndexPattern, Mode, OpenSearchSettings, Settings, Template,
};
use crate::handoff::Inbox;

/// Takes everything out of `inbox` and brings it to an outcome.
///
/// Returns when the inbox has ended and all is settled, or when `shutdown.abort` is cancelled (what
/// was not settled then stays in flight in the ledger).
///
/// # Errors
///
/// [`SinkError`]: nothing that was not stored or written counts as delivered. An OpenSearch that is
/// down or refuses is no error: it is waited for, and shows in `health`.
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

#[cfg(test)]
pub(crate) use opensearch::simulated;

#[cfg(test)]
mod tests;
