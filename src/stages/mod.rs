//! The chain of WebAssembly modules that each event passes.

use std::path::PathBuf;
use std::time::Duration;

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
    /// `[stage.config]` as one JSON object.
    pub config: String,
}

/// `match`: every key that is set must hold; the members of a list are alternatives. Exact and case-sensitive.
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

/// `on_error`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The event goes on, marked in `/weir/errors`.
    #[default]
    Keep,
    /// The event is filtered, for the reason `error`.
    Drop,
    /// The event becomes a dead letter.
    DeadLetter,
}
