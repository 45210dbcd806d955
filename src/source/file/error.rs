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
    /// How far a compressed file was read could not be found again.
    #[error(
        "cannot follow {input}: it is compressed ({form}), and nobody appends to such a file; \
         unpack it (`{form} -d`), or leave out `follow` in [source]"
    )]
    FollowsCompressed {
        /// The file.
        input: String,
        /// gzip or zstd.
        form: &'static str,
    },
    /// Something compressed is damaged, or not whole.
    #[error(
        "cannot go on reading {input} at byte {offset}: {what}; everything before that was read. \
         `{form} -t` checks the whole of it: get it again from where it comes from"
    )]
    Damaged {
        /// The file, or stdin.
        input: String,
        /// gzip or zstd.
        form: &'static str,
        /// Where, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The next part of the pipeline has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}
