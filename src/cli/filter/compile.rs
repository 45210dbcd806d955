//! `weir filter compile`: fills the compile cache ahead of the weir that will use it.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use super::inspect::{self, InspectError};
use super::powers::Powers;
use super::{FilterError, say_of, tell};
use crate::cli::{CommandError, LogArguments};
use crate::config::Environment;
use crate::stages::{FillError, Filled, fill};

/// What `weir filter compile` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct CompileArgs {
    /// The modules
    #[arg(value_name = "FILE", required = true)]
    modules: Vec<PathBuf>,
    /// The folder that `cache` in pipeline.toml names; default: weir's own
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object for each module
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArguments,
}

/// Why a module was not compiled.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .module.display())]
pub struct CompileAheadError {
    module: PathBuf,
    error: Box<FillError>,
}

impl CompileAheadError {
    /// Whether what was given cannot be used.
    pub(super) fn is_of_usage(&self) -> bool {
        matches!(*self.error, FillError::Folder(_))
    }
}

/// Compiles each of the modules, and says where it is.
pub(super) fn run(args: &CompileArgs) -> Result<(), CommandError> {
    let telemetry = args.log.init_quietly()?;
    let folder = args.out.clone().unwrap_or_else(|| Environment::of_process().cache);
    for module in &args.modules {
        let bytes = inspect::read(module).map_err(FilterError::from)?;
        Powers::of(&bytes).map_err(|why| {
            FilterError::from(InspectError::NotAFilter { path: module.clone(), why })
        })?;
        let begin = Instant::now();
        let filled = fill(&folder, &bytes).map_err(|error| {
            FilterError::from(CompileAheadError { module: module.clone(), error: error.into() })
        })?;
        let compiled = Compiled { module, filled, seconds: begin.elapsed().as_secs_f64() };
        if args.json {
            tell(Ok::<_, FilterError>(compiled.json()), true)?;
        } else {
            say_of(&compiled)?;
        }
    }
    telemetry.end();
    Ok(())
}

/// A module that is in the folder now.
struct Compiled<'a> {
    module: &'a PathBuf,
    filled: Filled,
    seconds: f64,
}

impl Compiled<'_> {
    fn json(&self) -> String {
        let Filled { path, bytes, was_there } = &self.filled;
        let seconds = (self.seconds * 1000.0).round() / 1000.0;
        json!({
            "module": self.module, "path": path, "bytes": bytes, "was_there": was_there,
            "seconds": seconds,
        })
        .to_string()
    }
}

impl fmt::Display for Compiled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filled { path, bytes, was_there } = &self.filled;
        let (module, path, kib) = (self.module.display(), path.display(), bytes.div_ceil(1024));
        match was_there {
            true => write!(f, "{module}: {path} is there already ({kib} KiB)"),
            false => write!(f, "{module}: {path} ({kib} KiB, {:.1} s)", self.seconds),
        }
    }
}
