//! A candidate beside a stage's module, `shadow` in `[[stage]]`: it is called for the same events,
//! and changes nothing.
//!
//! The worker notes what the module was given and what it answered ([`Noter`]). A chunk's notes go
//! to a thread of the candidate's own, which calls the candidate for each of them and compares
//! (`judge`). What differs is counted, and the last few are kept to be looked at
//! ([`Differences`]).
//!
//! Invariants:
//!
//! - A candidate that is slow, hangs or panics slows and fails nothing: what its thread has no room
//!   for is skipped and counted. A panic of the thread ends the shadow alone.
//! - What waits is bounded: [`CHUNKS_MAX`] of the source's chunks for all shadows together, which
//!   the source then has less of, and [`NOTED_BYTES_MAX`] of edits beside each.
//! - Nothing of a candidate is seen outside but the metric and its differences: its reasons and
//!   counters are its own, and what it logs is not logged.

mod difference;
mod judge;
mod note;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use prometheus::IntCounterVec;
use tokio::sync::Semaphore;
use tracing::warn;
use wasmtime::Engine;

pub(crate) use self::difference::Differences;
use self::judge::Judge;
pub(super) use self::note::Noter;
use self::note::Notes;
use super::clock::{Reading, Ticker};
use super::instance::{Instance, Template};
use super::interest::Interest;
use super::loaded::Loaded;
use super::stage::Stage;
use super::{ModuleSettings, ShadowSettings};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, StageMetrics};
use crate::panics;

/// Chunks that wait for the candidates of all stages, or that candidates work on.
const CHUNKS_MAX: usize = 2;
/// Bytes that the edits noted of one chunk take in memory; what would take more is skipped.
const NOTED_BYTES_MAX: usize = 1 << 20;

/// What became of an event in a shadow: the `result` label of `weir_shadow_events_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The candidate did what the module did.
    Same,
    /// One kept the event and the other did not, or not for the same reason.
    Verdict,
    /// Both kept it, with different edits.
    Edits,
    /// The candidate failed.
    Failed,
    /// It was not called, because it was busy with others.
    Skipped,
}

impl Compared {
    const ALL: [Compared; 5] =
        [Compared::Same, Compared::Verdict, Compared::Edits, Compared::Failed, Compared::Skipped];

    fn label(self) -> &'static str {
        match self {
            Compared::Same => "same",
            Compared::Verdict => "verdict",
            Compared::Edits => "edits",
            Compared::Failed => "failed",
            Compared::Skipped => "skipped",
        }
    }
}

/// What the shadows of all stages and generations share; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Shadows {
    events: IntCounterVec,
    room: Arc<Semaphore>,
    differences: Option<Differences>,
}

impl Shadows {
    /// `keeps_events`: whether events that differ are kept to be looked at.
    pub(crate) fn new(metrics: &StageMetrics, keeps_events: bool) -> Shadows {
        Shadows {
            events: metrics.shadow_events.clone(),
            room: Arc::new(Semaphore::new(CHUNKS_MAX)),
            differences: keeps_events.then(Differences::default),
        }
    }

    /// The last few events that differed, where they are kept.
    pub(crate) fn differences(&self) -> Option<Differences> {
        self.differences.clone()
    }
}

/// The candidate of one stage, loaded.
pub(super) struct Shadow {
    live: Arc<Stage>,
    /// Its own: nothing of it is seen outside.
    stage: Arc<Stage>,
    template: Arc<Template>,
    ready: Mutex<Option<Instance>>,
    interest: Interest,
    /// There once it was started.
    running: OnceLock<Arc<Running>>,
}

/// What workers know of a candidate's thread.
#[derive(Debug)]
pub(super) struct Running {
    queue: SyncSender<Notes>,
    room: Arc<Semaphore>,
    counts: Counts,
}

/// The metric's counters of one stage.
#[derive(Clone, Debug)]
pub(super) struct Counts([prometheus::IntCounter; Compared::ALL.len()]);

impl Counts {
    fn new(stage: &str, events: &IntCounterVec) -> Counts {
        Counts(Compared::ALL.map(|compared| events.with_label_values(&[stage, compared.label()])))
    }

    fn add(&self, compared: Compared, count: u64) {
        self.0[compared as usize].inc_by(count);
    }
}

/// The candidate's stage: what the live one's settings say, with another module and `config`.
/// Whatever it declares and counts is thrown away.
///
/// # Errors
///
/// When two metrics have one name, which is a mistake in weir.
pub(super) fn stage(
    live: &ModuleSettings,
    candidate: &ShadowSettings,
    clock: fn() -> Reading,
) -> prometheus::Result<Arc<Stage>> {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger)?.stage;
    let (module, config) = (candidate.module.clone(), candidate.config.clone());
    let settings = ModuleSettings { module, config, shadow: None, ..live.clone() };
    Ok(Stage::new(settings, &ledger, &metrics, clock))
}

impl Shadow {
    /// Not started: nothing is noted yet.
    pub(super) fn new(live: Arc<Stage>, stage: Arc<Stage>, candidate: Loaded) -> Shadow {
        let Loaded { template, interest, ready, .. } = candidate;
        let ready = Mutex::new(ready.lock().pop());
        Shadow { live, stage, template, ready, interest, running: OnceLock::new() }
    }

    /// Begins to call it. Workers that take the chain up from now on note what it is to see.
    pub(super) fn start(&self, engine: &Engine, ticker: &Arc<Ticker>, shadows: &Shadows) {
        // No more can wait than there is room for, so sending never waits.
        let (queue, notes) = sync_channel::<Notes>(CHUNKS_MAX);
        let counts = Counts::new(self.live.name(), &shadows.events);
        if let Some(differences) = &shadows.differences {
            differences.begin(self.live.name());
        }
        let judge = Judge::new(self, engine, counts.clone(), shadows.differences());
        let ticker = ticker.clone();
        let run = move || judge.run(notes, &ticker);
        let name = self.live.name().to_owned();
        let thread = std::thread::Builder::new().name("shadow".into()).spawn(move || {
            if panics::isolated(run).is_err() {
                warn!(stage = name, "the shadow has ended, and events are skipped: it panicked");
            }
        });
        match thread {
            Ok(_) => {
                let running = Running { queue, room: shadows.room.clone(), counts };
                let _ = self.running.set(Arc::new(running));
            }
            Err(error) => {
                warn!(stage = self.live.name(), %error, "the shadow has no thread: it is off");
            }
        }
    }

    /// For a worker: notes what the candidate is to see. `None` where it was not started.
    pub(super) fn noter(&self) -> Option<Noter> {
        self.running.get().map(|running| Noter::new(running, &self.interest))
    }
}
