//! `[dead_letter]` of `pipeline.toml`.

use std::path::PathBuf;

use crate::opensearch::ClientError;

/// `[dead_letter]` of `pipeline.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Settings {
    /// None: the first event that needs it stops the run.
    #[default]
    None,
    /// `kind = "disk"`
    Disk {
        /// The folder to write to.
        path: PathBuf,
    },
    /// `kind = "index"`
    Index {
        /// The index, in the sink's OpenSearch.
        index: String,
    },
}

/// Why there is no [`LetterStore`](super::LetterStore) as the settings have it.
#[derive(Debug, thiserror::Error)]
pub enum LetterStoreError {
    /// No client can be made for the index.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Letters in an index, and no OpenSearch.
    #[error(
        "dead_letter.kind = \"index\" needs a sink of kind = \"opensearch\": the index is in its \
         OpenSearch"
    )]
    NoOpenSearch,
}
