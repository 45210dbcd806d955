//! From settings to a chain that is ready: every module read, compiled, linked and configured once,
//! and all that is wrong with any of them said at once.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::{Cache, CacheError, FetchError};
use super::clock::{Reading, Ticker};
use super::compile::{CompileError, Compiler, text};
use super::contract::{ExportError, UnknownImport, powers, stage_exports, unknown_imports};
use super::engine::engine;
use super::failure::FailureKind;
use super::host::Offer;
use super::instance::{Failure, Instance, Template};
use super::limits::{CORE_INSTANCES_MAX, HANDLES_MAX, MEMORIES_MAX, TABLES_MAX};
use super::stage::{Cause, Stage};
use super::worker::Worker;
use super::{StageSettings, Wasi, wasi};
use crate::ledger::Ledger;
use crate::metrics::StageMetrics;

/// Bytes of a module's file.
const MODULE_BYTES_MAX: u64 = 64 << 20;

/// How wasmtime's errors about its bounds begin.
const BOUNDS: [&str; 2] = ["resource limit exceeded", "cannot allocate another handle"];

/// What loading needs besides the settings.
#[derive(Clone, Debug)]
pub struct LoadContext {
    /// The folder of compiled modules.
    pub cache: PathBuf,
    /// Who compiles.
    pub compiler: Compiler,
    /// Where declared reasons are registered.
    pub ledger: Ledger,
    /// Where declared counters are registered, and calls counted.
    pub metrics: StageMetrics,
}

/// Something that keeps the stages from running.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A fault of one stage.
    #[error("stage `{stage}`: {module}: {problem}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// Its module.
        module: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
    /// The compile cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The machine does not let wasmtime run.
    #[error("WebAssembly cannot run here: {0}")]
    Engine(String),
}

impl LoadError {
    /// The stage that it is about, if it is about one.
    pub fn stage(&self) -> Option<&str> {
        match self {
            LoadError::Stage { stage, .. } => Some(stage),
            LoadError::Cache(_) | LoadError::Engine(_) => None,
        }
    }
}

/// What is wrong with a module.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file.
    #[error("cannot read it: {0}{hint}", hint = not_there(.0))]
    Read(io::Error),
    /// A folder or a device.
    #[error("it is not a file")]
    NotAFile,
    /// The size of the file.
    #[error("it is larger than {} MiB, the most that a module may have", MODULE_BYTES_MAX >> 20)]
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
    /// It asks for what there is not.
    #[error("it imports what modules do not get:{}", list(.0))]
    Imports(Vec<UnknownImport>),
    /// It is no stage.
    #[error(transparent)]
    Exports(#[from] ExportError),
    /// A function has another type than here.
    #[error(
        "a function that it imports has another type than this weir's: {0}: build the module with this weir's SDK"
    )]
    Link(String),
    /// It refused its configuration.
    #[error("it refused [stage.config]: {0}")]
    Refused(String),
    /// It consists of too many parts, or holds too many handles.
    #[error(
        "it is or holds more than a module may ({CORE_INSTANCES_MAX} core instances, {MEMORIES_MAX} memories, \
         {TABLES_MAX} tables, {HANDLES_MAX} handles): {0}"
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

fn list(imports: &[UnknownImport]) -> String {
    imports.iter().fold(String::new(), |mut lines, import| {
        // Writing to a String cannot fail.
        let _ = write!(lines, "\n  {import}");
        lines
    })
}

/// All stages in their order, ready to run. Workers are made from it. Cheap to clone.
#[derive(Clone)]
pub struct Chain(pub(super) Arc<Shared>);

/// What the workers of a chain share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) ticker: Ticker,
    /// In order.
    pub(super) stages: Vec<Arc<Stage>>,
    loaded: Vec<Loaded>,
}

struct Loaded {
    template: Arc<Template>,
    powers: Vec<String>,
    /// The instance that loading made, for the first worker.
    first: Mutex<Option<Instance>>,
}

/// What a stage is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
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

/// Loads all stages.
///
/// # Errors
///
/// All that is wrong with any of them.
pub fn load(settings: &[StageSettings], context: LoadContext) -> Result<Chain, Vec<LoadError>> {
    load_with_clock(settings, &context, Reading::now)
}

pub(super) fn load_with_clock(
    settings: &[StageSettings],
    context: &LoadContext,
    clock: fn() -> Reading,
) -> Result<Chain, Vec<LoadError>> {
    let broken = |error: String| vec![LoadError::Engine(error)];
    let engine = engine().map_err(|error| broken(text(&error)))?;
    let offer = Offer::new(&engine).map_err(|error| broken(text(&error)))?;
    let ticker = Ticker::start(&engine).map_err(|error| broken(error.to_string()))?;
    let mut chain = Shared { engine, ticker, stages: Vec::new(), loaded: Vec::new() };
    if settings.is_empty() {
        return Ok(Chain(Arc::new(chain))); // Needs no cache.
    }
    let cache = Cache::open(&context.cache).map_err(|error| vec![error.into()])?;
    let mut errors = Vec::new();
    for settings in settings {
        let stage = Stage::new(settings.clone(), &context.ledger, &context.metrics, clock);
        match chain.load_stage(&stage, &cache, &context.compiler, &offer) {
            Ok(loaded) => {
                chain.stages.push(stage);
                chain.loaded.push(loaded);
            }
            Err(faults) => errors.extend(faults.into_iter().map(|fault| fault.of(settings))),
        }
    }
    if errors.is_empty() { Ok(Chain(Arc::new(chain))) } else { Err(errors) }
}

/// A fault found while one stage was loaded.
enum Fault {
    Cache(CacheError),
    Problem(Problem),
}

impl Fault {
    fn of(self, settings: &StageSettings) -> LoadError {
        let (stage, module) = (settings.name.clone(), settings.module.clone());
        match self {
            Fault::Cache(error) => LoadError::Cache(error),
            Fault::Problem(problem) => LoadError::Stage { stage, module, problem },
        }
    }
}

fn one(problem: impl Into<Problem>) -> Vec<Fault> {
    vec![Fault::Problem(problem.into())]
}

impl Shared {
    fn load_stage(
        &self,
        stage: &Arc<Stage>,
        cache: &Cache,
        compiler: &Compiler,
        offer: &Offer,
    ) -> Result<Loaded, Vec<Fault>> {
        let module = read(&stage.settings.module).map_err(one)?;
        let component =
            cache.fetch(&self.engine, compiler, &module).map_err(|error| match error {
                FetchError::Compile(error) => one(Problem::Compile(error)),
                FetchError::Cache(error) => vec![Fault::Cache(error)],
            })?;
        let template = Arc::new(self.link(&component, offer, stage.settings.wasi)?);
        let running = self.ticker.run();
        let started = template.start(&self.engine, stage, Cause::Start);
        let (first, _) = started.map_err(|failure| one(start_problem(failure)))?;
        drop(running);
        let powers = powers(&self.engine, &component);
        Ok(Loaded { template, powers, first: Mutex::new(Some(first)) })
    }

    fn link(
        &self,
        component: &Component,
        offer: &Offer,
        wasi: Wasi,
    ) -> Result<Template, Vec<Fault>> {
        let unknown = unknown_imports(&self.engine, component, offer, wasi);
        let exports = stage_exports(&self.engine, component);
        let mut faults =
            if unknown.is_empty() { Vec::new() } else { one(Problem::Imports(unknown)) };
        let (configure, process) = match exports {
            Ok(exports) if faults.is_empty() => exports,
            exports => {
                faults.extend(exports.err().into_iter().flat_map(one));
                return Err(faults);
            }
        };
        let linked = match wasi {
            Wasi::None => offer.linker.instantiate_pre(component),
            Wasi::Stub => {
                let mut linker = offer.linker.clone();
                wasi::link(&mut linker, &self.engine, component)
                    .and_then(|()| linker.instantiate_pre(component))
            }
        };
        let pre = linked.map_err(|error| one(Problem::Link(text(&error))))?;
        Ok(Template { pre, configure, process })
    }
}

impl Chain {
    /// One worker of `workers`, with instances of its own. The first one gets those that loading
    /// made.
    pub fn worker(&self, number: usize, workers: usize) -> Worker {
        let instances = self.0.loaded.iter().map(|loaded| {
            let first = loaded.first.lock().unwrap_or_else(|e| e.into_inner()).take();
            (loaded.template.clone(), first)
        });
        let instances = instances.collect();
        Worker::new(self.0.clone(), number, workers, instances)
    }

    /// What its stages are and can do, in order.
    pub fn describe(&self) -> Vec<Description> {
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

fn start_problem(failure: Failure) -> Problem {
    match failure.kind {
        FailureKind::Error => Problem::Refused(failure.detail),
        // wasmtime has no type for these.
        FailureKind::Trap if BOUNDS.iter().any(|bound| failure.detail.starts_with(bound)) => {
            Problem::TooMany(failure.detail)
        }
        kind => {
            let place = failure.trace.map_or_else(String::new, |trace| format!(" (in {trace})"));
            Problem::Start { kind: kind.label(), detail: failure.detail + &place }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    // Looked at before it is opened: opening a pipe waits for somebody to write to it.
    if !fs::metadata(path).map_err(Problem::Read)?.is_file() {
        return Err(Problem::NotAFile);
    }
    let file = File::open(path).map_err(Problem::Read)?;
    let mut module = Vec::new();
    file.take(MODULE_BYTES_MAX + 1).read_to_end(&mut module).map_err(Problem::Read)?;
    if module.len() as u64 > MODULE_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    // Magic, version and layer: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
    match module.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(module),
        Some([0, b'a', b's', b'm', ..]) => Err(Problem::CoreModule),
        _ => Err(Problem::NotWasm),
    }
}

/// The first error of who has not built modules yet.
fn not_there(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => ": `weir filter build DIR` makes it of a filter's source",
        _ => "",
    }
}
