//! Stages as the pipeline runs them: events in through a sender, documents out at an outbox, and
//! the ledger.

mod dropped;
mod healthy;
mod hostile;
mod interested;
mod looked_up;
mod refused;
mod said;
mod shadowed;
mod strained;
mod swapped;
mod wasi;

#[allow(dead_code, unreachable_pub)] // Shared with the integration tests and benches, which are crates of their own.
#[path = "../../../tests/suite/support/modules.rs"]
mod modules;

use std::path::PathBuf;
use std::sync::Mutex;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::modules::{Guest, chunk};
use super::clock::Reading;
use super::load::load_with_clock;
use super::*;
use crate::dead_letter::{DeadLetters, LetterStore};
use crate::event::{Chunk, Documents, EncodeSettings};
use crate::handoff::{Closed, Outbox, SourceSender};
use crate::health::Health;
use crate::ledger::{Delivered, Held, Ledger, Snapshot, Tally};
use crate::lookup::Lookups;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// Short, so that hostile modules cost the tests little.
const TIMEOUT: Duration = Duration::from_millis(30);

/// A folder with modules, and what loading needs.
struct Bench {
    folder: tempfile::TempDir,
    ledger: Ledger,
    metrics: Metrics,
    clock: fn() -> Reading,
    lookups: Option<Lookups>,
}

impl Bench {
    fn new() -> Bench {
        let ledger = Ledger::default();
        let metrics = Metrics::new(&ledger).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Bench { folder, ledger, metrics, clock: Reading::now, lookups: None }
    }

    fn write(&self, name: &str, module: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(&path, module).unwrap();
        path
    }

    /// A stage of this module, as the defaults have it but for the timeout.
    fn stage(&self, name: &str, guest: Guest<'_>) -> ModuleSettings {
        self.stage_of(name, &guest.component())
    }

    fn stage_of(&self, name: &str, module: &[u8]) -> ModuleSettings {
        ModuleSettings {
            name: name.to_owned(),
            module: self.write(name, module).into(),
            matches: Match::default(),
            timeout: TIMEOUT,
            memory: 16 << 20,
            on_error: OnError::Keep,
            wasi: Wasi::None,
            config: "{}".to_owned(),
            shadow: None,
        }
    }

    fn context(&self) -> LoadContext {
        LoadContext {
            pulled: Default::default(),
            instances: 1,
            keeps: true,
            cache: self.folder.path().join("cache"),
            compiler: Compiler::InProcess,
            ledger: self.ledger.clone(),
            metrics: self.metrics.stage.clone(),
        }
    }

    fn load<S: Clone + Into<StageSettings>>(&self, stages: &[S]) -> Result<Chain, Vec<LoadError>> {
        let context = self.context();
        let stages: Vec<_> = stages.iter().cloned().map(Into::into).collect();
        load_with_clock(&stages, &context, &CancellationToken::new(), self.clock)
    }

    /// Runs chunks of events through the stages, with one worker.
    fn run<S, T>(&self, stages: &[S], chunks: &[Vec<T>]) -> Ran
    where
        S: Clone + Into<StageSettings>,
        T: AsRef<str>,
    {
        self.run_workers(stages, chunks, 1)
    }

    fn run_workers<S, T>(&self, stages: &[S], chunks: &[Vec<T>], workers: usize) -> Ran
    where
        S: Clone + Into<StageSettings>,
        T: AsRef<str>,
    {
        let chain = self.load(stages).unwrap_or_else(|errors| panic!("{errors:?}"));
        self.run_chain(chain, chunks, workers)
    }

    fn run_chain<T: AsRef<str>>(&self, chain: Chain, chunks: &[Vec<T>], workers: usize) -> Ran {
        let chunks = chunks.iter().map(chunk).collect();
        let letters = LetterStore::Folder(self.folder.path().join("letters"));
        let (ran, ends) = self.run_chunks(chain, chunks, workers, Some(&letters));
        ends.into_iter().for_each(|end| end.unwrap());
        assert_eq!(ran.ledger.in_flight, 0, "{}", ran.ledger);
        ran
    }

    /// As the pipeline does, with dead letters as `letters` says; and how each worker ended.
    fn run_chunks(
        &self,
        chain: Chain,
        chunks: Vec<Chunk>,
        workers: usize,
        letters: Option<&LetterStore>,
    ) -> (Ran, Ends) {
        let outbox = Collect::default();
        let (encode, health) = (EncodeSettings::default(), Health::default());
        let dead_letters =
            DeadLetters::open(letters, &self.ledger, &health, &Shutdown::default()).unwrap();
        let (sender, works) = SourceSender::new(
            self.ledger.clone(),
            Default::default(),
            chunks.len().max(1),
            workers,
        );
        for chunk in chunks {
            sender.send(chunk).unwrap();
        }
        drop(sender);
        let mut works: Vec<_> = works.into_iter().enumerate().collect();
        let run = |(number, work)| {
            let worker = chain.worker(number, workers).with_lookups(self.lookups.as_ref());
            worker.run(work, &outbox, &dead_letters, &encode, &health)
        };
        let ends = std::thread::scope(|scope| {
            // The first one on this thread, where the test may listen to the log.
            let first = works.remove(0);
            let threads: Vec<_> = works.into_iter().map(|work| scope.spawn(|| run(work))).collect();
            let mut ends = vec![run(first)];
            ends.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
            ends
        });
        let ledger = self.ledger.snapshot();
        assert!(ledger.is_balanced(), "{ledger}");
        (Ran { documents: outbox.0.into_inner().unwrap(), ledger, chain }, ends)
    }
}

type Ends = Vec<Result<(), WorkerError>>;

/// What came out.
struct Ran {
    documents: Vec<serde_json::Value>,
    ledger: Snapshot,
    chain: Chain,
}

impl Ran {
    /// `/weir/errors` of a document, as `stage kind`.
    fn errors(&self, document: usize) -> Vec<String> {
        let errors =
            self.documents[document].pointer("/weir/errors").and_then(|errors| errors.as_array());
        let shown = |error: &serde_json::Value| {
            format!("{} {}", error["stage"].as_str().unwrap(), error["kind"].as_str().unwrap())
        };
        errors.into_iter().flatten().map(shown).collect()
    }

    /// How many events were filtered, by stage and reason.
    fn filtered(&self, stage: &str, reason: &str) -> u64 {
        let labels = (stage.to_owned(), reason.to_owned());
        self.ledger.filtered.iter().find(|(of, _)| *of == labels).map_or(0, |(_, count)| *count)
    }

    fn dead_lettered(&self, stage: &str, reason: &str) -> u64 {
        let labels = (stage.to_owned(), reason.to_owned());
        self.ledger
            .dead_lettered
            .iter()
            .find(|(of, _)| *of == labels)
            .map_or(0, |(_, count)| *count)
    }
}

/// An outbox that settles at once and keeps the documents.
#[derive(Default)]
struct Collect(Mutex<Vec<serde_json::Value>>);

impl Outbox for Collect {
    fn put(&self, documents: Documents, mut held: Held) -> Result<(), Closed> {
        assert_eq!(held.count(), documents.docs.len() as u64);
        let bodies =
            documents.docs.iter().map(|doc| serde_json::from_slice(documents.body(doc)).unwrap());
        self.0.lock().unwrap().extend(bodies);
        let mut tally = Tally::default();
        tally.delivered(Delivered::Written, held.count());
        held.settle(&tally);
        Ok(())
    }
}

/// Waits for a state.
fn until(mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// An event of core/v1 with these members besides its kind.
fn event(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"apiVersion":"v1","kind":"Event"{comma}{members}}}"#)
}
