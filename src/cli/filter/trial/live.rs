//! Reads events as a run does, from the same sources, and gives them to one who looks at each.

use std::ops::ControlFlow;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::TryError;
use crate::cases;
use crate::cli::filter::FilterError;
use crate::event::Chunk;
use crate::handoff::{SourceSender, Work};
use crate::kube::MetadataReader;
use crate::ledger::{Delivered, Held, Ledger, Tally};
use crate::lookup::{self, Asking, Lookups};
use crate::position::{Identity, Keeper};
use crate::process::Process;
use crate::shutdown::Shutdown;
use crate::sink;
use crate::source::{self, SourceError};

/// Chunks in all: some in the source's hands, and some that wait.
const CHUNKS: usize = 4;
/// How a cluster is asked for what events regard: as the defaults of `[lookup]` have it.
const LOOKUP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);
const LOOKUPS_PER_SECOND: u32 = 20;

/// A source that is being read.
pub(super) struct Live {
    runtime: Runtime,
    process: Process,
    source: JoinHandle<Result<(), SourceError>>,
    queue: mpsc::Receiver<Work>,
    lookups: Option<(Lookups, Asking)>,
}

impl Live {
    /// Begins to read. `looks_up`: where there is a cluster, it is asked for what events regard,
    /// these annotations included.
    pub(super) fn start(
        settings: source::Settings,
        looks_up: Option<Vec<String>>,
    ) -> Result<Live, TryError> {
        let setup = |error: &dyn std::fmt::Display| TryError::Setup(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| setup(&error))?;
        let entered = runtime.enter();
        let shutdown = Shutdown::on_signals(|| {}).map_err(|error| setup(&error))?;
        let process = Process::new(Ledger::default(), shutdown).map_err(|error| setup(&error))?;
        let is_cluster = matches!(settings, source::Settings::Kubernetes(_));
        let lookups = match looks_up.filter(|_| is_cluster) {
            Some(annotations) => Some(runtime.block_on(looking_up(annotations, &process))?),
            None => None,
        };
        let identity = Identity {
            pipeline: "try".to_owned(),
            source: settings.identity(),
            cluster: None,
            target: sink::Settings::Stdout.target(),
        };
        let keeper = Keeper::open(None, false, identity, process.tracker.clone());
        let keeper = keeper.map_err(|error| setup(&error))?;
        let (ledger, tracker) = (process.ledger.clone(), process.tracker.clone());
        let (sender, mut queues) = SourceSender::new(ledger, tracker, CHUNKS, 1);
        let queue = queues.pop().ok_or_else(|| setup(&"there is no queue"))?;
        let of_source = process.clone();
        let source =
            tokio::spawn(
                async move { source::run(&settings, sender, keeper, of_source, |_| {}).await },
            );
        drop(entered);
        Ok(Live { runtime, process, source, queue, lookups })
    }

    /// Who looks up, if a cluster is asked.
    pub(super) fn lookups(&self) -> Option<&Lookups> {
        self.lookups.as_ref().map(|(lookups, _)| lookups)
    }

    /// Shows each event to `see`, alone in a chunk, until there are no more, `see` has enough,
    /// `count` were seen, or a signal ends it.
    pub(super) fn run(
        self,
        count: Option<u64>,
        mut see: impl FnMut(&Chunk) -> Result<ControlFlow<()>, FilterError>,
    ) -> Result<(), FilterError> {
        let Live { runtime, process, source, mut queue, lookups } = self;
        let drain = &process.shutdown.drain;
        let mut left = count.unwrap_or(u64::MAX);
        let mut seen = Ok(ControlFlow::Continue(()));
        'read: while let Some(Work { chunk, held }) = queue.blocking_recv() {
            let mut tally = Tally::default();
            tally.delivered(Delivered::Written, held.count());
            Held::settle_all([held], &tally);
            for alone in cases::one_by_one(&chunk) {
                if left == 0 || drain.is_cancelled() {
                    break 'read;
                }
                left -= 1;
                seen = see(&alone);
                if !matches!(seen, Ok(ControlFlow::Continue(()))) {
                    break 'read;
                }
            }
            if left == 0 {
                break;
            }
        }
        drain.cancel();
        drop((queue, lookups));
        let ended = runtime.block_on(source);
        // A read of stdin may still block a thread: it must not hold up the exit.
        runtime.shutdown_background();
        seen.map(drop)?;
        match ended {
            // It is this that ended it.
            Ok(Ok(()) | Err(SourceError::Closed(_))) => Ok(()),
            Ok(Err(error)) => Err(TryError::from(error).into()),
            Err(error) => Err(TryError::Setup(error.to_string()).into()),
        }
    }
}

async fn looking_up(
    annotations: Vec<String>,
    process: &Process,
) -> Result<(Lookups, Asking), TryError> {
    let client = crate::kube::client(&process.shutdown.reload).await.map_err(SourceError::from)?;
    let settings = lookup::Settings {
        timeout: LOOKUP_TIMEOUT,
        max_per_second: LOOKUPS_PER_SECOND,
        ..lookup::Settings::of_all(annotations)
    };
    Ok(Lookups::start(settings, MetadataReader::new(client), &process.metrics.lookup))
}
