//! A chain that is ready to run: what loading produced and all workers share.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::Engine;

use super::clock::Ticker;
use super::drop::DropStage;
use super::instance::{Instance, Template};
use super::interest::Interest;
use super::shadow::{Shadow, Shadows};
use super::source::ModuleSource;
use super::stage::Stage;

/// The interface of weir:pipeline by which a module asks for what was looked up.
const LOOKUP: &str = "lookup";

/// All stages in their order, ready to run. Workers are made from it. Cheap to clone.
#[derive(Clone)]
pub struct Chain(pub(super) Arc<Shared>);

/// What the workers of a chain share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) ticker: Arc<Ticker>,
    /// What an event passes, in order.
    pub(super) steps: Vec<Step>,
    /// The stages that call a module, in order.
    pub(super) stages: Vec<Arc<Stage>>,
    /// Their modules.
    pub(super) loaded: Vec<Loaded>,
    /// How many of `steps` an event passes before its regarded object is looked up: those in front
    /// of the first one whose module asks for it.
    pub(super) before_lookup: usize,
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
    /// What its instances are called for.
    pub(super) interest: Interest,
    /// The instances that loading made, for the first workers that ask.
    pub(super) ready: Mutex<Vec<Instance>>,
    /// A candidate that is called beside it.
    pub(super) shadow: Option<Shadow>,
}

/// What a stage with a module is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: ModuleSource,
    /// The interfaces of weir:pipeline that it imports. Without `discard` it cannot drop an event,
    /// without `edit` it cannot change one.
    pub powers: Vec<String>,
    /// The reasons that it declared.
    pub reasons: Vec<String>,
    /// The counters that it declared.
    pub counters: Vec<String>,
    /// What it is called for: `Normal events`.
    pub interest: String,
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
            interest: loaded.interest.to_string(),
        };
        stages.map(describe).collect()
    }

    /// The stages whose modules ask for what was looked up.
    pub(crate) fn asking_for_lookups(&self) -> Vec<String> {
        let asks = |of: &Description| of.asks_for_lookups();
        self.describe().into_iter().filter(asks).map(|of| of.name).collect()
    }
}

impl Description {
    /// Whether the module asks for what was looked up of the regarded object.
    pub(crate) fn asks_for_lookups(&self) -> bool {
        self.powers.iter().any(|power| power == LOOKUP)
    }
}

impl Shared {
    /// A chain without stages.
    pub(super) fn new(engine: Engine, ticker: Ticker) -> Shared {
        Shared {
            engine,
            ticker: Arc::new(ticker),
            steps: Vec::new(),
            stages: Vec::new(),
            loaded: Vec::new(),
            before_lookup: 0,
        }
    }

    /// All stages are there.
    pub(super) fn complete(&mut self) {
        let asks = |step: &Step| match step {
            Step::Call(number) => self.loaded[*number].powers.iter().any(|power| power == LOOKUP),
            Step::Drop(_) => false,
        };
        self.before_lookup = self.steps.iter().position(asks).unwrap_or(self.steps.len());
    }

    /// The steps before the regarded object is looked up, and those behind.
    pub(super) fn around_lookup(&self) -> [Range<usize>; 2] {
        [0..self.before_lookup, self.before_lookup..self.steps.len()]
    }

    /// Begins to call the candidates of all stages that have one.
    pub(super) fn start(&self, shadows: &Shadows) {
        for shadow in self.loaded.iter().filter_map(|loaded| loaded.shadow.as_ref()) {
            shadow.start(&self.engine, &self.ticker, shadows);
        }
    }

    /// Which stage has the name, among those that call a module.
    pub(super) fn number_of(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name() == name)
    }
}
