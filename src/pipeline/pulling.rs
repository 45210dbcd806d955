//! Modules of registries are here before stages are loaded.
//!
//! At a start, whoever has no modules yet waits for them, and says so: a registry that is away is
//! asked again, with backoff. But where the source ends by itself (a file, stdin), somebody waits
//! for the run, and it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::warn;

use super::RunError;
use crate::backoff::{Backoff, Jitter};
use crate::config::Settings;
use crate::health::{Condition, Part};
use crate::process::Process;
use crate::registry::{self, Pulled, Reference, Unpulled};
use crate::source;
use crate::stages::{ModuleSource, StageSettings};

/// Kubelets wait as long between two pulls of an image, or longer.
pub(super) const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(2), max: Duration::from_secs(120), jitter: Jitter::Half };

/// What the modules of stages in registries are named by.
pub(super) fn references(stages: &[StageSettings]) -> BTreeSet<Reference> {
    let modules = stages.iter().flat_map(StageSettings::modules);
    modules.filter_map(ModuleSource::reference).cloned().collect()
}

/// Has them here, as long as that takes. `None`: the run is to end.
pub(super) async fn at_start(
    settings: &Settings,
    process: &Process,
) -> Result<Option<Pulled>, RunError> {
    let references = references(&settings.stages);
    let drain = process.shutdown.drain.clone();
    let mut failures = 0;
    loop {
        let asked = registry::pull(&settings.registry, &settings.cache, references.clone());
        let pulled = tokio::select! {
            biased;
            () = drain.cancelled() => return Ok(None),
            pulled = asked => pulled,
        };
        let missing = match pulled {
            Ok(pulled) => return Ok(Some(pulled)),
            Err(missing) => missing,
        };
        let is_final = missing.iter().any(|unpulled| unpulled.error.is_final());
        if is_final || ends(&settings.source) {
            return Err(RunError::Unpulled(missing));
        }
        failures += 1;
        let wait = BACKOFF.wait(failures, fastrand::u64(..));
        let why = words(&missing);
        warn!("{why}; it is tried again in {} s", wait.as_secs());
        process.health.set(Part::Modules, Condition::NotReady(why));
        tokio::select! {
            () = drain.cancelled() => return Ok(None),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Whether a run of this source ends by itself.
fn ends(source: &source::Settings) -> bool {
    match source {
        source::Settings::File { follow, .. } => !follow,
        source::Settings::Stdin => true,
        source::Settings::Kubernetes(_) => false,
    }
}

/// What is not here, and why.
pub(super) fn words(missing: &[Unpulled]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
