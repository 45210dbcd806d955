//! The chain of stages that each event passes: WebAssembly modules (docs/modules.md#the-host), and
//! stages that only drop what they match.
//!
//! Invariants:
//!
//! - **Whatever a module does hurts only its own stage.** It gets CPU time, memory, edits, log
//!   lines and counters within bounds, and nothing else; every failure is contained, counted, and
//!   dealt with as `on_error` says.
//! - Only this folder names wasmtime.
//! - A call that goes well reads no clock, and allocates nothing but the strings that getters
//!   return.
//!
//! [`load()`] makes a [`Chain`] (`contract`, `compile`, `cache`, `loaded`), and the chain makes
//! each [`Worker`]. A worker runs events through its slots (`chain`), one instance each
//! (`instance`), whose imports are in `host` (and `wasi`) and whose store holds the current event
//! (`current`). `clock` decides when to stop a call, `breaker` when to stop calling. `matcher` and
//! `pattern` decide which events a stage sees; a stage without a module is in `drop`. What an event
//! regards is looked up before the first stage whose module asks for that, or behind the last one;
//! events that have to wait for it are in `waiting`.
//!
//! What a module costs its author can have measured (`measure`; `crossing` counts what passes
//! between it and the host).
//!
//! A chain can be replaced while workers run it (`generations`), once it was tried on events that
//! have passed lately (`rehearsal`). A candidate can be called beside a module, to see what would
//! differ (`shadow`).

mod breaker;
mod cache;
mod chain;
mod clock;
mod compile;
mod contract;
mod crossing;
mod current;
mod drop;
mod engine;
mod failure;
mod fill;
mod generations;
mod host;
mod instance;
mod interest;
mod limits;
mod load;
mod loaded;
mod matcher;
mod measure;
mod pattern;
mod published;
mod rehearsal;
mod shadow;
mod source;
mod stage;
mod waiting;
mod wasi;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use compile::compile_as_child;
pub use compile::{COMPILE_COMMAND, CompileLimits, Compiler};
pub(crate) use fill::{FillError, Filled, fill};
pub(crate) use generations::Generations;
pub(crate) use limits::MODULE_BYTES_MAX;
pub use load::{LoadContext, load};
pub(crate) use load::{LoadError, ModuleError, load_until};
pub use loaded::Chain;
pub(crate) use loaded::Description;
pub use matcher::{Keys, Match, MatchKey};
pub(crate) use measure::{Cost, Counted, Timed, Workload, count, time};
#[cfg(test)] // For the simulator.
pub(crate) use published::{Held, Published};
pub(crate) use shadow::Shadows;
pub use source::ModuleSource;
pub(crate) use worker::{Worker, WorkerError};

use std::time::Duration;

use crate::words::words;

/// One `[[stage]]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageSettings {
    /// It calls a module.
    Module(ModuleSettings),
    /// `drop = true`: it filters what it matches.
    Drop {
        /// Its name, unique in the pipeline: a metric label.
        name: String,
        /// Which events it drops; never empty.
        matches: Match,
    },
}

impl StageSettings {
    /// Where its module is, and the candidate beside it, if it has any.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &ModuleSource> {
        let stage = match self {
            StageSettings::Module(stage) => Some(stage),
            StageSettings::Drop { .. } => None,
        };
        let candidate = stage.and_then(|stage| stage.shadow.as_ref()).map(|shadow| &shadow.module);
        stage.map(|stage| &stage.module).into_iter().chain(candidate)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            StageSettings::Module(module) => &module.name,
            StageSettings::Drop { name, .. } => name,
        }
    }
}

impl From<ModuleSettings> for StageSettings {
    fn from(module: ModuleSettings) -> StageSettings {
        StageSettings::Module(module)
    }
}

/// One `[[stage]]` with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSettings {
    /// Its name, unique in the pipeline: a metric label.
    pub name: String,
    /// The component to load.
    pub module: ModuleSource,
    /// Which events it sees; what does not match goes on unchanged.
    pub matches: Match,
    /// CPU time that one call may take.
    pub timeout: Duration,
    /// Bytes of memories and tables that one instance may have in all.
    pub memory: u64,
    /// What happens to an event that the module failed on.
    pub on_error: OnError,
    /// Which part of WASI its module gets.
    pub wasi: Wasi,
    /// `[stage.config]` as one JSON object.
    pub config: String,
    /// A candidate that is called beside it.
    pub shadow: Option<Box<ShadowSettings>>,
}

/// `shadow` of a stage: a module that is called for the same events, and changes nothing. What it
/// does not say is as the stage has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowSettings {
    /// The component to load.
    pub module: ModuleSource,
    /// Its settings, as one JSON object.
    pub config: String,
}

words! {
    /// `wasi`: what of WASI a module gets.
    #[derive(Default)]
    pub enum Wasi {
        #[default]
        None = "none": "a module that imports WASI is refused",
        Stub = "stub": "WASI 0.2 with nothing behind it, for toolchains that always import it",
    }
}

words! {
    /// `on_error`: what happens to an event that the module failed on.
    #[derive(Default)]
    pub enum OnError {
        #[default]
        Keep = "keep": "the event goes on, marked in /weir/errors",
        Drop = "drop": "the event is filtered, for the reason error",
        DeadLetter = "dead-letter": "the event goes to the dead letters",
    }
}
