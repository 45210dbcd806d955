//! `weir filter bench`: what a module costs an event, in time and memory on this machine now, and
//! in a count that is the same everywhere.

mod report;

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use sha2::{Digest, Sha256};

use self::report::{Bench, Identity};
use super::FilterError;
use super::alone::{Alone, SettingsArgs};
use crate::cases;
use crate::cli::{CommandError, LogArguments, print};
use crate::event::Chunk;
use crate::files;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::stages::{self, LoadError, Workload};
use crate::text;

/// A recorded cluster's events, which the binary carries.
const DEMO: &[u8] = include_bytes!("../../../../config/demo-events.jsonl");
/// What a file of events may have: what a case's may.
const EVENTS_BYTES_MAX: u64 = 64 << 20;
/// How long events are timed: so long that the median of a warm cache does not move much.
const TIMED_FOR: Duration = Duration::from_secs(1);

/// What `weir filter bench` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The module
    module: PathBuf,
    /// Events in order, a line each, such as those of a case; default: some hundreds of a recorded
    /// cluster, which weir carries
    events: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArguments,
}

/// Why a module could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The events cannot be read.
    #[error("{}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There are none.
    #[error("{}: there is no event in it", .0.display())]
    NoEvents(PathBuf),
    /// The module does not load.
    #[error("{}", text::first(.0, super::ERRORS_SHOWN_MAX))]
    Load(Vec<LoadError>),
    /// weir cannot be set up, or not find itself.
    #[error("{0}")]
    Setup(String),
    /// The figures are of something that does not work.
    #[error("the module failed on {failed} of {calls} events: the figures are of that, too")]
    Failed {
        /// Calls that failed.
        failed: u64,
        /// All calls.
        calls: u64,
    },
}

impl BenchError {
    /// Whether what was given cannot be used.
    pub(super) fn is_of_usage(&self) -> bool {
        !matches!(self, BenchError::Setup(_) | BenchError::Failed { .. })
    }
}

/// Measures, prints, and fails where the module did.
pub(super) fn run(args: &BenchArgs) -> Result<(), CommandError> {
    let telemetry = args.log.init_quietly()?;
    let alone = args.settings.of(&args.module)?;
    let chunks = args.events().map_err(FilterError::from)?;
    let bench = measure(&alone, chunks)?;
    telemetry.end();
    if args.json {
        print(&format!("{}\n", text::json(&bench.json())))?;
    } else {
        print(&bench.to_string())?;
    }
    match bench.failed {
        0 => Ok(()),
        failed => Err(FilterError::from(BenchError::Failed { failed, calls: bench.calls }).into()),
    }
}

impl BenchArgs {
    fn events(&self) -> Result<Vec<Chunk>, BenchError> {
        let Some(path) = &self.events else { return Ok(cases::frame(DEMO)) };
        let path = path.clone();
        let bytes = match files::read_small(&path, EVENTS_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => return Err(BenchError::Read { path, error }),
        };
        let chunks = cases::frame(&bytes);
        match chunks.iter().any(|chunk| !chunk.events.is_empty()) {
            true => Ok(chunks),
            false => Err(BenchError::NoEvents(path)),
        }
    }
}

fn measure(alone: &Alone, chunks: Vec<Chunk>) -> Result<Bench, CommandError> {
    let setup = |error: String| CommandError::from(FilterError::from(BenchError::Setup(error)));
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).map_err(|error| setup(error.to_string()))?;
    let context = Alone::context(&ledger, &metrics);
    let lookups = cases::lookups_of(&alone.case.objects, &metrics)?;
    let rejected = chunks.iter().map(|chunk| chunk.rejections.len()).sum();
    let workload = Workload::new(chunks, lookups.as_ref());
    let load = |errors| FilterError::from(BenchError::Load(errors));
    let chain = stages::load(&[alone.stage.clone().into()], context.clone()).map_err(load)?;
    let timed = stages::time(&chain, &workload, TIMED_FOR);
    let counted = stages::count(&alone.stage, &context, &workload).map_err(load)?;
    let weir = Identity {
        version: env!("CARGO_PKG_VERSION"),
        sha256: own_digest().map_err(|error| setup(format!("weir's own binary: {error}")))?,
    };
    Ok(Bench::new(alone, weir, (workload.len(), rejected), timed, counted))
}

/// The digest of the binary that runs.
fn own_digest() -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut fs::File::open(std::env::current_exe()?)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}
