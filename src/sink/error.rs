//! Why a sink ends before its inbox does.

use std::path::PathBuf;

use crate::dead_letter::DeadLetterError;
use crate::opensearch::ClientError;
use crate::position::KeepError;

/// Why a sink ended before its inbox did. The events that it had are not settled.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened or written.
    #[error(
        "cannot write the sink's file {path}: {error}: its folder must exist, weir must have the \
         right to write to it, and its disk must have room; nothing that was not written counts as \
         delivered"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A last line that weir tore is the start of a document, and this one is not: the file is
    /// somebody else's.
    #[error(
        "the sink's file {0} does not end in a line break, and its last line was not written by \
         weir: end it with a line break, or name another file"
    )]
    NotOurs(PathBuf),
    /// Two sinks would tear each other's lines.
    #[error(
        "the sink's file {0} is being written by another running weir: stop it, or give each \
         pipeline a file of its own"
    )]
    Locked(PathBuf),
    /// The reader of stdout has ended, or stdout cannot be written.
    #[error(
        "cannot write documents to stdout: {0}: what reads it must read to the end, and nothing \
         that was not written counts as delivered"
    )]
    Stdout(std::io::Error),
    /// A dead letter could not be kept.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// No client can be made of the settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The saved position is for another target.
    #[error(transparent)]
    Position(#[from] KeepError),
    /// The index cannot be used as configured.
    #[error("sink.index: {0}")]
    Index(String),
}
