//! Takes up a changed `pipeline.toml`, and changed modules, while the pipeline runs: a *swap*
//! replaces the whole chain of stages by a new generation of it.
//!
//! A swap happens whole or not at all. The file is read as at a start; the modules are loaded,
//! configured and rehearsed beside the running ones; only then workers take the new chain up, each
//! between two chunks. Whatever is wrong on the way leaves the running chain as it is, and is told:
//! in the log, by `weir_config_swaps_total{result="refused"}`, and in `/readyz?verbose`.
//!
//! Only stages can be swapped. Where anything else of the file differs from what runs, nothing is,
//! and the keys are named (`weir_config_restart_needed`).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tracing::{info, warn};

use super::{contained, pulling};
use crate::blocking::Panicked;
use crate::config::{self, Config, Environment, ReloadOn, Settings};
use crate::files::Watched;
use crate::health::{Condition, Part};
use crate::process::Process;
use crate::registry::{self, Pulled};
use crate::reload::Reloads;
use crate::stages::{Chain, Generations, LoadContext, StageSettings};

/// How often files are looked at. One that has changed is read when it is the same at the next
/// look, so that none is read that is being written.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(2);

/// Where a configuration was read from, to be read again.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The file.
    pub(crate) file: PathBuf,
    /// What stood in it.
    pub(crate) text: String,
}

/// What is to be swapped, and when.
pub(super) struct Swapping {
    origin: Origin,
    running: Settings,
    /// What was looked at last, as it was then: taken up or refused.
    files: Watched,
    /// The modules of the running chain, as they were when it was made.
    modules: Watched,
    generations: Generations,
    /// With what registries have of the running chain.
    context: LoadContext,
    process: Process,
    reloads: Reloads,
    /// How often in a row what registries have could not be pulled.
    failures: u32,
}

/// What came of a look at what may have changed.
#[derive(Debug)]
enum Outcome {
    /// The stages are those that run.
    Same,
    Applied(u64),
    /// What differs besides the stages.
    RestartNeeded(Vec<String>),
    Refused(String),
    /// The same, because of what registries have: that is tried again.
    Unpulled(String),
    /// The pipeline ends.
    Stopped,
}

impl Origin {
    /// Whether it is still there to be read again, and no pipe of a shell's (`--config <(…)`).
    pub(super) fn is_lasting(&self) -> bool {
        fs::metadata(&self.file).is_ok_and(|file| file.is_file())
    }
}

impl Swapping {
    pub(super) fn new(
        origin: Origin,
        running: Settings,
        generations: Generations,
        context: LoadContext,
        process: &Process,
    ) -> Swapping {
        let (files, modules) = (files(&origin, &running.stages), modules(&running.stages));
        let (process, reloads) = (process.clone(), process.shutdown.reload.watch());
        process.metrics.config.generation.set(1);
        Swapping {
            origin,
            running,
            files,
            modules,
            generations,
            context,
            process,
            reloads,
            failures: 0,
        }
    }

    /// Swaps until the drain begins.
    pub(super) async fn run(mut self) {
        let drain = self.process.shutdown.drain.clone();
        let is_watching = self.running.reload == ReloadOn::Change;
        loop {
            let again = pulling::BACKOFF.wait(self.failures.max(1), fastrand::u64(..));
            let is_asked = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                () = self.reloads.wait() => true,
                () = tokio::time::sleep(again), if self.failures > 0 => true,
                () = tokio::time::sleep(LOOKED_AT_EVERY), if is_watching => false,
            };
            if !is_asked && !self.has_settled().await {
                continue;
            }
            let outcome = self.swap().await;
            self.failures = match outcome {
                Outcome::Unpulled(_) => self.failures.saturating_add(1),
                _ => 0,
            };
            self.tell(outcome);
        }
    }

    /// Whether files have changed, and are as they were a moment ago.
    async fn has_settled(&mut self) -> bool {
        if !self.files.have_changed() {
            return false;
        }
        let mut changed = files(&self.origin, &self.running.stages);
        loop {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
            if self.process.shutdown.drain.is_cancelled() || !changed.have_changed() {
                return true;
            }
            changed = files(&self.origin, &self.running.stages);
        }
    }

    async fn swap(&mut self) -> Outcome {
        // Before they are read: what changes meanwhile is seen at the next look.
        self.files = files(&self.origin, &self.running.stages);
        let file = self.origin.file.clone();
        let read = contained(move || config::load(&file, &Environment::of_process())).await;
        let Config { settings, text, .. } = match read {
            Ok(Ok(config)) => config,
            Ok(Err(invalid)) => return Outcome::Refused(invalid.diagnostics.to_string()),
            Err(Panicked) => return Outcome::Refused("reading it failed".into()),
        };
        self.files = files(&self.origin, &settings.stages);
        let (stages, modules) = (settings.stages.clone(), modules(&settings.stages));
        if (Settings { stages: self.running.stages.clone(), ..settings }) != self.running {
            return Outcome::RestartNeeded(config::changed_keys(&self.origin.text, &text));
        }
        let pulled = match self.pull(&stages).await {
            Ok(Some(pulled)) => pulled,
            Ok(None) => return Outcome::Stopped,
            Err(outcome) => return outcome,
        };
        if stages == self.running.stages
            && !self.modules.have_changed()
            && pulled.is_same(&self.context.pulled)
        {
            return Outcome::Same;
        }
        let context = LoadContext { pulled, ..self.context.clone() };
        match self.prepare(&stages, &context).await {
            Ok(chain) => {
                self.context = context;
                self.running.stages = stages;
                self.modules = modules;
                self.origin.text = text;
                Outcome::Applied(self.generations.publish(chain))
            }
            Err(_) if self.process.shutdown.drain.is_cancelled() => Outcome::Stopped,
            Err(why) => Outcome::Refused(why),
        }
    }

    /// What registries have of the new stages. `None`: the pipeline ends.
    async fn pull(&self, stages: &[StageSettings]) -> Result<Option<Pulled>, Outcome> {
        let Settings { registry, cache, .. } = &self.running;
        let pulled = tokio::select! {
            biased;
            () = self.process.shutdown.drain.cancelled() => return Ok(None),
            pulled = registry::pull(registry, cache, pulling::references(stages)) => pulled,
        };
        pulled.map(Some).map_err(|missing| {
            let why = pulling::words(&missing);
            let is_final = missing.iter().any(|unpulled| unpulled.error.is_final());
            if is_final { Outcome::Refused(why) } else { Outcome::Unpulled(why) }
        })
    }

    async fn prepare(
        &self,
        stages: &[StageSettings],
        context: &LoadContext,
    ) -> Result<Chain, String> {
        let (generations, stages) = (self.generations.clone(), stages.to_vec());
        let (context, stop) = (context.clone(), self.process.shutdown.drain.clone());
        let prepared = contained(move || generations.prepare(&stages, &context, &stop)).await;
        match prepared {
            Ok(prepared) => prepared.map_err(|refused| refused.to_string()),
            Err(Panicked) => Err("loading the modules failed".into()),
        }
    }

    fn tell(&self, outcome: Outcome) {
        let metrics = &self.process.metrics.config;
        let file = self.origin.file.display();
        let is_restart_needed = matches!(outcome, Outcome::RestartNeeded(_));
        metrics.restart_needed.set(is_restart_needed.into());
        let condition = match outcome {
            Outcome::Stopped => return,
            Outcome::Same => Condition::Ready,
            Outcome::Applied(generation) => {
                metrics.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
                metrics.swaps.with_label_values(&["applied"]).inc();
                let stages: Vec<&str> =
                    self.running.stages.iter().map(StageSettings::name).collect();
                let stages = stages.join(", ");
                info!(generation, stages, "the stages of {file} are run from the next chunk on");
                Condition::Ready
            }
            Outcome::RestartNeeded(keys) => {
                metrics.swaps.with_label_values(&["refused"]).inc();
                let keys = keys.join(", ");
                warn!(
                    keys,
                    "{file} has changed in more than its stages: nothing of it is taken \
                             up before a restart"
                );
                Condition::Note(format!("the change of {keys} needs a restart"))
            }
            Outcome::Refused(why) | Outcome::Unpulled(why) => {
                metrics.swaps.with_label_values(&["refused"]).inc();
                warn!("the change of {file} is refused, and the stages run on as they are: {why}");
                Condition::Note(format!("the last change is refused: {why}"))
            }
        };
        self.process.health.set(Part::Modules, condition);
    }
}

/// What a chain is made of, as it is now.
fn files(origin: &Origin, stages: &[StageSettings]) -> Watched {
    let mut files = modules(stages);
    files.add(origin.file.clone());
    files
}

/// The modules of stages, as they are now.
fn modules(stages: &[StageSettings]) -> Watched {
    let modules = stages.iter().flat_map(StageSettings::modules);
    Watched::new(modules.filter_map(|module| Some(module.file()?.to_owned())))
}
