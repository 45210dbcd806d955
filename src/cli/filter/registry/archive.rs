//! `weir filter save` and `load`: modules over an air gap, in one file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{CacheArguments, CarryError, RegistryArguments, ask, name, reference};
use crate::cli::filter::inspect::stage;
use crate::cli::filter::powers::Powers;
use crate::registry::{self, Cache, Carried, Client, Reference, archive};
use crate::text::{self, LINE_BYTES_MAX};

/// What `weir filter save` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct SaveArgs {
    /// What to save: REGISTRY/NAME:TAG, or …@sha256:…
    #[arg(value_name = "REF", required = true)]
    references: Vec<String>,
    /// The file to write
    #[arg(long, value_name = "TAR")]
    out: PathBuf,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    cache: CacheArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli::filter) json: bool,
}

/// What `weir filter load` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// The file that `weir filter save` wrote
    #[arg(value_name = "TAR")]
    file: PathBuf,
    /// Push the modules to this registry, below this prefix if it has one, and leave the cache as
    /// it is
    #[arg(long, value_name = "REGISTRY[/PREFIX]")]
    to: Option<String>,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    cache: CacheArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli::filter) json: bool,
}

/// What was saved or loaded.
#[derive(Debug, Serialize)]
struct Said {
    #[serde(skip)]
    verb: &'static str,
    path: PathBuf,
    modules: Vec<Module>,
}

#[derive(Debug, Serialize)]
struct Module {
    reference: String,
    digest: String,
    bytes: usize,
    stage: String,
}

/// Saves, and answers what to say of it.
pub(in crate::cli::filter) fn save(args: &SaveArgs) -> Result<String, CarryError> {
    let references: Vec<Reference> =
        args.references.iter().map(|text| reference(text)).collect::<Result<_, _>>()?;
    let (settings, cache) = (args.registry.settings(), args.cache.folder());
    let all: BTreeSet<Reference> = references.into_iter().collect();
    let pulled = ask(registry::pull(&settings, &cache, all.clone()))?;
    let pulled = pulled.map_err(CarryError::Unpulled)?;
    let mut modules = Vec::new();
    for named in &all {
        let parts = pulled.parts(named).map_err(file(&cache))?;
        let digest = pulled.digest(named).cloned();
        let reference = digest.map_or_else(|| named.clone(), |digest| named.at(digest));
        modules.push(Carried { reference, parts });
    }
    let written =
        File::create(&args.out).and_then(|out| archive::write(BufWriter::new(out), &modules));
    written.map_err(file(&args.out))?;
    let references = modules.iter().map(|carried| carried.reference.clone());
    Ok(said("saved", &args.out, references.zip(&modules), args.json))
}

/// Loads, and answers what to say of it.
pub(in crate::cli::filter) fn load(args: &LoadArgs) -> Result<String, CarryError> {
    let opened = File::open(&args.file).map_err(file(&args.file))?;
    let modules = archive::read(BufReader::new(opened))
        .map_err(|error| CarryError::Archive { path: args.file.clone(), error })?;
    let references = match &args.to {
        Some(registry) => push(args, registry, &modules)?,
        None => {
            let folder = args.cache.folder();
            let cache = Cache::open(&folder);
            for carried in &modules {
                carried.keep(&cache).map_err(file(&folder))?;
            }
            modules.iter().map(|carried| carried.reference.clone()).collect()
        }
    };
    let verb = if args.to.is_some() { "pushed" } else { "loaded" };
    Ok(said(verb, &args.file, references.into_iter().zip(&modules), args.json))
}

fn push(
    args: &LoadArgs,
    registry: &str,
    modules: &[Carried],
) -> Result<Vec<Reference>, CarryError> {
    let mut there = Vec::new();
    for carried in modules {
        let to = carried.reference.in_registry(registry);
        there.push(to.map_err(|error| CarryError::Reference { text: registry.to_owned(), error })?);
    }
    let settings = args.registry.settings();
    let Some(first) = there.first() else { return Ok(there) };
    let client = Client::new(&settings).map_err(|error| CarryError::push(first, error))?;
    ask(async {
        for (carried, to) in modules.iter().zip(&there) {
            let pushed = client.push(to, &carried.artifact()).await;
            pushed.map_err(|error| CarryError::push(to, error))?;
        }
        Ok::<(), CarryError>(())
    })??;
    Ok(there)
}

fn said<'m>(
    verb: &'static str,
    path: &Path,
    modules: impl Iterator<Item = (Reference, &'m Carried)>,
    is_json: bool,
) -> String {
    let module = |(reference, carried): (Reference, &Carried)| {
        let asks_for_wasi = Powers::of(&carried.parts.module).is_ok_and(|of| of.asks_for_wasi());
        Module {
            stage: stage(&name(&reference), &reference, asks_for_wasi),
            digest: reference.digest().map_or_else(String::new, ToString::to_string),
            bytes: carried.parts.module.len(),
            reference: reference.to_string(),
        }
    };
    let said = Said { verb, path: path.to_owned(), modules: modules.map(module).collect() };
    if is_json {
        return serde_json::to_string(&said).unwrap_or_default();
    }
    let lines = said.modules.iter().map(|Module { reference, bytes, .. }| {
        text::one_line(format_args!("{:<12} {reference}, {bytes} bytes", said.verb), LINE_BYTES_MAX)
    });
    let stages = said.modules.iter().map(|module| format!("\n{}", module.stage.trim_end()));
    lines.chain(stages.filter(|_| verb != "saved")).collect::<Vec<_>>().join("\n")
}

fn file(path: &Path) -> impl Fn(std::io::Error) -> CarryError + use<> {
    let path = path.to_owned();
    move |error| CarryError::File { path: path.clone(), error }
}
