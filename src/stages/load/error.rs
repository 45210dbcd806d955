//! What keeps stages from running, in words for whoever configured them.

use std::fmt::Write as _;
use std::io;

use crate::stages::compile::CompileError;
use crate::stages::contract::{ExportError, UnknownImport};
use crate::stages::limits::{
    CORE_INSTANCES_MAX, HANDLES_MAX, MEMORIES_MAX, MODULE_BYTES_MAX, TABLES_MAX,
};
use crate::stages::{ModuleSettings, ModuleSource};

/// Imports that are told of one module: who mends these finds the others.
pub(in crate::stages) const IMPORTS_SHOWN_MAX: usize = 20;

/// Something that keeps the stages from running.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Of one stage.
    #[error("stage `{stage}`: {module}: {error}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// Its module.
        module: ModuleSource,
        /// What is wrong.
        error: ModuleError,
    },
    /// Of one stage's shadow.
    #[error("stage `{stage}`: its shadow {module}: {error}")]
    Shadow {
        /// The stage's name.
        stage: String,
        /// The candidate.
        module: ModuleSource,
        /// What is wrong.
        error: ModuleError,
    },
    /// The run is to end.
    #[error("stopped while the modules were loaded")]
    Stopped,
    /// The machine does not let wasmtime run.
    #[error("WebAssembly cannot run here: {0}")]
    Engine(String),
}

impl LoadError {
    pub(super) fn of(settings: &ModuleSettings, error: ModuleError) -> LoadError {
        let (stage, module) = (settings.name.clone(), settings.module.clone());
        LoadError::Stage { stage, module, error }
    }

    pub(super) fn of_shadow(settings: &ModuleSettings, error: ModuleError) -> LoadError {
        let (stage, module) = (settings.name.clone(), settings.module.clone());
        LoadError::Shadow { stage, module, error }
    }

    /// The stage that it is about, if it is about one.
    pub fn stage(&self) -> Option<&str> {
        match self {
            LoadError::Stage { stage, .. } | LoadError::Shadow { stage, .. } => Some(stage),
            LoadError::Stopped | LoadError::Engine(_) => None,
        }
    }
}

/// What is wrong with a module.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The file.
    #[error("cannot read it: {0}{hint}", hint = not_there(.0))]
    Read(io::Error),
    /// What a registry has, and is not here.
    #[error("{0}: `weir filter pull` brings it into the cache")]
    NotPulled(io::Error),
    /// A folder or a device.
    #[error("it is not a file")]
    NotAFile,
    /// The size of the file.
    #[error("it is larger than {} MiB, the most that a module may be", MODULE_BYTES_MAX >> 20)]
    TooLarge,
    /// Not WebAssembly in binary form.
    #[error("it is not WebAssembly")]
    NotWasm,
    /// A core module.
    #[error(
        "it is a core module, and weir needs a component: run `weir filter build` on its source"
    )]
    CoreModule,
    /// It could not be compiled.
    #[error(transparent)]
    Compile(CompileError),
    /// It imports what is not offered.
    #[error("it imports what modules do not get:{}", list(.0))]
    Imports(Vec<UnknownImport>),
    /// It does not export a stage.
    #[error(transparent)]
    Exports(#[from] ExportError),
    /// It imports a function with another type than it is offered with.
    #[error(
        "a function that it imports has another type than this weir's: {0}: build the module with \
         this weir's SDK"
    )]
    Link(String),
    /// It refused its configuration.
    #[error("it refused [stage.config]: {0}")]
    Refused(String),
    /// It consists of too many parts, or holds too many handles.
    #[error(
        "it exceeds what a module may hold ({CORE_INSTANCES_MAX} core instances, \
         {MEMORIES_MAX} memories, {TABLES_MAX} tables, {HANDLES_MAX} handles): {0}"
    )]
    TooMany(String),
    /// It trapped, took too long or too much memory before any event.
    #[error("it failed to start ({kind}): {detail}")]
    Start {
        /// The kind of failure, as the metric has it.
        kind: &'static str,
        /// What happened.
        detail: String,
    },
}

/// One a line, and how many more there are.
fn list(imports: &[UnknownImport]) -> String {
    let mut lines = String::new();
    for import in imports.iter().take(IMPORTS_SHOWN_MAX) {
        // Writing to a String cannot fail.
        let _ = write!(lines, "\n  {import}");
    }
    if let Some(more) = imports.len().checked_sub(IMPORTS_SHOWN_MAX).filter(|more| *more > 0) {
        let _ = write!(lines, "\n  and {more} more");
    }
    lines
}

/// A hint for the error that people meet first: the modules are not built yet.
fn not_there(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => ": `weir filter build DIR` makes it of a filter's source",
        _ => "",
    }
}

/// The only error of a stage.
pub(super) fn one(error: impl Into<ModuleError>) -> Vec<ModuleError> {
    vec![error.into()]
}
