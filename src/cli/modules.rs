//! What keeps modules from loading, as diagnostics of the configuration that names them.

use super::Failure;
use crate::config::{Diagnostic, Modules, Place, Problems};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::stages::{self, Compiler, Description, LoadContext, LoadError, Problem};

/// Loads and configures each module as a run would, and says what they are, or what is wrong with them.
pub(super) fn load(modules: &Modules) -> Result<Result<Vec<Description>, Vec<Diagnostic>>, Failure> {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).map_err(|error| Failure::Process(error.to_string()))?.stage;
    let context = LoadContext { cache: modules.cache.clone(), compiler: Compiler::Child, metrics, ledger };
    let loaded = stages::load(&modules.stages, context);
    Ok(loaded.map(|chain| chain.describe()).map_err(|errors| diagnostics(modules, &errors)))
}

/// The failure that `errors` are.
pub(super) fn failure(modules: &Modules, errors: &[LoadError]) -> Failure {
    failure_of(diagnostics(modules, errors))
}

/// The failure that is made of `diagnostics`.
pub(super) fn failure_of(diagnostics: Vec<Diagnostic>) -> Failure {
    match Problems::of(diagnostics) {
        Some(problems) => Failure::Problems(problems),
        None => Failure::Process("the modules did not load, and did not say why".into()),
    }
}

fn diagnostics(modules: &Modules, errors: &[LoadError]) -> Vec<Diagnostic> {
    errors.iter().map(|error| place(modules, error).error(error)).collect()
}

fn place<'m>(modules: &'m Modules, error: &LoadError) -> &'m Place {
    let LoadError::Stage { stage, problem, .. } = error else { return &modules.cache_place };
    let index = modules.stages.iter().position(|settings| settings.name == *stage);
    match (index.and_then(|index| modules.places.get(index)), problem) {
        (Some(places), Problem::Refused(_)) => &places.config,
        (Some(places), _) => &places.module,
        (None, _) => &modules.cache_place,
    }
}
