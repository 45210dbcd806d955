//! Cases: recorded events, and what is expected to become of each. `weir filter test` runs a module
//! over them, `weir test` a whole pipeline.
//!
//! A case NAME is up to three files of a folder:
//!
//! | file | holds |
//! |---|---|
//! | `NAME.events.jsonl` | the events in order, a line each, as a file source reads them |
//! | `NAME.expected.jsonl` | what is expected of each event, a line each |
//! | `NAME.toml` | the stage's settings, and what is expected of the whole case; may be absent |
//!
//! Constraints:
//!
//! - Events run through the worker that a run has, one worker and one event after the other, so
//!   each has its own outcome, and a case comes out the same each time.
//! - Every case begins with fresh instances: what one leaves behind is nothing to the next.
//! - No server is contacted: what would be looked up is what the case says.
//!
//! `read` finds and reads the files, `run` has the events run, `compare` is pure and says how what
//! happened differs from what was expected, `record` writes what happened as what is expected,
//! `recording` makes a case of what is seen, and `report` is what people and programs read.

mod compare;
mod read;
mod record;
mod recording;
mod report;
mod run;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::read::Outcome;
pub(crate) use self::recording::{Recorded, Recording};
pub(crate) use self::report::Report;
pub(crate) use self::run::{Happened, Host, HostError, frame, lookups_of, one_by_one};

use self::read::Case;
use self::report::CaseReport;
use crate::config::{Config, Diagnostics, Environment};
use crate::registry::{self, Pulled};
use crate::stages::{LoadError, ModuleSource, StageSettings};
use crate::text;

/// Errors of one case's modules that are told.
const ERRORS_SHOWN_MAX: usize = 10;

/// What is tested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tested<'a> {
    /// One module, as a stage of this name; the case has its settings.
    Module {
        /// The stage's name.
        name: &'a str,
        /// The component.
        module: &'a Path,
    },
    /// All stages of a pipeline, as it is configured.
    Pipeline(&'a Config),
}

/// Why cases could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// There are none.
    #[error("{}: there is no case: write one to NAME.events.jsonl, an event a line", .0.display())]
    None(PathBuf),
    /// It cannot be recorded there.
    #[error("{}: {why}", .at.display())]
    NotThere {
        /// The case's folder and name.
        at: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Something expects what nobody caused.
    #[error("{}: there is no {events} beside it", .file.display())]
    NoEvents {
        /// What expects it.
        file: PathBuf,
        /// The name of the file that is not there.
        events: String,
    },
    /// A file cannot be read, or not written.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is wrong with an expectation, or with a `NAME.toml`.
    #[error(transparent)]
    Settings(#[from] Diagnostics),
    /// A module does not load with a case's settings.
    #[error("case {case}: {}", text::first(.errors, ERRORS_SHOWN_MAX))]
    Modules {
        /// The case.
        case: String,
        /// All that is wrong.
        errors: Vec<LoadError>,
    },
    /// weir cannot be set up.
    #[error("{0}")]
    Process(String),
}

impl CasesError {
    /// Whether what was given cannot be used.
    pub(crate) fn is_of_usage(&self) -> bool {
        !matches!(self, CasesError::Process(_))
    }
}

/// Runs all cases of a folder, in the order of their names. `update`: what does not hold is
/// recorded as what is expected from now on.
///
/// # Errors
///
/// When a case cannot be run. What only does not hold is in the report.
pub(crate) fn run(dir: &Path, tested: Tested<'_>, update: bool) -> Result<Report, CasesError> {
    let cases = read::all(dir, tested)?;
    let mut report = Report::default();
    for case in &cases {
        report.cases.push(run_case(case, tested, update)?);
    }
    Ok(report)
}

fn run_case(case: &Case, tested: Tested<'_>, update: bool) -> Result<CaseReport, CasesError> {
    let mut host = Host::of(case, tested)?;
    let mut outcomes = Vec::new();
    for event in &case.events {
        outcomes.extend(host.outcomes(event)?);
    }
    let mut differences = compare::events(case, &outcomes);
    let recorded = update && !differences.is_empty();
    if recorded {
        record::write(case, &outcomes)?;
        differences.clear();
    }
    differences.extend(compare::whole(case, &outcomes, |stage, name| host.counter(stage, name)));
    Ok(CaseReport { name: case.name.clone(), events: outcomes.len(), recorded, differences })
}

/// Where compiled modules are kept, and what documents get, of what is tested.
impl Tested<'_> {
    /// What lies in the cache of the modules that are in registries: none is asked.
    fn pulled(&self) -> Pulled {
        match self {
            Tested::Module { .. } => Pulled::default(),
            Tested::Pipeline(config) => {
                let stages = config.settings.stages.iter();
                let references =
                    stages.flat_map(StageSettings::modules).filter_map(ModuleSource::reference);
                registry::look(&config.settings.cache, references)
            }
        }
    }

    fn cache(&self) -> PathBuf {
        match self {
            Tested::Module { .. } => Environment::of_process().cache,
            Tested::Pipeline(config) => config.settings.cache.clone(),
        }
    }
}
