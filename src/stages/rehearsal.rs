//! Trying a chain on events that have passed lately, before it is run: a module that fails on what
//! the running chain passes without a failure never gets to see an event that counts.
//!
//! Nothing of a rehearsal is seen outside: its instances, metrics and reasons are thrown away, and
//! what it would log is not logged.

use std::collections::{BTreeMap, HashSet, VecDeque};
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

/// Events that are kept to try a chain on, of all that pass...
const SAMPLES_MAX: usize = 64;
/// ...and of those that a stage's module was called for, where it is not called for all.
const SOUGHT_MAX: usize = 8;
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

/// The last few events that passed, of all workers.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    any: VecDeque<Sample>,
    /// By the stage's name: among any events there may be none that its module is called for.
    sought: BTreeMap<String, VecDeque<Sample>>,
}

/// As what an event is to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    is_any: bool,
    /// Stages, a bit for each.
    sought: u64,
}

impl Samples {
    pub(super) fn keep(&self, wanted: Wanted, sample: &Sample, chain: &Shared) {
        let mut kept = self.0.lock();
        if wanted.is_any {
            push(&mut kept.any, SAMPLES_MAX, sample);
        }
        for number in stages(wanted.sought) {
            let of_stage = kept.sought.entry(chain.stages[number].name().to_owned());
            push(of_stage.or_default(), SOUGHT_MAX, sample);
        }
    }

    /// Lets go of those of stages that are not in this chain.
    pub(super) fn keep_of(&self, chain: &Shared) {
        let is_there = |name: &String| chain.stages.iter().any(|stage| stage.name() == name);
        self.0.lock().sought.retain(|name, _| is_there(name));
    }

    /// Each once.
    fn all(&self) -> Vec<Sample> {
        let kept = self.0.lock();
        let mut seen = HashSet::new();
        let all = kept.any.iter().chain(kept.sought.values().flatten());
        all.filter(|sample| seen.insert(Arc::as_ptr(&sample.chunk))).cloned().collect()
    }
}

fn push(samples: &mut VecDeque<Sample>, max: usize, sample: &Sample) {
    if samples.len() == max {
        samples.pop_front();
    }
    samples.push_back(sample.clone());
}

/// Their numbers. Nearly every event has none: that costs one comparison.
fn stages(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let number = bits.trailing_zeros();
        bits &= bits.checked_sub(1)?;
        Some(number as usize)
    })
}

/// When a worker keeps its next sample of all events, and of each stage's.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    any: Due,
    sought: Vec<Due>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Due(Option<Instant>);

impl Due {
    /// Whether one is due; the next one is then due later.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|next| now >= next);
        if is_due {
            self.0 = Some(now + SAMPLED_EVERY);
        }
        is_due
    }
}

impl Sampling {
    /// As what an event is to be kept, if at all.
    pub(super) fn wants(&mut self, now: Instant, sought: u64) -> Option<Wanted> {
        let mut wanted = Wanted { is_any: self.any.take(now), sought: 0 };
        for number in stages(sought) {
            if self.sought.len() <= number {
                self.sought.resize(number + 1, Due::default());
            }
            wanted.sought |= u64::from(self.sought[number].take(now)) << number;
        }
        (wanted != Wanted::default()).then_some(wanted)
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
            sought: 0,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_stages_are_their_numbers() {
        assert_eq!(stages(0).count(), 0);
        assert_eq!(stages(1 << 63 | 0b110).collect::<Vec<_>>(), [1, 2, 63]);
        assert_eq!(stages(u64::MAX).count(), 64);
    }

    #[test]
    fn each_stage_has_a_turn_of_its_own() {
        let (mut sampling, now) = (Sampling::default(), Instant::now());
        let any = Wanted { is_any: true, sought: 0 };
        assert_eq!(sampling.wants(now, 0), Some(any));
        assert_eq!(sampling.wants(now, 0b01), Some(Wanted { is_any: false, sought: 0b01 }));
        assert_eq!(sampling.wants(now, 0b11), Some(Wanted { is_any: false, sought: 0b10 }));
        assert_eq!(sampling.wants(now, 0b11), None);
        let later = now + SAMPLED_EVERY;
        assert_eq!(sampling.wants(later, 0b10), Some(Wanted { is_any: true, sought: 0b10 }));
    }
}
