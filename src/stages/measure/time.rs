//! How long events take, one by one.

use std::time::{Duration, Instant};

use tracing::subscriber::{NoSubscriber, with_default};

use super::Workload;
use crate::stages::chain::{Slot, run_event};
use crate::stages::loaded::{Chain, Shared};
use crate::stages::stage::Cause;

/// Times that are kept: enough for a 99th percentile that says something.
const SAMPLES_MAX: usize = 1 << 20;
/// Looks at the clock, to know how long one takes.
const CLOCK_LOOKS: usize = 1000;

/// What came of timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    /// How often all events were run.
    pub(crate) passes: usize,
    /// Of the time that one event took.
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    /// The most that the memories and tables of an instance had.
    pub(crate) memory_bytes: u64,
}

/// Runs the events again and again for about as long, each time through an instance that has seen
/// none. The first time is not counted: caches are cold then. What the module logs is not logged.
pub(crate) fn time(Chain(chain): &Chain, workload: &Workload, at_least: Duration) -> Timed {
    let _ticking = chain.ticker.run();
    let clock = clock_cost();
    let (mut times, mut memory_bytes) = (Vec::new(), 0);
    let (begin, mut passes) = (Instant::now(), 0);
    with_default(NoSubscriber::default(), || {
        one_pass(chain, workload, |_, _| {});
        while passes == 0 || begin.elapsed() < at_least && times.len() < SAMPLES_MAX {
            one_pass(chain, workload, |took, memory| {
                times.push(took.saturating_sub(clock));
                memory_bytes = memory_bytes.max(memory);
            });
            passes += 1;
        }
    });
    times.sort_unstable();
    let percentile = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default()
    };
    Timed { passes, median: percentile(50), p99: percentile(99), memory_bytes }
}

/// Tells of each event how long it took, and how much memory the instances have then.
fn one_pass(chain: &Shared, workload: &Workload, mut told: impl FnMut(Duration, u64)) {
    let slots = chain.stages.iter().zip(&chain.loaded).map(|(stage, loaded)| {
        // One that cannot be made now is made, or fails, with the first event.
        let ready = loaded.template.start(&chain.engine, stage, Cause::Start).ok();
        let instance = ready.map(|(instance, _)| instance);
        Slot::new(&chain.engine, stage, &loaded.template, instance, None)
    });
    let mut slots: Vec<Slot> = slots.collect();
    workload.each(|event| {
        let begin = Instant::now();
        run_event(&mut slots, chain, 0..chain.steps.len(), event);
        let took = begin.elapsed();
        told(took, slots.iter().map(Slot::memory_bytes).sum());
    });
    slots.iter_mut().for_each(Slot::end_chunk);
}

/// What looking at the clock adds to each time.
fn clock_cost() -> Duration {
    let mut looks: Vec<Duration> = (0..CLOCK_LOOKS).map(|_| Instant::now().elapsed()).collect();
    looks.sort_unstable();
    looks[CLOCK_LOOKS / 2]
}
