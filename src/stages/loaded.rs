//! A chain that is ready to run: what loading produced and all workers share.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::Engine;

use super::clock::Ticker;
use super::drop::DropStage;
use super::instance::{Instance, Template};
use super::stage::Stage;

/// All stages in their order, ready to run. Workers are made from it. Cheap to clone.
#[derive(Clone)]
pub struct Chain(pub(super) Arc<Shared>);

/// What the workers of a chain share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) ticker: Ticker,
    /// What an event passes, in order.
    pub(super) steps: Vec<Step>,
    /// The stages that call a module, in order.
    pub(super) stages: Vec<Arc<Stage>>,
    /// Their modules.
    pub(super) loaded: Vec<Loaded>,
}

/// One stage of the chain.
pub(super) enum Step {
    /// The one with this number among those that call a module.
    Call(usize),
    Drop(DropStage),
}

/// One stage's module.
pub(super) struct Loaded {
    pub(super) template: Arc<Template>,
    pub(super) powers: Vec<String>,
    /// The instance that loading made, for the first worker.
    pub(super) first: Mutex<Option<Instance>>,
}

/// What a stage with a module is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: PathBuf,
    /// The interfaces of weir:pipeline that it imports. Without `discard` it cannot drop an event,
    /// without `edit` it cannot change one.
    pub powers: Vec<String>,
    /// The reasons that it declared.
    pub reasons: Vec<String>,
    /// The counters that it declared.
    pub counters: Vec<String>,
}

impl Chain {
    /// What its stages with modules are and can do, in order.
    pub(crate) fn describe(&self) -> Vec<Description> {
        let stages = self.0.stages.iter().zip(&self.0.loaded);
        let describe = |(stage, loaded): (&Arc<Stage>, &Loaded)| Description {
            name: stage.name().to_owned(),
            module: stage.settings.module.clone(),
            powers: loaded.powers.clone(),
            reasons: stage.reasons(),
            counters: stage.declared_counters(),
        };
        stages.map(describe).collect()
    }
}

impl Shared {
    /// A chain without stages.
    pub(super) fn new(engine: Engine, ticker: Ticker) -> Shared {
        Shared { engine, ticker, steps: Vec::new(), stages: Vec::new(), loaded: Vec::new() }
    }

    /// What one worker's instances are made from, in order. The first worker that asks gets those
    /// that loading made.
    pub(super) fn templates(&self) -> Vec<(Arc<Template>, Option<Instance>)> {
        let loaded = self.loaded.iter().map(|loaded| {
            let first = loaded.first.lock().take();
            (loaded.template.clone(), first)
        });
        loaded.collect()
    }
}
