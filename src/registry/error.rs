//! Why there is no module from a registry, in words for whoever is to mend it.

use super::digest::Digest;
use super::docker::DockerConfigError;
use crate::proxy::VariableError;
use crate::tls::CaError;

/// Why something could not be had from a registry, or be brought there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file of authorities cannot be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The file of logins cannot be read.
    #[error("cannot use the logins in {path}: {error}")]
    Credentials {
        /// Which file.
        path: std::path::PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It has no login that can be used.
    #[error("cannot use the logins in {path}: {error}")]
    Login {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        error: DockerConfigError,
    },
    /// The environment names a proxy that is none.
    #[error("{0}")]
    Proxy(#[from] VariableError),
    /// No requests can be made.
    #[error("no requests can be made: {0}")]
    Client(String),
    /// Nobody answers.
    #[error("{host} cannot be reached: {detail}")]
    Unreachable {
        /// Who.
        host: String,
        /// What the system says.
        detail: String,
    },
    /// Whoever answers is not trusted.
    #[error("TLS to {host} failed: {detail}")]
    Tls {
        /// Who.
        host: String,
        /// What is wrong.
        detail: String,
    },
    /// It takes too long.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// It ended in the middle.
    #[error("the connection to {host} broke: {detail}")]
    Broken {
        /// Who.
        host: String,
        /// What the system says.
        detail: String,
    },
    /// The registry says no.
    #[error("{host} answers {status} to {what}{said}{hint}")]
    Refused {
        /// Who.
        host: String,
        /// Its status.
        status: u16,
        /// What was asked.
        what: String,
        /// What it says besides, behind a colon.
        said: String,
        /// What to do, behind a colon.
        hint: &'static str,
    },
    /// An answer that no registry gives.
    #[error("{host} answers {what} with {found}: is it a registry?")]
    Odd {
        /// Who.
        host: String,
        /// What was asked.
        what: String,
        /// What came.
        found: String,
    },
    /// More than what it can be.
    #[error("{what} is larger than {} KiB, the most that it may be", .bytes_max >> 10)]
    TooLarge {
        /// What.
        what: String,
        /// The bound.
        bytes_max: u64,
    },
    /// Something else than what was asked for.
    #[error("{host} sends something else than {asked}: what came is {came}")]
    OtherDigest {
        /// Who.
        host: String,
        /// What was asked for.
        asked: Digest,
        /// What came.
        came: Digest,
    },
    /// A redirect that is not followed.
    #[error("{host} redirects {what} to {to}, which is not followed: {why}")]
    Redirect {
        /// Who.
        host: String,
        /// What was asked.
        what: String,
        /// Where to.
        to: String,
        /// Why not.
        why: &'static str,
    },
    /// What was asked for is something else than a module.
    #[error("it is no module: {0}")]
    NoModule(String),
}

impl RegistryError {
    /// Whether asking again cannot help: what is named is something else.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, RegistryError::NoModule(_))
    }
}
