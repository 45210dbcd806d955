//! Trying a chain on events that have passed lately, before it is run: a module that fails on what
//! the running chain passes without a failure never gets to see an event that counts.
//!
//! Nothing of a rehearsal is seen outside: its instances, metrics and reasons are thrown away, and
//! what it would log is not logged.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::subscriber::{NoSubscriber, with_default};

use super::chain::{OnTheWay, Verdict, run_event};
use super::generations::Generations;
use super::load::{LoadContext, LoadError, load_until};
use super::loaded::Shared;
use super::{Chain, StageSettings};
use crate::event::Chunk;
use crate::ledger::Ledger;
use crate::lookup::Found;
use crate::metrics::Metrics;

/// Events that are kept to try a chain on, of each kind.
const SAMPLES_MAX: usize = 32;
/// Of each worker, one of each kind in this time at most.
const SAMPLED_EVERY: Duration = Duration::from_millis(250);
/// A larger event is not kept.
const SAMPLE_BYTES_MAX: usize = 64 << 10;

/// An event that passed the running chain.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// It alone.
    chunk: Arc<Chunk>,
    /// What was looked up of its regarded object.
    found: Option<Arc<Found>>,
    /// A stage of the running chain failed on it.
    has_failed: bool,
}

impl Sample {
    /// `None`: the event is too large to be kept.
    pub(super) fn of(
        event: &OnTheWay<'_, '_>,
        verdict: &Verdict<'_>,
        chain: &Shared,
    ) -> Option<Sample> {
        let original = &event.chunk.events[event.index];
        if original.bytes.len() > SAMPLE_BYTES_MAX {
            return None;
        }
        Some(Sample {
            chunk: Arc::new(event.chunk.alone(original)),
            found: event.found.clone(),
            has_failed: failure(event, verdict, chain).is_some(),
        })
    }
}

/// The last few events that passed, of all workers, by kind.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<[VecDeque<Sample>; 2]>);

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    /// An event that a module was called for that is about few: among any events there may be none.
    Sought,
}

impl Samples {
    pub(super) fn keep(&self, kind: Kind, sample: Sample) {
        let samples = &mut self.0.lock()[kind as usize];
        if samples.len() == SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn all(&self) -> Vec<Sample> {
        self.0.lock().iter().flatten().cloned().collect()
    }
}

/// When a worker keeps its next sample of each kind.
#[derive(Debug, Default)]
pub(super) struct Sampling([Option<Instant>; 2]);

impl Sampling {
    /// As what an event is to be kept, if at all; the next one of that kind is due later.
    pub(super) fn wants(&mut self, now: Instant, is_sought: bool) -> Option<Kind> {
        let is_due = |next: Option<Instant>| next.is_none_or(|next| now >= next);
        let kind = match self.0.map(is_due) {
            [_, true] if is_sought => Kind::Sought,
            [true, _] => Kind::Any,
            _ => return None,
        };
        self.0[kind as usize] = Some(now + SAMPLED_EVERY);
        Some(kind)
    }
}

/// Why a chain is not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A stage cannot be loaded.
    #[error("{}", all(.0))]
    Load(Vec<LoadError>),
    /// A stage failed on an event that the running chain passes without a failure.
    #[error(
        "stage `{stage}` failed ({kind}) on {failed} of {tried} recent events that the running \
         modules pass without a failure"
    )]
    Rehearsal {
        /// Its name.
        stage: String,
        /// How, as `weir_stage_failures_total` says it.
        kind: &'static str,
        failed: usize,
        tried: usize,
    },
}

fn all(errors: &[LoadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Generations {
    /// Loads a chain with an instance of each module for each worker, once it was rehearsed on
    /// what has passed lately. Blocks this thread.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn prepare(
        &self,
        settings: &[StageSettings],
        context: &LoadContext,
        stop: &CancellationToken,
    ) -> Result<Chain, Refused> {
        let samples = self.samples().all();
        with_default(NoSubscriber::default(), || rehearse(settings, context, stop, &samples))?;
        load_until(settings, context, stop).map_err(Refused::Load)
    }
}

/// Runs the samples through a chain of its own.
fn rehearse(
    settings: &[StageSettings],
    context: &LoadContext,
    stop: &CancellationToken,
    samples: &[Sample],
) -> Result<(), Refused> {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger)
        .map_err(|error| Refused::Load(vec![LoadError::Engine(error.to_string())]))?;
    let context = LoadContext { ledger, metrics: metrics.stage, instances: 1, ..context.clone() };
    let chain = load_until(settings, &context, stop).map_err(Refused::Load)?;
    let mut running = Generations::new(chain).run();
    let chain = running.chain.clone();
    let _ticking = chain.ticker.run();
    let (mut first, mut failed) = (None, 0);
    for sample in samples {
        let (mut edits, mut errors) = (Box::default(), Vec::new());
        let mut event = OnTheWay {
            chunk: &sample.chunk,
            index: 0,
            edits: &mut edits,
            errors: &mut errors,
            found: sample.found.clone(),
            is_sought: false,
        };
        let verdict = run_event(&mut running.slots, &chain, 0..chain.steps.len(), &mut event);
        if let Some(failure) = failure(&event, &verdict, &chain).filter(|_| !sample.has_failed) {
            first.get_or_insert(failure);
            failed += 1;
        }
    }
    match first {
        None => Ok(()),
        Some((stage, kind)) => {
            Err(Refused::Rehearsal { stage, kind, failed, tried: samples.len() })
        }
    }
}

/// The first stage that failed on an event, and how.
fn failure(
    event: &OnTheWay<'_, '_>,
    verdict: &Verdict<'_>,
    chain: &Shared,
) -> Option<(String, &'static str)> {
    if let Some(error) = event.errors.first() {
        return Some((error.stage.to_owned(), error.kind));
    }
    match verdict {
        Verdict::Keep => None,
        Verdict::DeadLetter { stage, kind, .. } => Some(((*stage).to_owned(), kind.label())),
        Verdict::Drop(reason) => {
            let stage = chain.stages.iter().find(|stage| stage.error_reason == *reason)?;
            Some((stage.name().to_owned(), "dropped"))
        }
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generations").finish_non_exhaustive()
    }
}
