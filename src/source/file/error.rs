//! What keeps a file or stdin from being read.

use std::io;
use std::path::PathBuf;

use crate::handoff::Closed;

/// Why a file or stdin cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened.
    #[error(
        "cannot open the source's file {path}: {error}; check `path` in [source], and that weir \
         may read the file"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Reading failed.
    #[error("cannot go on reading {input}: {error}")]
    Read {
        /// The file, or stdin.
        input: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// The next part of the pipeline has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}
