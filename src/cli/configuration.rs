//! A configuration and what it names on this machine, looked at together: everything that is wrong
//! is told at once, by `check` and by `run` alike, before anything starts.

use std::path::Path;

use super::{Failure, ends, modules, outlets};
use crate::config::{self, Config, Diagnostic, Environment, Named, Problems};
use crate::stages::Description;
use crate::tls;

/// Reads and looks at everything, and loads the modules.
pub(super) fn check(file: &Path) -> Result<(Config, Vec<Description>), Failure> {
    let config =
        read(file, |named| [ends::source(named), ends::sink(named), outlets::in_files(named)])?;
    match modules::load(&config.named)? {
        Ok(modules) => Ok((config, modules)),
        Err(problems) => Err(failure(problems)),
    }
}

/// Reads and looks at everything but the modules of a configuration that is fine otherwise: its run
/// loads them.
pub(super) fn for_run(file: &Path) -> Result<Config, Failure> {
    read(file, |named| [ends::source(named), ends::sink(named), outlet(named)])
}

/// The same for a replay, which reads letters instead of the source.
pub(super) fn for_replay(file: &Path) -> Result<Config, Failure> {
    read(file, |named| [None, ends::sink(named), outlet(named)])
}

fn outlet(named: &Named) -> Option<Diagnostic> {
    outlets::in_files(named).or_else(|| outlets::of_process(named))
}

/// The failure that is made of `problems`.
pub(super) fn failure(problems: Vec<Diagnostic>) -> Failure {
    match Problems::of(problems) {
        Some(problems) => Failure::Problems(problems),
        None => Failure::Process("something was wrong, and did not say what".into()),
    }
}

fn read(file: &Path, ends: impl Fn(&Named) -> [Option<Diagnostic>; 3]) -> Result<Config, Failure> {
    let (named, mut problems) = match config::load(file, &Environment::of_process()) {
        Ok(config) => {
            let problems = look(&config.named, ends);
            if problems.is_empty() {
                return Ok(config);
            }
            (config.named, problems)
        }
        Err((problems, None)) => return Err(problems.into()),
        Err((problems, Some(named))) => {
            let more = look(&named, ends);
            (*named, problems.iter().cloned().chain(more).collect())
        }
    };
    problems.extend(modules::load(&named)?.err().into_iter().flatten());
    Err(failure(problems))
}

/// What is wrong with secrets, certificates and files; no server is contacted.
fn look(named: &Named, ends: impl Fn(&Named) -> [Option<Diagnostic>; 3]) -> Vec<Diagnostic> {
    let password = named.password.as_ref();
    let password =
        password.and_then(|(secret, place)| secret.read().err().map(|error| place.error(error)));
    let ca = named.ca.as_ref();
    let ca =
        ca.and_then(|(path, place)| tls::authorities(path).err().map(|error| place.error(error)));
    [password, ca].into_iter().chain(ends(named)).flatten().collect()
}
