//! What can go wrong with the log, in words that say what to do.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::folders::{FolderError, NotOurs};

/// The disk refused something. Nothing that was durable is lost by it.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the buffer in {path}: {error}: {}", advice(.error))]
pub struct IoError {
    /// Which file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub error: io::Error,
}

impl IoError {
    /// Whether somebody can make room while the pipeline waits.
    pub(crate) fn is_want_of_room(&self) -> bool {
        is_want_of_room(&self.error)
    }
}

fn is_want_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What a person can do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if is_want_of_room(error) => {
            "make room on that disk, or set buffer.path to a folder on another"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "buffer.path must name a folder that weir may write to, and the files in it must be \
             its own"
        }
        ErrorKind::NotADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::NotFound
        | ErrorKind::InvalidFilename => {
            "buffer.path must name a folder, or one that weir could make"
        }
        _ => {
            "buffer.path must name a folder on a disk that works: the kernel's log says what is \
             wrong with this one"
        }
    }
}

/// Why a log cannot be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Others may change what is in the folder.
    #[error("cannot use the buffer: {0}")]
    NotOurs(NotOurs),
    /// Another process has it.
    #[error(
        "the buffer in {path} belongs to another running weir ({holder}): stop it, or give each \
         pipeline a buffer.path of its own"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// A file has the form of a segment's name, and numbers or a size that no segment comes to.
    #[error(
        "{path} cannot be a file of the buffer: no buffer counts as far as the numbers in its \
         name, or has a file as large: find out who put it there, and move it away"
    )]
    Planted {
        /// The file.
        path: PathBuf,
    },
    /// Two segments that no buffer has both of.
    #[error(
        "{path} and {other} cannot be files of one buffer: the numbers in their names contradict \
         each other: find out who put one of them there, and move it away"
    )]
    Contradiction {
        /// One file.
        path: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A newer weir wrote it.
    #[error(
        "{path} was written by a newer weir (format {found}; this one reads up to {known}): run \
         that one until the buffer is empty, or set buffer.path to another folder and keep this \
         one for later"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this weir reads.
        known: u32,
    },
}

impl From<FolderError> for OpenError {
    fn from(error: FolderError) -> OpenError {
        match error {
            FolderError::NotOurs(error) => OpenError::NotOurs(error),
            FolderError::Io { path, error } => IoError { path, error }.into(),
        }
    }
}

/// Why a record was not appended. The log is as it was, and goes on being read and settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// The bound is reached: there is room again when more is settled.
    #[error(
        "the buffer on disk is full ({bytes} bytes of at most {bytes_max}): buffer.disk sets how \
         much it may take"
    )]
    Full {
        /// What it takes.
        bytes: u64,
        /// What it may take.
        bytes_max: u64,
    },
    /// No settling makes room for it.
    #[error(
        "a record of {bytes} bytes does not fit into the buffer on disk, which may take \
         {bytes_max}: set buffer.disk higher"
    )]
    TooLarge {
        /// What it would take.
        bytes: u64,
        /// What the log may take.
        bytes_max: u64,
    },
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Why the next record cannot be given now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Records were durable and are not there any more. They are skipped and count as settled: the
    /// next call continues after them.
    #[error(
        "the buffer's file {path} is damaged at byte {offset} ({what}): {documents} documents in \
         {records} records are lost, which had been read from the source and not delivered; what \
         is behind them goes on. Check the disk: the kernel's log says more"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it the damage begins.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
        /// How many records are lost.
        records: u64,
        /// How many documents those held.
        documents: u64,
    },
    /// The disk refused; the next call tries again. Someone who gives the file up removes it: its
    /// records are then [`ReadError::Damaged`].
    #[error(transparent)]
    Io(#[from] IoError),
}
