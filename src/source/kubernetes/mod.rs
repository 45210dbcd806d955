//! The Kubernetes source: lists the events that a cluster holds, then watches for more, for ever.
//!
//! Each scope (all namespaces, or one of several) has a `machine` that decides everything and is
//! pure: it lists, watches, resumes, relists and waits. `runner` is its I/O, `frames` tells it what
//! the framer finds in an answer, `intake` brings what it accepts into chunks, `report` shows what
//! goes on, `readiness` what that means for `/readyz`. `listing` remembers what an unfinished list
//! has given.
//!
//! Invariant: every version that a watch delivered is handed on, and so is the version that each
//! object had when a list was made; and between relists nothing is handed on twice
//! (docs/delivery.md#listing-and-watching).

mod backoff;
mod failure;
mod frames;
mod intake;
mod listing;
mod machine;
mod readiness;
mod report;
mod runner;
mod scope;
mod state;
mod step;
mod version;

use tokio::task::JoinSet;

use self::readiness::Readiness;
use self::report::Reporter;
use self::runner::Runner;
use self::scope::Scope;
use super::{KubernetesSettings, SourceError};
use crate::handoff::SourceSender;
use crate::position::Keeper;
use crate::process::Process;

/// Lists and watches until the drain begins. Failures of the API server are retried for ever, and
/// shown.
///
/// # Errors
///
/// When the next part of the pipeline has ended.
pub async fn run(
    settings: &KubernetesSettings,
    client: kube::Client,
    sender: SourceSender,
    keeper: Keeper,
    process: Process,
) -> Result<(), SourceError> {
    let scopes = Scope::of(&settings.namespaces);
    let readiness = Readiness::new(process.health.clone(), &scopes);
    let mut tasks = JoinSet::new();
    for (index, scope) in scopes.into_iter().enumerate() {
        let reporter =
            Reporter::new(scope.clone(), index, process.metrics.source.clone(), readiness.clone());
        tasks.spawn(
            Runner::new(
                scope,
                settings,
                client.clone(),
                (sender.clone(), keeper.clone()),
                process.clone(),
                reporter,
            )
            .run(),
        );
    }
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(result) => result?,
            // Nobody cancels these tasks, so this one has panicked: so does the source.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    Ok(())
}

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), expect(dead_code, reason = "a simulator uses more of it"))]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
