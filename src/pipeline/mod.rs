//! Wires source, stages, buffer and sink together, and takes them down in the order of the flow.
//! The only file that names all four; it decides nothing about events.
//!
//! ```text
//!   source ──SourceSender──> workers ──Outbox──> buffer ──Inbox──> sink
//!    task                     threads                               task
//! ```
//!
//! A part ends when the one before it has ended and everything handed over is done: that is the
//! whole drain. A part that fails stops the others; what has no outcome then is still held by the
//! source's side (the cluster, the file), and the ledger says how much that is.

pub(crate) mod ending;
mod error;
mod leading;
mod letters;
mod pulling;
pub(crate) mod saving;
mod swap;
pub(crate) mod terms;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;

use self::ending::{PartEnd, Running};
pub(crate) use self::error::RunError;
use self::leading::Leading;
pub(crate) use self::letters::letter_store;
pub(crate) use self::swap::Origin;
use self::swap::Swapping;
use crate::admin;
use crate::blocking::{Panicked, blocking, contained};
use crate::buffer;
use crate::config::{AdminSettings, ReloadOn, Settings};
use crate::dead_letter::{DeadLetters, Replay};
use crate::event::EncodeSettings;
use crate::handoff::{SourceSender, Work};
use crate::health::{Condition, Part};
use crate::kube::MetadataReader;
use crate::ledger::{Ledger, Snapshot};
use crate::lookup::{Asking, Lookups};
use crate::position::{Identity, Keeper};
use crate::process::Process;
use crate::shutdown::Shutdown;
use crate::sink;
use crate::source::{self, Letters};
use crate::stages::{self, Generations, LoadContext, LoadError, Shadows, Worker};

/// Chunks of raw events for each worker: one that it works on, and one that waits for it.
const CHUNKS_PER_WORKER: usize = 2;
/// Chunks in the source's hands, so that it can read on meanwhile.
const CHUNKS_OF_SOURCE: usize = 2;

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The last reading of the ledger.
    pub ledger: Snapshot,
    /// Why, when it did not end well.
    pub result: Result<(), RunError>,
}

/// Runs a pipeline until its source ends or a signal stops it. Blocks the calling thread. A source
/// adds what it has read, in bytes, to `read`. The settings are those of `origin`, whose changes
/// are taken up as they say.
pub(crate) fn run(settings: Settings, origin: Origin, read: Arc<AtomicU64>) -> Finished {
    run_from(settings, Events::OfSource(origin), read)
}

/// Runs dead letters of where the settings have them, instead of the source's events, through a
/// pipeline, until there are no more or a signal stops it. Those whose events got an outcome are
/// gone from there when this returns. Blocks the calling thread.
///
/// The saved position, the spool, the Lease and the admin address are a run's, and not touched; the
/// source is not contacted, and nothing is looked up: what the letters regard may be gone by now,
/// or be in another cluster than this machine's.
pub fn replay(settings: Settings, letters: Letters, read: Arc<AtomicU64>) -> Finished {
    let stages = if letters.sink_only { Vec::new() } else { settings.stages };
    let buffer = buffer::Settings { spool: None, ..settings.buffer };
    let settings = Settings { stages, buffer, admin: None, lease: None, lookup: None, ..settings };
    run_from(settings, Events::OfLetters(letters), read)
}

/// Where the events of a run are from.
enum Events {
    /// The settings say it.
    OfSource(Origin),
    OfLetters(Letters),
}

fn run_from(settings: Settings, events: Events, read: Arc<AtomicU64>) -> Finished {
    let ledger = Ledger::default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Err(error) => Err(RunError::Start(error)),
        Ok(runtime) => {
            let run = start_and_finish(settings, events, read, ledger.clone());
            let run = AssertUnwindSafe(|| runtime.block_on(run));
            let result = catch_unwind(run)
                .unwrap_or_else(|_| Err(RunError::Panicked("what runs the pipeline".into())));
            // A read of stdin may still block a thread: it must not hold up the exit.
            runtime.shutdown_background();
            result
        }
    };
    let ledger = ledger.snapshot();
    debug_assert!(result.is_err() || ledger.is_balanced(), "{ledger}");
    Finished { ledger, result }
}

/// What only some of the parts are given.
#[derive(Clone)]
struct Shared {
    process: Process,
    dead_letters: DeadLetters,
    keeper: Keeper,
    /// What is replayed, instead of what the source has.
    replay: Option<(Letters, Replay)>,
}

async fn start_and_finish(
    settings: Settings,
    events: Events,
    read: Arc<AtomicU64>,
    ledger: Ledger,
) -> Result<(), RunError> {
    let (letters, origin) = match events {
        Events::OfSource(origin) => (None, Some(origin)),
        Events::OfLetters(letters) => (Some(letters), None),
    };
    let of_signals = ledger.clone();
    let shutdown = Shutdown::on_signals(move || of_signals.cut_short()).map_err(RunError::Start)?;
    let process = Process::new(ledger, shutdown).map_err(io::Error::other);
    let process = process.map_err(RunError::Start)?;
    let health = &process.health;
    for part in [Part::Modules, Part::Sink, Part::Source] {
        health.set(part, Condition::NotReady("starting".into()));
    }
    let shows_events = settings.admin.is_some_and(|admin| admin.show_events);
    let shadows = Shadows::new(&process.metrics.stage, shows_events);
    let admin = start_admin(settings.admin, &process, &shadows).await?;
    let (dead_letters, replay) = letters::open(&settings, letters, &process).await?;
    // First the buffer: it makes the folder, and keeps other processes out of it.
    let buffer = open_buffer(&settings.buffer, &process).await?;
    let tracker = process.tracker.clone();
    let keeper = Keeper::open(buffer.2.folder(), !buffer.2.is_new(), identity(&settings), tracker)?;
    let shared = Shared { process, dead_letters, keeper, replay };

    let mut result = match load(&settings, &shared.process, shadows).await? {
        None => ending::before_it_began(buffer, &shared).await,
        Some((generations, context)) => {
            let may_change = |of: &Origin| settings.reload != ReloadOn::Never && of.is_lasting();
            let swapping = origin.filter(may_change).map(|origin| {
                let generations = generations.clone();
                let running = settings.clone();
                let of = Swapping::new(origin, running, generations, context, &shared.process);
                tokio::spawn(of.run())
            });
            let (keeper, health) = (shared.keeper.clone(), shared.process.health.clone());
            let saving = tokio::spawn(saving::run(keeper, health));
            let result = flow(settings, buffer, generations, read, &shared).await;
            saving.abort();
            swapping.inspect(JoinHandle::abort);
            result
        }
    };
    if let Some((_, replay)) = shared.replay.clone() {
        // All parts have ended, so no more letters have their outcome.
        result =
            result.and(blocking(move || replay.remove_arrived()).await.map_err(RunError::from));
    }
    shared.process.shutdown.abort.cancel();
    if let Some(admin) = admin {
        // It ends with the abort above; nothing can fail there that matters now.
        let _ = admin.await;
    }
    result
}

async fn start_admin(
    settings: Option<AdminSettings>,
    process: &Process,
    shadows: &Shadows,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let Some(settings) = settings else { return Ok(None) };
    let listener = admin::bind(settings.listen).await?;
    let shown = admin::Shown {
        metrics: process.metrics.clone(),
        health: process.health.clone(),
        differences: shadows.differences().map(|differences| {
            Arc::new(move |stage: &str| differences.of(stage)) as admin::Differences
        }),
    };
    let stop = process.shutdown.abort.clone();
    Ok(Some(tokio::spawn(admin::serve(listener, shown, stop))))
}

/// `None`: the run is to end.
async fn load(
    settings: &Settings,
    process: &Process,
    shadows: Shadows,
) -> Result<Option<(Generations, LoadContext)>, RunError> {
    let not_ready = |why: &str| process.health.set(Part::Modules, Condition::NotReady(why.into()));
    not_ready("modules are being pulled");
    let Some(pulled) = pulling::at_start(settings, process).await? else { return Ok(None) };
    not_ready("modules are being compiled and configured");
    let context = LoadContext {
        pulled,
        instances: 1,
        keeps: true,
        cache: settings.cache.clone(),
        ledger: process.ledger.clone(),
        metrics: process.metrics.stage.clone(),
        compiler: stages::Compiler::child(),
    };
    let (stages, stop) = (settings.stages.clone(), process.shutdown.drain.clone());
    let of_start = context.clone();
    let loaded = contained(move || stages::load_until(&stages, &of_start, &stop)).await;
    match loaded.map_err(|Panicked| RunError::Panicked("loading modules".into()))? {
        Ok(chain) => {
            process.health.set(Part::Modules, Condition::Ready);
            // A worker that takes up another chain does not wait for its instances.
            let context = LoadContext { instances: settings.workers.count(), ..context };
            Ok(Some((Generations::with_shadows(chain, shadows), context)))
        }
        Err(errors) if errors.iter().any(|error| matches!(error, LoadError::Stopped)) => Ok(None),
        Err(errors) => Err(RunError::Modules(errors)),
    }
}

/// Between what and what events go, as far as the configuration says.
fn identity(settings: &Settings) -> Identity {
    Identity {
        pipeline: settings.name.clone(),
        source: settings.source.identity(),
        cluster: None,
        target: settings.sink.target(),
    }
}

/// Starts the parts from the sink to the source, and waits for them from the source to the sink.
async fn flow(
    settings: Settings,
    (writer, reader, buffer): Buffer,
    generations: Generations,
    read: Arc<AtomicU64>,
    shared: &Shared,
) -> Result<(), RunError> {
    let workers = settings.workers.count();
    let chunks = CHUNKS_OF_SOURCE + CHUNKS_PER_WORKER * workers;
    let Shared { process, dead_letters, keeper, replay } = shared.clone();
    let (ledger, tracker) = (process.ledger.clone(), process.tracker.clone());
    let (sender, queues) = SourceSender::new(ledger, tracker, chunks, workers);
    let encode =
        EncodeSettings { cluster: settings.cluster.clone(), ..settings.sink.encode_settings() };
    let (failed, failures) = mpsc::channel(workers + 2);
    // Until the end of this: whatever still waits for an answer then goes on when its time is over.
    let (lookups, _asking) = looking_up(&settings, &generations, &process).await?.unzip();
    let sink = {
        let (settings, keeper, process) = (settings.sink.clone(), keeper.clone(), process.clone());
        let run = async move { sink::run(&settings, reader, dead_letters, keeper, process).await };
        tokio::spawn(run)
    };
    for (number, queue) in queues.into_iter().enumerate() {
        let worker = generations.worker(number, workers).with_lookups(lookups.as_ref());
        spawn_worker(
            worker,
            number,
            queue,
            writer.clone(),
            encode.clone(),
            shared,
            failed.clone(),
        )?;
    }
    // From here on only the workers, and a replay, hold it: the sink's inbox ends when they do.
    let replay = replay.map(|replay| (replay, writer.clone(), encode));
    drop((writer, generations, lookups));
    let leading =
        Leading::start(settings.lease.as_ref(), &keeper, buffer.clone(), &process).await?;
    let on_read = move |bytes| {
        read.fetch_add(bytes, Ordering::Relaxed);
    };
    let drain = process.shutdown.drain.clone();
    let source = match replay {
        None => tokio::spawn(leading.run_source(drain, move |drain| {
            let (settings, on_read) = (settings.source.clone(), on_read.clone());
            let (sender, keeper, mut process) = (sender.clone(), keeper.clone(), process.clone());
            process.shutdown.drain = drain;
            async move { source::run(&settings, sender, keeper, process, on_read).await }
        })),
        Some(((letters, replay), writer, encode)) => tokio::spawn(async move {
            let replayed =
                source::replay(letters, replay, sender, process, encode, writer, on_read);
            replayed.await.map_err(RunError::from)
        }),
    };
    drop(failed);
    Running { source, workers: failures, sink, buffer, leading, shared }.finish().await
}

/// Begins to look up what events regard, if that is wanted.
async fn looking_up(
    settings: &Settings,
    generations: &Generations,
    process: &Process,
) -> Result<Option<(Lookups, Asking)>, RunError> {
    let Some(lookup) = settings.lookup.clone() else {
        for stage in generations.asking_for_lookups() {
            warn!(stage, "the module asks for labels or owners, and gets none without [lookup]");
        }
        return Ok(None);
    };
    let client = tokio::select! {
        biased;
        // Then the source does not begin either.
        () = process.shutdown.drain.cancelled() => return Ok(None),
        client = crate::kube::client(&process.shutdown.reload) => client?,
    };
    let reader = MetadataReader::new(client);
    Ok(Some(Lookups::start(lookup, reader, &process.metrics.lookup)))
}

type Buffer = (buffer::Writer, buffer::Reader, Arc<buffer::Handle>);

async fn open_buffer(settings: &buffer::Settings, process: &Process) -> Result<Buffer, RunError> {
    let (settings, process) = (settings.clone(), process.clone());
    let (writer, reader, buffer) = blocking(move || buffer::open(&settings, &process)).await?;
    Ok((writer, reader, Arc::new(buffer)))
}

fn spawn_worker(
    worker: Worker,
    number: usize,
    queue: mpsc::Receiver<Work>,
    writer: buffer::Writer,
    encode: EncodeSettings,
    shared: &Shared,
    failed: mpsc::Sender<PartEnd>,
) -> Result<(), RunError> {
    let (dead_letters, health) = (shared.dead_letters.clone(), shared.process.health.clone());
    thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let run = || worker.run(queue, &writer, &dead_letters, &encode, &health);
            let end = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(end) => end.map_err(RunError::Worker),
                Err(_) => Err(RunError::Panicked("a worker".into())),
            };
            // Nobody listens any more only when the run is over already.
            let _ = failed.blocking_send(end);
        })
        .map_err(RunError::Start)?;
    Ok(())
}
