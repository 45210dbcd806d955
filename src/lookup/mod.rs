//! Looks up what the API server has of an event's regarded object: its labels, chosen annotations,
//! and its owners up to the topmost that controls it.
//! docs/delivery.md#looking-up-the-regarded-object
//!
//! ```text
//!   worker ── ask ──> Machine ── Next ──> runner ── GET, metadata only ──> API server
//!     ▲                 │  ▲                │
//!     │<── Known, Waits ┘  └── answered ────┘
//!     └──────────── bell: some that wait need not any more
//! ```
//!
//! Constraints:
//!
//! - Nothing of it can fail an event, or hold one up for longer than [`Settings::timeout`]: every
//!   question has an answer by then, if only [`Answer::Timeout`].
//! - Workers do not wait for it. One puts the event aside (`stages::waiting`), goes on with others,
//!   and takes it up again when the bell rings or its time is over.
//! - The API server is asked for metadata only, for each object once at a time, at most
//!   [`Settings::max_per_second`] times in any second, and what it answers is remembered. What
//!   could not have its turn in time is not asked for.
//! - What is kept and remembered is bounded, whatever objects hold.
//!
//! `machine` decides everything and is pure; `address` says which object an event is about,
//! `object` what is kept of one, `cache` how long and how much is remembered, `resource` what RBAC
//! calls it. `runner` is the I/O, `report` the log.

mod address;
mod cache;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod machine;
mod object;
mod offline;
mod report;
mod resource;
mod runner;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use self::address::Address;
pub(crate) use self::address::Reference;
use self::machine::Machine;
pub(crate) use self::object::{Found, LAST_APPLIED, Owner};
pub use self::resource::Resource;
use self::runner::Runner;
use crate::kube::MetadataReader;
use crate::metrics::LookupMetrics;

/// `[lookup]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What may be looked up, and nothing else: the right to `get` it is needed.
    pub resources: Vec<Resource>,
    /// Whether documents and modules get labels.
    pub labels: bool,
    /// The annotations that they get.
    pub annotations: Vec<String>,
    /// Whether they get owner references.
    pub owners: bool,
    /// Whether documents have `_` for each dot in the keys of labels and annotations.
    pub dedot: bool,
    /// How long an event waits, and one request may take.
    pub timeout: Duration,
    /// Requests in any second.
    pub max_per_second: u32,
}

impl Settings {
    /// For trying a module out: whatever Kubernetes itself has is looked up, with these
    /// annotations.
    pub(crate) fn of_all(annotations: Vec<String>) -> Settings {
        Settings {
            resources: Resource::of_kubernetes(),
            labels: true,
            annotations,
            owners: true,
            dedot: false,
            timeout: Duration::ZERO,
            max_per_second: 1,
        }
    }
}

/// What became of a question.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It is there.
    Found(Arc<Found>),
    /// It is not there; or what has its name is another one.
    Missing,
    /// It may not be read.
    Forbidden,
    /// Nobody knew in time.
    Timeout,
}

/// What is said to a question at once.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is about nothing that is looked up.
    Nothing,
    /// That is known.
    Known(Answer),
    /// It is being asked for.
    Waits(Ticket),
}

/// An answer that is to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket(Arc<OnceLock<Answer>>);

impl Ticket {
    /// The answer, when there is one.
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.0.get()
    }

    /// Nobody else does.
    fn give(&self, answer: Answer) {
        // A second answer to one question would be the same.
        let _ = self.0.set(answer);
    }
}

#[cfg(test)]
impl Ticket {
    /// As the machine does.
    pub(crate) fn answer_for_tests(&self, answer: Answer) {
        self.give(answer);
    }
}

/// `result` of `weir_lookups_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was asked for, and is there.
    Found,
    /// It was known already.
    Cached,
    /// It is not there.
    Missing,
    /// It may not be read.
    Forbidden,
    /// The event went on without.
    Timeout,
}

impl Outcome {
    const ALL: [&'static str; 5] = ["found", "cached", "missing", "forbidden", "timeout"];
}

/// Who looks up, for all workers; clones are one.
#[derive(Clone, Debug)]
pub struct Lookups(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    machine: Mutex<Machine>,
    /// There is something to send.
    asked: Notify,
    /// One a worker: some that wait need not any more.
    bells: Mutex<Vec<Arc<Notify>>>,
    counters: [prometheus::IntCounter; Outcome::ALL.len()],
}

/// The requests of [`Lookups`], which end when this is dropped.
#[derive(Debug)]
pub(crate) struct Asking(JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lookups {
    /// Begins. Needs a tokio runtime.
    pub(crate) fn start(
        settings: Settings,
        reader: MetadataReader,
        metrics: &LookupMetrics,
    ) -> (Lookups, Asking) {
        let lookups = Lookups::new(settings, metrics);
        let runner = Runner::new(lookups.0.clone(), reader);
        (lookups, Asking(tokio::spawn(runner.run())))
    }

    fn new(settings: Settings, metrics: &LookupMetrics) -> Lookups {
        let counters = Outcome::ALL.map(|result| {
            let counter = metrics.results.with_label_values(&[result]);
            counter.inc_by(0);
            counter
        });
        Lookups(Arc::new(Shared {
            machine: Mutex::new(Machine::new(settings.clone())),
            settings,
            asked: Notify::new(),
            bells: Mutex::default(),
            counters,
        }))
    }

    /// A worker's seat.
    pub(crate) fn seat(&self) -> Seat {
        let bell = Arc::<Notify>::default();
        self.0.bells.lock().push(bell.clone());
        Seat { shared: self.0.clone(), bell, address: Address::default() }
    }
}

/// Says what is known by now of what events regard, and asks nobody.
#[derive(Debug)]
pub(crate) struct Looker {
    lookups: Lookups,
    address: Address,
}

impl Lookups {
    /// One who says what is known.
    pub(crate) fn looker(&self) -> Looker {
        Looker { lookups: self.clone(), address: Address::default() }
    }
}

impl Looker {
    /// What is referred to and those that control it, as an API server would have them; empty:
    /// nothing is known of it.
    pub(crate) fn objects(&mut self, reference: Reference<'_>) -> Vec<serde_json::Value> {
        let Looker { lookups: Lookups(shared), address } = self;
        if !address.set(&shared.settings.resources, reference) {
            return Vec::new();
        }
        match shared.machine.lock().remembered(address, Instant::now()) {
            Some(Answer::Found(found)) => found.objects(reference),
            _ => Vec::new(),
        }
    }
}

impl Shared {
    /// Wakes the workers, if any need not wait any more.
    fn ring(&self, finished: bool) {
        if finished {
            self.bells.lock().iter().for_each(|bell| bell.notify_one());
        }
    }
}

/// From where one worker asks.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    bell: Arc<Notify>,
    /// Of the last question; keeps its memory.
    address: Address,
}

impl Seat {
    /// Asks for what an event regards.
    pub(crate) fn ask(&mut self, reference: Reference<'_>, now: Instant) -> Asked {
        if !self.address.set(&self.shared.settings.resources, reference) {
            return Asked::Nothing;
        }
        let asked = self.shared.machine.lock().ask(&self.address, now);
        if matches!(asked, Asked::Waits(_)) {
            self.shared.asked.notify_one();
        }
        asked
    }

    /// Counts what became of an event.
    pub(crate) fn count(&self, outcome: Outcome) {
        self.shared.counters[outcome as usize].inc();
    }

    /// How long an event may wait.
    pub(crate) fn timeout(&self) -> Duration {
        self.shared.settings.timeout
    }

    /// Waits until some need not wait any more. Cancel-safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}

#[cfg(test)]
impl Settings {
    /// As the defaults have it, of these resources.
    pub(crate) fn for_tests(resources: &[&str]) -> Settings {
        let resource =
            |text: &&str| Resource::parse(text).unwrap_or_else(|error| panic!("{error}"));
        Settings {
            resources: resources.iter().map(resource).collect(),
            labels: true,
            annotations: Vec::new(),
            owners: true,
            dedot: false,
            timeout: Duration::from_secs(2),
            max_per_second: 20,
        }
    }
}
