//! `weir check FILE`: everything that is wrong, or what would run.
//!
//! It contacts no server, and writes nothing but the compile cache.

use std::path::PathBuf;

use clap::Args;

use super::summary::summary;
use super::{CommandError, LogArguments, preflight, print};

/// Tell everything that is wrong with a configuration, or what it would run
///
/// Each diagnostic goes to stderr and begins with a line FILE:LINE:COL: error: TEXT. The check
/// loads the modules, reads the secrets and certificates that are named, and looks for the files of
/// the source and the sink; it contacts no server, and writes nothing but the compile cache.
#[derive(Debug, Args)]
pub(super) struct CheckCommand {
    /// The configuration, as `weir run` would take it
    file: PathBuf,
    #[command(flatten)]
    log: LogArguments,
}

impl CheckCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let telemetry = self.log.init()?;
        let checked = preflight::check(&self.file);
        telemetry.end();
        let (config, modules) = checked?;
        print(&summary(&config.settings, &modules))
    }
}
