//! What keeps modules from loading, as diagnostics of the configuration that names them.

use super::Failure;
use crate::config::{Config, Diagnostic, Place, Problems};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::stages::{self, Compiler, Description, LoadContext, LoadError, Problem};

/// Loads and configures each module as a run would, and says what they are.
pub(super) fn load(config: &Config) -> Result<Vec<Description>, Failure> {
    let process = |error: &dyn std::error::Error| Failure::Process(error.to_string());
    let ledger = Ledger::default();
    let context = LoadContext {
        cache: config.settings.cache.clone(),
        compiler: Compiler::Child,
        metrics: Metrics::new(&ledger).map_err(|error| process(&error))?.stage,
        ledger,
    };
    match stages::load(&config.settings.stages, context) {
        Ok(chain) => Ok(chain.describe()),
        Err(errors) => Err(failure(config, &errors)),
    }
}

/// The failure that `errors` are.
pub(super) fn failure(config: &Config, errors: &[LoadError]) -> Failure {
    let diagnostics = errors.iter().map(|error| diagnostic(config, error)).collect();
    match Problems::of(diagnostics) {
        Some(problems) => Failure::Problems(problems),
        None => Failure::Process("the modules did not load, and did not say why".into()),
    }
}

fn diagnostic(config: &Config, error: &LoadError) -> Diagnostic {
    place(config, error).error(error)
}

fn place<'c>(config: &'c Config, error: &LoadError) -> &'c Place {
    let LoadError::Stage { stage, problem, .. } = error else { return &config.cache };
    let index = config.settings.stages.iter().position(|settings| settings.name == *stage);
    match (index.and_then(|index| config.stages.get(index)), problem) {
        (Some(places), Problem::Refused(_)) => &places.config,
        (Some(places), _) => &places.module,
        (None, _) => &config.cache,
    }
}
