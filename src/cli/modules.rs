//! What keeps modules from loading, as diagnostics of the configuration that names them.

use super::Failure;
use crate::config::{Diagnostic, Named, Place, StagePlaces};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::stages::{self, Compiler, Description, LoadContext, LoadError, Problem};

/// Loads and configures each module as a run would, and says what they are, or what is wrong with
/// them.
pub(super) fn load(named: &Named) -> Result<Result<Vec<Description>, Vec<Diagnostic>>, Failure> {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).map_err(|error| Failure::Process(error.to_string()))?.stage;
    let context =
        LoadContext { cache: named.cache.clone(), compiler: Compiler::child(), metrics, ledger };
    let (mut descriptions, mut problems) = (Vec::new(), Vec::new());
    // One by one: in a configuration with mistakes two may have the same name.
    for (stage, places) in named.stages.iter().zip(&named.places) {
        match stages::load(std::slice::from_ref(stage), context.clone()) {
            Ok(chain) => descriptions.extend(chain.describe()),
            Err(errors) => {
                problems.extend(errors.iter().map(|error| place(named, places, error).error(error)))
            }
        }
    }
    Ok(if problems.is_empty() { Ok(descriptions) } else { Err(problems) })
}

/// What a run of a valid configuration, in which names are unique, met when it loaded its modules.
pub(super) fn diagnostics(named: &Named, errors: &[LoadError]) -> Vec<Diagnostic> {
    let of = |error: &LoadError| {
        let index =
            named.stages.iter().position(|stage| Some(stage.name.as_str()) == error.stage());
        let places = index.and_then(|index| named.places.get(index));
        places.map_or(&named.cache_place, |places| place(named, places, error)).error(error)
    };
    errors.iter().map(of).collect()
}

fn place<'n>(named: &'n Named, stage: &'n StagePlaces, error: &LoadError) -> &'n Place {
    match error {
        LoadError::Stage { problem: Problem::Refused(_), .. } => &stage.config,
        LoadError::Stage { .. } => &stage.module,
        LoadError::Cache(_) | LoadError::Engine(_) => &named.cache_place,
    }
}
