//! The chain as one worker runs it: which stages an event passes, in which order, and what becomes
//! of it.
//!
//! Invariant: an event leaves the chain with exactly one verdict, and whatever a module does, the
//! next event enters it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use wasmtime::Engine;

use super::OnError;
use super::breaker::{Breaker, Changed};
use super::clock::TICK;
use super::current::original;
use super::failure::FailureKind;
use super::instance::{Failure, Instance, Processed, Template};
use super::interest::Gate;
use super::loaded::{Shared, Step};
use super::shadow::Noter;
use super::stage::{Cause, Stage};
use crate::event::{Chunk, Edits, EventView, StageError};
use crate::ledger::ReasonId;
use crate::lookup::Found;

/// One call in this many is timed: reading a clock costs a third of a short call.
const SAMPLE: u32 = 64;

/// A working instance is not replaced more often than this, nor so often that replacing it takes
/// more than a tenth of the time: making it and configuring it may take a timeout each.
const REPLACED_EVERY_MIN: Duration = Duration::from_secs(1);
const REPLACED_EVERY_TIMEOUTS: u32 = 20;

/// What became of an event.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// It goes on, marked with the chain's errors.
    Keep,
    /// It is filtered.
    Drop(ReasonId),
    /// It becomes a dead letter of this stage.
    DeadLetter { stage: &'a str, kind: FailureKind, detail: Cow<'static, str> },
}

/// One event of a chunk, on its way through the chain.
pub(super) struct OnTheWay<'w, 'a> {
    pub(super) chunk: &'w Arc<Chunk>,
    pub(super) index: usize,
    pub(super) edits: &'w mut Box<Edits>,
    /// The failures that it survived, because the stages say `on_error = "keep"`.
    pub(super) errors: &'w mut Vec<StageError<'a>>,
    /// What was looked up of its regarded object.
    pub(super) found: Option<Arc<Found>>,
    /// The stages that let few events pass to their modules, and this one: a bit for each.
    pub(super) sought: u64,
}

/// Runs one event through some steps of the chain, with the `slots` of its modules.
pub(super) fn run_event<'a>(
    slots: &mut [Slot],
    chain: &'a Shared,
    steps: Range<usize>,
    event: &mut OnTheWay<'_, 'a>,
) -> Verdict<'a> {
    for step in &chain.steps[steps] {
        let OnTheWay { chunk, index, edits, errors, found, sought } = &mut *event;
        let index = *index;
        let number = match step {
            Step::Call(number) => *number,
            Step::Drop(drop) => match drop.drops(EventView { of: original(chunk, index), edits }) {
                Some(reason) => return Verdict::Drop(reason),
                None => continue,
            },
        };
        let stage = &chain.stages[number];
        let slot = &mut slots[number];
        let ran = slot.run(chunk, index, edits, found.as_ref());
        *sought |= u64::from(slot.has_sought).checked_shl(number as u32).unwrap_or_default();
        let (kind, detail) = match ran {
            Ran::Passed => continue,
            Ran::Dropped(reason) => return Verdict::Drop(reason),
            Ran::Failed(kind, detail) => (kind, detail),
        };
        match stage.settings.on_error {
            OnError::Keep => errors.push(StageError { stage: stage.name(), kind: kind.label() }),
            OnError::Drop => return Verdict::Drop(stage.error_reason),
            OnError::DeadLetter => {
                return Verdict::DeadLetter { stage: stage.name(), kind, detail };
            }
        }
    }
    Verdict::Keep
}

/// One stage on one worker: its instance, when there is one.
pub(super) struct Slot {
    stage: Arc<Stage>,
    template: Arc<Template>,
    engine: Engine,
    instance: Option<Instance>,
    gate: Gate,
    /// The module was called for the last event, and is not for all.
    has_sought: bool,
    /// Why the next instance will be made.
    cause: Cause,
    breaker: Breaker,
    /// Whether the instance has reached its `memory` and is to be replaced.
    is_full: bool,
    /// When one was last replaced for that, on the stage's wall clock.
    replaced_full: Option<Duration>,
    /// Calls that are not in the metrics yet.
    calls: u64,
    until_sample: u32,
    /// Notes for the stage's shadow, where there is one.
    noter: Option<Noter>,
}

/// How a stage dealt with an event.
#[derive(Debug)]
pub(super) enum Ran {
    Passed,
    Dropped(ReasonId),
    Failed(FailureKind, Cow<'static, str>),
}

impl Slot {
    pub(super) fn new(
        engine: &Engine,
        stage: &Arc<Stage>,
        template: &Arc<Template>,
        instance: Option<Instance>,
        noter: Option<Noter>,
    ) -> Slot {
        Slot {
            breaker: Breaker::new(stage.settings.timeout),
            stage: stage.clone(),
            template: template.clone(),
            engine: engine.clone(),
            gate: instance.as_ref().map(Instance::interest).map(Gate::new).unwrap_or_default(),
            instance,
            has_sought: false,
            cause: Cause::Start,
            is_full: false,
            replaced_full: None,
            calls: 0,
            until_sample: SAMPLE,
            noter,
        }
    }

    /// Calls the module for an event that it is to see.
    pub(super) fn run(
        &mut self,
        chunk: &Arc<Chunk>,
        index: usize,
        edits: &mut Box<Edits>,
        found: Option<&Arc<Found>>,
    ) -> Ran {
        self.has_sought = false;
        if !self.stage.settings.matches.accepts(EventView { of: original(chunk, index), edits }) {
            return Ran::Passed;
        }
        let is_interested = self.gate.admits(EventView { of: original(chunk, index), edits });
        self.has_sought =
            is_interested && (self.gate.is_narrow() || !self.stage.settings.matches.accepts_all());
        let given = self.noter.as_mut().and_then(|noter| {
            let event = EventView { of: original(chunk, index), edits };
            let is_noted = is_interested || noter.is_interested_in(event);
            is_noted.then(|| noter.given(chunk, edits)).flatten()
        });
        let ran = match is_interested {
            true => self.try_call(chunk, index, edits, found),
            false => Ran::Passed,
        };
        if let (Some(noter), Some(given)) = (&mut self.noter, given) {
            noter.answered(index, given, found, &ran, edits);
        }
        ran
    }

    fn try_call(
        &mut self,
        chunk: &Arc<Chunk>,
        index: usize,
        edits: &mut Box<Edits>,
        found: Option<&Arc<Found>>,
    ) -> Ran {
        if !self.breaker.is_closed() && !self.breaker.admits(Instant::now()) {
            self.stage.count_failure(FailureKind::Breaker);
            return Ran::Failed(FailureKind::Breaker, "the breaker is open".into());
        }
        match self.call(chunk, index, edits, found) {
            Ok(ran) => ran,
            Err(failure) => self.fail(failure),
        }
    }

    fn call(
        &mut self,
        chunk: &Arc<Chunk>,
        index: usize,
        edits: &mut Box<Edits>,
        found: Option<&Arc<Found>>,
    ) -> Result<Ran, Failure> {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => {
                let (instance, cost) =
                    self.template.start(&self.engine, &self.stage, self.cause)?;
                if self.cause != Cause::Start {
                    self.breaker.replaced(cost, Instant::now());
                }
                self.gate.renew(instance.interest());
                let instance = none.insert(instance);
                if !self.gate.admits(EventView { of: original(chunk, index), edits }) {
                    return Ok(Ran::Passed); // The first instance has only now said so.
                }
                instance
            }
        };
        self.calls += 1;
        self.until_sample -= 1;
        let sampled = if self.until_sample == 0 {
            self.until_sample = SAMPLE;
            Some(Instant::now())
        } else {
            None
        };
        let processed = instance.process(chunk, index, edits, found);
        let ticked = instance.first_tick();
        if let Some(started) = sampled {
            self.stage.counters.duration.observe(started.elapsed().as_secs_f64());
        } else if let Some(tick) = ticked {
            let after_tick = (self.stage.clock)().wall.saturating_sub(tick.wall);
            self.stage.counters.duration.observe(after_tick.as_secs_f64());
        }
        let processed = processed?;
        if instance.is_full() {
            self.is_full = true;
            self.replace_full();
        }
        Ok(match processed {
            Processed::Kept => self.answered(Ran::Passed),
            Processed::Dropped(reason) => self.answered(Ran::Dropped(reason)),
            Processed::Refused => self.errored(),
        })
    }

    fn answered(&mut self, ran: Ran) -> Ran {
        if self.breaker.is_closed() {
            self.breaker.answered();
        } else {
            self.breaker.succeeded(Instant::now());
            info!(stage = self.stage.name(), "the module works again");
        }
        ran
    }

    fn errored(&mut self) -> Ran {
        let detail = "the module returned an error";
        self.stage.failed(FailureKind::Error, detail, None);
        let changed = self.breaker.errored(Instant::now());
        self.log_opened(changed);
        Ran::Failed(FailureKind::Error, detail.into())
    }

    /// The module coped without the memory that it was refused, but it will not get more: a new
    /// instance has all of it again. That is no failure: where instances fill up faster than they
    /// may be replaced, the full one is used meanwhile.
    fn replace_full(&mut self) {
        let every = REPLACED_EVERY_MIN
            .max(self.stage.settings.timeout.saturating_mul(REPLACED_EVERY_TIMEOUTS));
        let now = (self.stage.clock)().wall;
        if self.replaced_full.is_none_or(|at| now.saturating_sub(at) >= every) {
            self.replaced_full = Some(now);
            self.stage.replaced_full();
            self.give_up(Cause::Memory);
        }
    }

    fn fail(&mut self, failure: Failure) -> Ran {
        self.stage.failed(failure.kind, &failure.detail, failure.trace.as_ref());
        let changed = match &self.instance {
            Some(instance) => {
                let cost = instance
                    .first_tick()
                    .map(|tick| (TICK + (self.stage.clock)().cpu).saturating_sub(tick.cpu));
                self.give_up(match failure.kind {
                    FailureKind::Timeout => Cause::Timeout,
                    FailureKind::Memory => Cause::Memory,
                    _ => Cause::Trap,
                });
                self.breaker.failed(cost.unwrap_or_default(), Instant::now())
            }
            // What could not be made now will not be made for the next event either.
            None => self.breaker.open(Instant::now()),
        };
        self.log_opened(changed);
        Ran::Failed(failure.kind, failure.detail.into())
    }

    fn log_opened(&self, changed: Changed) {
        if let Changed::Opened(wait) = changed {
            warn!(
                stage = self.stage.name(),
                ?wait,
                on_error = ?self.stage.settings.on_error,
                "the module fails too often: it is not called for a while, and on_error applies to \
                 its events"
            );
        }
    }

    fn give_up(&mut self, cause: Cause) {
        self.cause = cause;
        self.is_full = false;
        if let Some(mut instance) = self.instance.take() {
            instance.end_chunk(); // Its counters counted what happened.
        }
    }

    /// Gives the chunk back, and what was counted to the metrics.
    pub(super) fn end_chunk(&mut self) {
        if self.calls > 0 {
            self.stage.counters.calls.inc_by(std::mem::take(&mut self.calls));
        }
        if let Some(instance) = &mut self.instance {
            instance.end_chunk();
        }
        if let Some(noter) = &mut self.noter {
            noter.send();
        }
        if self.is_full {
            self.replace_full();
        }
    }

    /// Bytes that the memories of its instance have.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// The worker ends: says what the log has not said yet.
    pub(super) fn end(&self) {
        self.stage.say_rest();
    }
}
