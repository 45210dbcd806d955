//! One module on its own, for commands that run it without a pipeline: what it is, and what it is
//! configured with.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::FilterError;
use super::inspect::{self, InspectError};
use super::powers::Powers;
use crate::cli::CommandError;
use crate::config::{self, CaseSettings, Environment, Location};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::registry::Pulled;
use crate::stages::{Compiler, LoadContext, ModuleSettings, StageSettings, Wasi};

/// What a module is configured with.
#[derive(Debug, clap::Args)]
pub(super) struct SettingsArgs {
    /// The stage's settings, as the NAME.toml of a case has them: [config], match, timeout, memory,
    /// and `[[objects]]` for what would be looked up
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// A module on its own.
#[derive(Debug)]
pub(super) struct Alone {
    /// The stage's name: the file's.
    pub(super) name: String,
    /// As it was given.
    pub(super) path: PathBuf,
    pub(super) bytes: usize,
    pub(super) sha256: String,
    pub(super) stage: ModuleSettings,
    /// What stands beside the stage's settings.
    pub(super) case: CaseSettings,
}

impl SettingsArgs {
    /// Reads the module and its settings.
    pub(super) fn of(&self, module: &Path) -> Result<Alone, CommandError> {
        let path = module.to_owned();
        let bytes = inspect::read(module).map_err(FilterError::from)?;
        let powers = Powers::of(&bytes)
            .map_err(|why| FilterError::from(InspectError::NotAFilter { path, why }))?;
        let name = super::test::stem(module);
        // Settings name it, and their paths begin where they are.
        let absolute = std::path::absolute(module).unwrap_or_else(|_| module.to_owned());
        let (stage, case) = match &self.config {
            Some(file) => settings_in(file, &name, &absolute)?,
            None => {
                let stage = config::module_stage(&name, &absolute)?;
                let wasi = if powers.asks_for_wasi() { Wasi::Stub } else { Wasi::None };
                (ModuleSettings { wasi, ..stage }, CaseSettings::default())
            }
        };
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        Ok(Alone { name, path: module.to_owned(), bytes: bytes.len(), sha256, stage, case })
    }
}

fn settings_in(
    file: &Path,
    name: &str,
    module: &Path,
) -> Result<(ModuleSettings, CaseSettings), CommandError> {
    let start = || Location { file: file.to_owned(), line: 1, column: 1 };
    if let Err(error) = file.metadata() {
        return Err(CommandError::Configuration(
            start().error(format!("cannot read it: {error}")).into(),
        ));
    }
    let case = config::case(file, Some((name, module)))?;
    match &case.stage {
        Some(StageSettings::Module(stage)) => Ok((stage.clone(), case)),
        // Not of a case: it may not say `drop`.
        _ => Err(CommandError::Configuration(start().error("it has no module").into())),
    }
}

impl Alone {
    /// What loading it needs besides.
    pub(super) fn context(ledger: &Ledger, metrics: &Metrics) -> LoadContext {
        LoadContext {
            pulled: Pulled::default(),
            cache: Environment::of_process().cache,
            keeps: true,
            instances: 1,
            compiler: Compiler::child(),
            ledger: ledger.clone(),
            metrics: metrics.stage.clone(),
        }
    }
}
