//! A secret's setting: where it comes from, and never its value in anything that is shown.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is to be had.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file, read again whenever the value was refused, so that rotation works. One trailing line
    /// break is cut off.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The value itself.
    Inline(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("cannot read the secret file {path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable {0}, which should hold a secret, is not set to UTF-8 text")]
    Env(String),
}

impl Secret {
    /// Reads the value now.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Secret::File(path) => {
                let mut text = std::fs::read_to_string(path)
                    .map_err(|error| SecretError::File { path: path.clone(), error })?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Ok(text)
            }
            Secret::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone())),
            Secret::Inline(text) => Ok(text.clone()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
