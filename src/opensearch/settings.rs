//! Where an OpenSearch is, and why no client can be made of that.

use std::path::PathBuf;

use crate::secret::{Secret, SecretError};
use crate::tls::CaError;

/// Where an OpenSearch is, and how to get in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Base URLs, `http://` or `https://`, of nodes of one cluster. At least one.
    pub hosts: Vec<String>,
    /// Basic auth.
    pub username: Option<String>,
    /// Basic auth.
    pub password: Option<Secret>,
    /// PEM file with the certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
}

/// Why there is no client. Nothing here is mended by trying again.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The password could not be read at the start.
    #[error("sink.password: {0}")]
    Secret(#[from] SecretError),
    /// The CA file could not be used.
    #[error("sink.ca: {0}")]
    Ca(#[from] CaError),
    /// The hosts or the certificates are of no use.
    #[error("sink.hosts: {0}")]
    Http(String),
}
