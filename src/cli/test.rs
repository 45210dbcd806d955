//! `weir test FILE`: holds a pipeline to what is expected of recorded events.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CommandError, LogArguments, preflight, print};
use crate::cases::{self, CasesError, Report, Tested};
use crate::config::{self, Environment, InvalidConfig};
use crate::text;

/// Run a pipeline's stages over recorded events, and compare what becomes of each with what is
/// expected
///
/// A case is NAME.events.jsonl (an event a line) and NAME.expected.jsonl (a line an event, such as
/// {"outcome":"filtered","stage":"noise"}; what is left out is not compared). NAME.toml may say
/// more. No server is contacted, no secret is read, and nothing is written but the compile cache.
///
/// Exit codes: 0, all came out as expected; 1, some did not; 2, a file is wrong.
#[derive(Debug, Args)]
pub(super) struct TestCommand {
    /// The configuration
    file: PathBuf,
    #[command(flatten)]
    cases: CasesArguments,
    #[command(flatten)]
    log: LogArguments,
}

/// What commands that run cases are given.
#[derive(Debug, Args)]
pub(super) struct CasesArguments {
    /// The folder of the cases; default: `cases` beside what is tested
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Record what happens as what is expected, where that does not hold
    #[arg(long)]
    update: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Why a test did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// What happens is not what is expected.
    #[error("{failed} of {cases} cases did not come out as expected")]
    Failed {
        /// How many did not.
        failed: usize,
        /// How many there are.
        cases: usize,
    },
    /// They could not be run.
    #[error(transparent)]
    Cases(#[from] CasesError),
}

impl TestError {
    /// Whether what was given cannot be used.
    pub(super) fn is_of_usage(&self) -> bool {
        match self {
            TestError::Failed { .. } => false,
            TestError::Cases(error) => error.is_of_usage(),
        }
    }
}

impl TestCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let telemetry = self.log.init_quietly()?;
        let config = config::load(&self.file, &Environment::of_process())
            .map_err(|InvalidConfig { diagnostics, .. }| diagnostics)?;
        let beside = self.file.parent().unwrap_or(Path::new(""));
        let ran = self.cases.run(beside, Tested::Pipeline(&config));
        telemetry.end();
        match ran {
            // They are the configuration's, and it is known where in it.
            Err(TestError::Cases(CasesError::Modules { errors, .. })) => {
                Err(preflight::modules_failed(&config.references, &errors))
            }
            ran => self.cases.finish(ran),
        }
    }
}

impl CasesArguments {
    /// Runs the cases. `beside` has the default folder.
    pub(super) fn run(&self, beside: &Path, tested: Tested<'_>) -> Result<Report, TestError> {
        let beside = if beside == "." { Path::new("") } else { beside };
        let folder = self.cases.clone().unwrap_or_else(|| beside.join("cases"));
        Ok(cases::run(&folder, tested, self.update)?)
    }

    /// Says what came of them.
    pub(super) fn finish(&self, ran: Result<Report, TestError>) -> Result<(), CommandError> {
        let report = ran?;
        if self.json {
            print(&format!("{}\n", text::json(&report.json())))?;
        } else {
            print(&report.to_string())?;
        }
        match report.failed() {
            0 => Ok(()),
            failed => Err(TestError::Failed { failed, cases: report.cases() }.into()),
        }
    }
}
