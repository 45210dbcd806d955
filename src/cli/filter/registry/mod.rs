//! `weir filter push`, `pull`, `save` and `load`: modules to registries and out of them, and where
//! there is none.

mod about;
mod archive;
mod pull;
mod push;

use std::io;
use std::path::PathBuf;

pub(super) use self::about::inspect;
pub(crate) use self::archive::{LoadArgs, SaveArgs};
pub(super) use self::archive::{load, save};
pub(crate) use self::pull::PullArgs;
pub(super) use self::pull::pull;
pub(crate) use self::push::PushArgs;
pub(super) use self::push::push;
use crate::config::Environment;
use crate::registry::{ArchiveError, Reference, ReferenceError, RegistryError, Settings, Unpulled};

/// How registries are asked.
#[derive(Debug, clap::Args)]
pub(crate) struct RegistryArguments {
    /// A Docker config file with logins; default: config.json in $DOCKER_CONFIG, else in ~/.docker,
    /// if it is there
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// PEM file of the certificates to trust, instead of the system's
    ///
    /// A registry on this machine is asked by plain http without it.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl RegistryArguments {
    pub(super) fn settings(&self) -> Settings {
        let credentials = self.credentials.clone().or_else(dockers);
        Settings { credentials, ca: self.ca.clone(), allow_tags: true }
    }
}

/// Where pulled modules are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct CacheArguments {
    /// The folder that `cache` in pipeline.toml names; default: as where it names none
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl CacheArguments {
    fn folder(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(|| Environment::of_process().cache)
    }
}

/// Why a module was not carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// It has no name that a registry could be asked by.
    #[error("`{text}` {error}")]
    Reference {
        /// What was given.
        text: String,
        /// Why it is none.
        error: ReferenceError,
    },
    /// What is pushed is found by a tag.
    #[error(
        "`{0}` has a digest, and what is pushed has the one of its content: give a tag, NAME:TAG"
    )]
    WithDigest(Box<Reference>),
    /// The file is no module.
    #[error("{}: {why}", .path.display())]
    NoModule {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is no archive of modules.
    #[error("{}: {error}", .path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ArchiveError,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing can be asked.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// It cannot be had.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Unpulled(Vec<Unpulled>),
    /// It cannot be brought there.
    #[error("{reference} cannot be pushed: {error}")]
    Push {
        /// What.
        reference: Box<Reference>,
        /// Why.
        error: Box<RegistryError>,
    },
    /// It cannot be asked for.
    #[error("{reference}: {error}")]
    Ask {
        /// What.
        reference: Box<Reference>,
        /// Why.
        error: Box<RegistryError>,
    },
}

impl CarryError {
    /// Whether what was given cannot be used.
    pub(super) fn is_of_usage(&self) -> bool {
        match self {
            CarryError::Reference { .. }
            | CarryError::WithDigest(_)
            | CarryError::NoModule { .. }
            | CarryError::Archive { .. } => true,
            CarryError::File { error, .. } => error.kind() == io::ErrorKind::NotFound,
            CarryError::Start(_)
            | CarryError::Unpulled(_)
            | CarryError::Push { .. }
            | CarryError::Ask { .. } => false,
        }
    }
}

impl CarryError {
    /// It cannot be brought to the registry.
    fn push(reference: &Reference, error: RegistryError) -> CarryError {
        CarryError::Push { reference: reference.clone().into(), error: error.into() }
    }

    /// It cannot be asked for.
    fn ask(reference: &Reference, error: RegistryError) -> CarryError {
        CarryError::Ask { reference: reference.clone().into(), error: error.into() }
    }
}

/// Reads a reference of the command line.
pub(super) fn reference(text: &str) -> Result<Reference, CarryError> {
    let wrong = |error| CarryError::Reference { text: text.to_owned(), error };
    Reference::of_argument(text).map_err(wrong)
}

/// Runs requests to their end.
pub(super) fn ask<T>(asked: impl Future<Output = T>) -> Result<T, CarryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(CarryError::Start)?.block_on(asked))
}

/// Docker's own file of logins, if there is one.
fn dockers() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let folder = folder("DOCKER_CONFIG").or_else(|| Some(folder("HOME")?.join(".docker")))?;
    Some(folder.join("config.json")).filter(|file| file.is_file())
}

/// What a stage of a module may be called.
pub(super) fn name(reference: &Reference) -> String {
    let name = reference.short_name().chars();
    let fit = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    name.map(fit).take(STAGE_NAME_MAX).collect()
}

/// Of a stage's name.
const STAGE_NAME_MAX: usize = 63;
