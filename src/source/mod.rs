//! Where events come from: a Kubernetes watch, a file, stdin.
//!
//! A source reads raw bytes into pooled chunks, and hands on each valid event and each malformed one
//! exactly once through an [`Outlet`](crate::handoff::Outlet).

mod context;
mod file;
pub mod framer;
mod frames;
pub mod kubernetes;

use std::path::PathBuf;

use crate::handoff::Closed;
use crate::kube::ClientError;

pub use context::Context;
pub use file::{FileError, run_file, run_stdin};

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

/// What to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// Namespaces; empty means all, in one watch.
    pub namespaces: Vec<String>,
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
}
