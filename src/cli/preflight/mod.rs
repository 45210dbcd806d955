//! Checks before a run: a configuration and what it names on this machine, looked at together, so
//! that `check`, `run` and `replay` report everything that is wrong at once, before anything
//! starts.
//!
//! Constraint: no server is contacted, no file is opened that opening could change, and nothing is
//! written but the compile cache.

mod files;
mod modules;
mod streams;

use std::path::Path;

use super::CommandError;
use crate::config::{
    self, Config, Diagnostic, Diagnostics, Environment, InvalidConfig, Reference, References,
};
use crate::secret::Secret;
use crate::stages::{Description, LoadError};
use crate::{registry, tls};

/// What the configuration is going to be used for: that decides what is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// A run some other time: this process's standard streams are not the run's.
    Check,
    Run,
    /// Letters are read instead of the source.
    Replay,
}

/// Looks at everything, and loads the modules.
pub(super) fn check(file: &Path) -> Result<(Config, Vec<Description>), CommandError> {
    load(read(file, Purpose::Check, true)?, true)
}

/// The same, and writes nothing at all.
pub(super) fn look_at(file: &Path) -> Result<(Config, Vec<Description>), CommandError> {
    load(read(file, Purpose::Check, false)?, false)
}

fn load(config: Config, keeps: bool) -> Result<(Config, Vec<Description>), CommandError> {
    match modules::load(&config.references, keeps)? {
        Ok(modules) => Ok((config, modules)),
        Err(diagnostics) => Err(error_of(diagnostics)),
    }
}

/// Looks at everything but the modules of a configuration that is fine otherwise: its run loads
/// them.
pub(super) fn for_run(file: &Path) -> Result<Config, CommandError> {
    read(file, Purpose::Run, true)
}

/// Like [`for_run`], for a replay.
pub(super) fn for_replay(file: &Path) -> Result<Config, CommandError> {
    read(file, Purpose::Replay, true)
}

/// A run's errors about its modules, as diagnostics of the configuration that names them.
pub(super) fn modules_failed(references: &References, errors: &[LoadError]) -> CommandError {
    error_of(modules::diagnostics(references, errors))
}

fn error_of(diagnostics: Vec<Diagnostic>) -> CommandError {
    match Diagnostics::of(diagnostics) {
        Some(diagnostics) => CommandError::Configuration(diagnostics),
        None => CommandError::Process("something is wrong, but it did not say what".into()),
    }
}

fn read(file: &Path, purpose: Purpose, keeps: bool) -> Result<Config, CommandError> {
    let (references, diagnostics) = match config::load(file, &Environment::of_process()) {
        Ok(config) => match Diagnostics::of(wrong_in(&config.references, purpose)) {
            None => return Ok(config),
            Some(diagnostics) => (config.references, diagnostics),
        },
        Err(InvalidConfig { diagnostics, references: None }) => return Err(diagnostics.into()),
        Err(InvalidConfig { diagnostics, references: Some(references) }) => {
            let diagnostics = diagnostics.and(wrong_in(&references, purpose));
            (*references, diagnostics)
        }
    };
    let modules = modules::load(&references, keeps)?.err().into_iter().flatten();
    Err(diagnostics.and(modules).into())
}

/// What is wrong with secrets, certificates, files and streams.
fn wrong_in(references: &References, purpose: Purpose) -> Vec<Diagnostic> {
    let secret = |secret: &Option<Reference<Secret>>| {
        let secret = secret.as_ref()?;
        Some(secret.location.error(secret.value.read().err()?))
    };
    let username = references.username.as_ref().and_then(|username| {
        let error = username.value.read().err()?;
        Some(username.location.error(error))
    });
    let password = secret(&references.password);
    let authorization = secret(&references.authorization);
    let identity = references.identity.as_ref().and_then(|identity| {
        let (certificate, key) = &identity.value;
        Some(identity.location.error(tls::identity(certificate, key).err()?))
    });
    let ca = references
        .ca
        .as_ref()
        .and_then(|ca| tls::authorities(&ca.value).err().map(|error| ca.location.error(error)));
    let logins = references.registry_credentials.as_ref();
    let logins = logins.and_then(|file| {
        let error = registry::check_credentials(&file.value).err()?;
        Some(file.location.error(error))
    });
    let registry_ca = references.registry_ca.as_ref();
    let registry_ca = registry_ca
        .and_then(|ca| tls::authorities(&ca.value).err().map(|error| ca.location.error(error)));
    let proxy = references.sink.as_ref().and_then(|sink| {
        let error = sink.value.connection()?.proxies().err()?;
        Some(sink.location.error(error))
    });
    let (source, streams) = match purpose {
        Purpose::Check => (files::source(references), None),
        Purpose::Run => (files::source(references), streams::of_process(references)),
        Purpose::Replay => (None, streams::of_process(references)),
    };
    let same = files::are_one(references).or(streams);
    let of_sink = [username, password, authorization, ca, identity, proxy];
    let of_files = [source, files::sink(references), same];
    [logins, registry_ca].into_iter().chain(of_sink).chain(of_files).flatten().collect()
}
