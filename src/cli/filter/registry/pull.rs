//! `weir filter pull`: a module out of a registry, into weir's cache or a file.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::{CacheArguments, CarryError, RegistryArguments, ask, name, reference};
use crate::cli::filter::inspect::stage;
use crate::cli::filter::powers::Powers;
use crate::registry;
use crate::text::{self, LINE_BYTES_MAX};

/// What `weir filter pull` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct PullArgs {
    /// What to pull: REGISTRY/NAME:TAG, or …@sha256:…
    #[arg(value_name = "REF")]
    reference: String,
    /// Write the module to this file, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    cache: CacheArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli::filter) json: bool,
}

/// What was pulled.
#[derive(Debug, Serialize)]
struct Pulled {
    reference: String,
    digest: String,
    bytes: usize,
    permissions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    stage: String,
}

/// Pulls, and answers what to say of it.
pub(in crate::cli::filter) fn pull(args: &PullArgs) -> Result<String, CarryError> {
    let of = reference(&args.reference)?;
    let (settings, cache) = (args.registry.settings(), args.cache.folder());
    let asked = registry::pull(&settings, &cache, BTreeSet::from([of.clone()]));
    let pulled = ask(asked)?.map_err(CarryError::Unpulled)?;
    let file = |path: &PathBuf| {
        let path = path.clone();
        move |error| CarryError::File { path, error }
    };
    let module = pulled.read(&of).map_err(file(&cache))?;
    if let Some(path) = &args.out {
        fs::write(path, &module).map_err(file(path))?;
    }
    // What it names is here.
    let at = pulled.digest(&of).map_or_else(|| of.clone(), |digest| of.at(digest.clone()));
    let powers = Powers::of(&module);
    let asks_for_wasi = powers.as_ref().is_ok_and(Powers::asks_for_wasi);
    let pulled = Pulled {
        stage: stage(&name(&of), &at, asks_for_wasi),
        digest: at.digest().map_or_else(String::new, ToString::to_string),
        reference: at.to_string(),
        bytes: module.len(),
        permissions: powers.map_or_else(|why| why, |powers| powers.to_string()),
        path: args.out.clone(),
    };
    Ok(match args.json {
        true => serde_json::to_string(&pulled).unwrap_or_default(),
        false => pulled.to_string(),
    })
}

impl fmt::Display for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |part: &str, text: &dyn fmt::Display| {
            writeln!(f, "{part:<12} {}", text::one_line(text, LINE_BYTES_MAX))
        };
        line("pulled", &self.reference)?;
        line("size", &format_args!("{} bytes", self.bytes))?;
        line("permissions", &self.permissions)?;
        if let Some(path) = &self.path {
            line("written to", &path.display())?;
        }
        write!(f, "\n{}", self.stage.trim_end())
    }
}
