//! The chain of WebAssembly modules that each event passes (docs/modules.md#the-host).
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
//! (`current`). `clock` decides when to stop a call, `breaker` when to stop calling.

mod breaker;
mod cache;
mod chain;
mod clock;
mod compile;
mod contract;
mod current;
mod engine;
mod failure;
mod host;
mod instance;
mod limits;
mod load;
mod loaded;
mod matcher;
mod stage;
mod text;
mod wasi;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use compile::compile_as_child;
pub use compile::{COMPILE_COMMAND, CompileLimits, Compiler};
pub use load::{LoadContext, load};
pub(crate) use load::{LoadError, ModuleError, load_until};
pub use loaded::Chain;
pub(crate) use loaded::Description;
pub(crate) use worker::{Worker, WorkerError};

use std::path::PathBuf;
use std::time::Duration;

use crate::words::words;

/// One `[[stage]]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSettings {
    /// Its name, unique in the pipeline: a metric label.
    pub name: String,
    /// The component to load.
    pub module: PathBuf,
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
}

/// `match`: every key that is set must hold; the members of a list are alternatives. Exact and
/// case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// `type`
    pub event_type: Option<Vec<String>>,
    /// `reason`
    pub reason: Option<Vec<String>>,
    /// `namespace`: `/metadata/namespace`
    pub namespace: Option<Vec<String>>,
    /// `kind`: `/involvedObject/kind`
    pub kind: Option<Vec<String>>,
    /// `name`: `/involvedObject/name`
    pub name: Option<Vec<String>>,
    /// `component`: `/source/component`, else `/reportingComponent`
    pub component: Option<Vec<String>>,
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
