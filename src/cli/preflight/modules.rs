//! What keeps modules from loading, as diagnostics of the configuration that names them.

use std::collections::HashMap;

use crate::cli::CommandError;
use crate::config::{Diagnostic, Location, References, StageReference};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::registry;
use crate::stages::{Compiler, Description, LoadContext, LoadError, ModuleError};

/// Loads and configures each module as a run would, and says what they are, or what is wrong with
/// them; of those in registries, only what lies in the cache. Whether the compile cache keeps what
/// is compiled is `keeps`.
pub(super) fn load(
    references: &References,
    keeps: bool,
) -> Result<Result<Vec<Description>, Vec<Diagnostic>>, CommandError> {
    let ledger = Ledger::default();
    let metrics =
        Metrics::new(&ledger).map_err(|error| CommandError::Process(error.to_string()))?.stage;
    let cache = references.cache.value.clone();
    let in_registries = || references.stages.iter().filter_map(|of| of.settings.module.reference());
    let pulled = registry::look(&cache, in_registries());
    let is_here = |of: &&StageReference| {
        of.settings.module.reference().is_none_or(|named| pulled.digest(named).is_some())
    };
    let stages: Vec<&StageReference> = references.stages.iter().filter(is_here).collect();
    let compiler = Compiler::child();
    let context = LoadContext { cache, pulled, instances: 1, keeps, compiler, metrics, ledger };
    let (mut descriptions, mut diagnostics) = (Vec::new(), Vec::new());
    // One by one: in a configuration with mistakes two may have the same name.
    for stage in stages {
        match crate::stages::load(&[stage.settings.clone().into()], context.clone()) {
            Ok(chain) => descriptions.extend(chain.describe()),
            Err(errors) => {
                let of = |error| location(references, stage, error).error(error);
                diagnostics.extend(errors.iter().map(of));
            }
        }
    }
    Ok(if diagnostics.is_empty() { Ok(descriptions) } else { Err(diagnostics) })
}

/// What a run of a valid configuration, in which names are unique, met when it loaded its modules.
pub(super) fn diagnostics(references: &References, errors: &[LoadError]) -> Vec<Diagnostic> {
    let by_name = references.stages.iter().map(|stage| (stage.settings.name.as_str(), stage));
    let by_name: HashMap<&str, &StageReference> = by_name.collect();
    let of = |error: &LoadError| {
        let stage = error.stage().and_then(|name| by_name.get(name).copied());
        let location =
            stage.map_or(&references.cache.location, |stage| location(references, stage, error));
        location.error(error)
    };
    errors.iter().map(of).collect()
}

fn location<'r>(
    references: &'r References,
    stage: &'r StageReference,
    error: &LoadError,
) -> &'r Location {
    match error {
        LoadError::Stage { error: ModuleError::Refused(_), .. } => &stage.config,
        LoadError::Stage { .. } => &stage.module,
        LoadError::Shadow { .. } => &stage.shadow,
        LoadError::Stopped | LoadError::Engine(_) => &references.cache.location,
    }
}
