//! Why a run did not end well, and whose fault it was.

use std::io;

use crate::admin::BindError;
use crate::buffer;
use crate::dead_letter::{DeadLetterError, LetterStoreError};
use crate::kube::ClientError;
use crate::position::KeepError;
use crate::position::file::FileError as PositionFileError;
use crate::registry::Unpulled;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::stages::{LoadError, WorkerError};

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Modules that cannot be loaded: a mistake in the configuration.
    #[error("{}", lines(.0))]
    Modules(Vec<LoadError>),
    /// Modules that could not be had from their registries.
    #[error("{}", super::pulling::words(.0))]
    Unpulled(Vec<Unpulled>),
    /// The process could not be set up.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The admin address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// The dead letters cannot be used.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// The saved position is for another target, or cannot be read.
    #[error(transparent)]
    Position(#[from] KeepError),
    /// The position cannot be saved.
    #[error(transparent)]
    NotSaved(#[from] PositionFileError),
    /// The buffer's folder cannot be used.
    #[error(transparent)]
    Buffer(#[from] buffer::OpenError),
    /// There is no API server for the Lease.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The source failed.
    #[error("the source failed: {0}")]
    Source(#[from] SourceError),
    /// A worker failed.
    #[error("a worker failed: {0}")]
    Worker(#[from] WorkerError),
    /// The dead letters cannot be kept as configured.
    #[error(transparent)]
    LetterStore(#[from] LetterStoreError),
    /// The sink failed.
    #[error("the sink failed: {0}")]
    Sink(#[from] SinkError),
    /// A thread or task panicked: a bug in weir.
    #[error("a bug in weir: {0} panicked; its message is above")]
    Panicked(String),
    /// A signal ended the run before everything had an outcome.
    #[error(
        "stopped before everything was delivered: {0} events have no outcome; the next run reads \
         them again from a Kubernetes API server or a file, but not from stdin"
    )]
    Abandoned(u64),
}

impl RunError {
    /// Whether the configuration is to be mended, and not the world around it.
    pub fn is_of_configuration(&self) -> bool {
        let of_sink =
            |error: &SinkError| matches!(error, SinkError::Client(_) | SinkError::Position(_));
        match self {
            RunError::Modules(_) | RunError::Position(KeepError::OtherTarget { .. }) => true,
            RunError::Unpulled(missing) => missing.iter().any(|of| of.error.is_final()),
            RunError::LetterStore(error) => matches!(error, LetterStoreError::Client(_)),
            RunError::Sink(error) => of_sink(error),
            _ => false,
        }
    }
}

fn lines(errors: &[LoadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
