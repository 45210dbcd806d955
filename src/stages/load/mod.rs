//! From settings to a chain that is ready: every module read, compiled, linked and configured once,
//! and everything that is wrong with any of them reported at once.

mod error;

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;
use wasmtime::component::Component;

use self::error::one;
pub(crate) use self::error::{LoadError, ModuleError};
use super::cache::Cache;
use super::clock::{Reading, Ticker};
use super::compile::{Compiler, causes};
use super::contract::{powers, stage_exports, unknown_imports};
use super::drop::DropStage;
use super::engine::{counting_engine, engine};
use super::failure::FailureKind;
use super::host::Offer;
use super::instance::{Failure, Instance, Template};
use super::limits::MODULE_BYTES_MAX;
use super::loaded::{Chain, Loaded, Shared, Step};
use super::shadow::{self, Shadow};
use super::stage::{Cause, Stage};
use super::{ModuleSettings, ModuleSource, StageSettings, Wasi, wasi};
use crate::files;
use crate::ledger::Ledger;
use crate::metrics::StageMetrics;
use crate::registry::Pulled;

/// How wasmtime's errors about its bounds begin.
const BOUNDS: [&str; 2] = ["resource limit exceeded", "cannot allocate another handle"];

/// What loading needs besides the settings.
#[derive(Clone, Debug)]
pub struct LoadContext {
    /// The folder of compiled modules.
    pub cache: PathBuf,
    /// Whether what is compiled is kept there; otherwise the folder is left as it is.
    pub keeps: bool,
    /// The modules that are in registries.
    pub pulled: Pulled,
    /// How many instances of each module are made at once, at least one: that many workers need not
    /// make theirs.
    pub instances: usize,
    /// Who compiles.
    pub compiler: Compiler,
    /// Where declared reasons are registered.
    pub ledger: Ledger,
    /// Where declared counters are registered, and calls counted.
    pub metrics: StageMetrics,
}

/// Loads all stages.
///
/// # Errors
///
/// All that is wrong with any of them.
pub fn load(settings: &[StageSettings], context: LoadContext) -> Result<Chain, Vec<LoadError>> {
    load_until(settings, &context, &CancellationToken::new())
}

/// [`load`], which ends early when `stop` is cancelled: then [`LoadError::Stopped`] is its only
/// error.
pub(crate) fn load_until(
    settings: &[StageSettings],
    context: &LoadContext,
    stop: &CancellationToken,
) -> Result<Chain, Vec<LoadError>> {
    load_with_clock(settings, context, stop, Reading::now)
}

pub(super) fn load_with_clock(
    settings: &[StageSettings],
    context: &LoadContext,
    stop: &CancellationToken,
    clock: fn() -> Reading,
) -> Result<Chain, Vec<LoadError>> {
    load_on(engine(), None, settings, context, stop, clock)
}

/// [`load`] on an engine that counts, with this much fuel for a call. It compiles in this process.
pub(super) fn load_counting(
    settings: &[StageSettings],
    context: &LoadContext,
    call_fuel: u64,
) -> Result<Chain, Vec<LoadError>> {
    let context = LoadContext { compiler: Compiler::InProcess, ..context.clone() };
    let stop = CancellationToken::new();
    load_on(counting_engine(), Some(call_fuel), settings, &context, &stop, Reading::now)
}

fn load_on(
    engine: wasmtime::Result<Engine>,
    call_fuel: Option<u64>,
    settings: &[StageSettings],
    context: &LoadContext,
    stop: &CancellationToken,
    clock: fn() -> Reading,
) -> Result<Chain, Vec<LoadError>> {
    let broken = |error: String| vec![LoadError::Engine(error)];
    let engine = engine.map_err(|error| broken(causes(&error)))?;
    let offer = Offer::new(&engine, call_fuel).map_err(|error| broken(causes(&error)))?;
    let ticker = Ticker::start(&engine).map_err(|error| broken(error.to_string()))?;
    let mut chain = Shared::new(engine, ticker);
    let mut cache = None; // Without a module none is needed.
    let mut errors = Vec::new();
    for settings in settings {
        let settings = match settings {
            StageSettings::Module(module) => module,
            StageSettings::Drop { name, matches } => {
                chain.steps.push(Step::Drop(DropStage::new(name, matches, &context.ledger)));
                continue;
            }
        };
        let cache = cache.get_or_insert_with(|| match context.keeps {
            true => Cache::open(&context.cache),
            false => Cache::look(&context.cache),
        });
        let stage = Stage::new(settings.clone(), &context.ledger, &context.metrics, clock);
        let loaded = chain.load_stage(&stage, cache, context, stop, &offer);
        let shadow = chain.load_shadow(&stage, cache, context, stop, &offer);
        let loaded = match (loaded, shadow) {
            (Ok(loaded), Ok(shadow)) => Ok(Loaded { shadow, ..loaded }),
            (loaded, shadow) => Err(all(settings, loaded.err(), shadow.err())),
        };
        match loaded {
            Ok(loaded) => {
                chain.steps.push(Step::Call(chain.stages.len()));
                chain.stages.push(stage);
                chain.loaded.push(loaded);
            }
            Err(_) if stop.is_cancelled() => return Err(vec![LoadError::Stopped]),
            Err(more) => errors.extend(more),
        }
    }
    chain.complete();
    if errors.is_empty() { Ok(Chain(Arc::new(chain))) } else { Err(errors) }
}

/// All that is wrong with one stage.
fn all(
    settings: &ModuleSettings,
    errors: Option<Vec<ModuleError>>,
    of_shadow: Option<Vec<LoadError>>,
) -> Vec<LoadError> {
    let errors = errors.into_iter().flatten().map(|error| LoadError::of(settings, error));
    errors.chain(of_shadow.into_iter().flatten()).collect()
}

impl Shared {
    fn load_stage(
        &self,
        stage: &Arc<Stage>,
        cache: &Cache,
        context: &LoadContext,
        stop: &CancellationToken,
        offer: &Offer,
    ) -> Result<Loaded, Vec<ModuleError>> {
        let module = bytes(&stage.settings.module, &context.pulled).map_err(one)?;
        let component = cache
            .fetch(&self.engine, &context.compiler, &module, stop)
            .map_err(|error| one(ModuleError::Compile(error)))?;
        let template = Arc::new(self.link(&component, offer, stage.settings.wasi)?);
        let running = self.ticker.run();
        let start = |_| template.start(&self.engine, stage, Cause::Start).map(|(ready, _)| ready);
        let ready: Result<Vec<_>, _> = (0..context.instances.max(1)).map(start).collect();
        let ready = ready.map_err(|failure| one(start_error(failure)))?;
        drop(running);
        let powers = powers(&self.engine, &component);
        let interest = ready.first().map(Instance::interest).cloned().unwrap_or_default();
        Ok(Loaded { template, powers, interest, ready: Mutex::new(ready), shadow: None })
    }

    /// The stage's candidate, if it has one.
    fn load_shadow(
        &self,
        live: &Arc<Stage>,
        cache: &Cache,
        context: &LoadContext,
        stop: &CancellationToken,
        offer: &Offer,
    ) -> Result<Option<Shadow>, Vec<LoadError>> {
        let Some(candidate) = &live.settings.shadow else { return Ok(None) };
        let broken = |error: prometheus::Error| vec![LoadError::Engine(error.to_string())];
        let stage = shadow::stage(&live.settings, candidate, live.clock).map_err(broken)?;
        let context = LoadContext { instances: 1, ..context.clone() };
        let loaded = self.load_stage(&stage, cache, &context, stop, offer).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| LoadError::of_shadow(&stage.settings, error))
                .collect::<Vec<_>>()
        })?;
        Ok(Some(Shadow::new(live.clone(), stage, loaded)))
    }

    fn link(
        &self,
        component: &Component,
        offer: &Offer,
        wasi: Wasi,
    ) -> Result<Template, Vec<ModuleError>> {
        let unknown = unknown_imports(&self.engine, component, offer, wasi);
        let exports = stage_exports(&self.engine, component);
        let mut errors =
            if unknown.is_empty() { Vec::new() } else { one(ModuleError::Imports(unknown)) };
        let (configure, process) = match exports {
            Ok(exports) if errors.is_empty() => exports,
            exports => {
                errors.extend(exports.err().into_iter().flat_map(one));
                return Err(errors);
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
        let pre = linked.map_err(|error| one(ModuleError::Link(causes(&error))))?;
        Ok(Template { pre, configure, process, call_fuel: offer.call_fuel })
    }
}

fn start_error(failure: Failure) -> ModuleError {
    match failure.kind {
        FailureKind::Error => ModuleError::Refused(failure.detail),
        // wasmtime has no type for these.
        FailureKind::Trap if BOUNDS.iter().any(|bound| failure.detail.starts_with(bound)) => {
            ModuleError::TooMany(failure.detail)
        }
        kind => {
            let trace = failure.trace.filter(|trace| trace.is_needed);
            let at = trace.map_or_else(String::new, |at| format!(" (in {})", at.functions));
            ModuleError::Start { kind: kind.label(), detail: failure.detail + &at }
        }
    }
}

fn bytes(source: &ModuleSource, pulled: &Pulled) -> Result<Bytes, ModuleError> {
    let module = match source {
        ModuleSource::File(path) => read(path)?.into(),
        ModuleSource::Registry(reference) => {
            pulled.read(reference).map_err(ModuleError::NotPulled)?
        }
    };
    // Magic, version and layer: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
    match module.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(module),
        Some([0, b'a', b's', b'm', ..]) => Err(ModuleError::CoreModule),
        _ => Err(ModuleError::NotWasm),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ModuleError> {
    let file = files::open(path).map_err(|error| match error.kind() {
        // What the system says is never of this kind.
        ErrorKind::Other => ModuleError::NotAFile,
        _ => ModuleError::Read(error),
    })?;
    let mut module = Vec::new();
    file.take(MODULE_BYTES_MAX + 1).read_to_end(&mut module).map_err(ModuleError::Read)?;
    if module.len() as u64 > MODULE_BYTES_MAX {
        return Err(ModuleError::TooLarge);
    }
    Ok(module)
}
