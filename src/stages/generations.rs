//! Which chain the workers run, as it changes while they run.
//!
//! A chain that is published is a new generation. Each worker takes it up before its next chunk, so
//! an event passes one generation from its first stage to its last; one that waits for a lookup
//! goes on in the generation that it began in.
//!
//! Everything that takes time (compiling, configuring, [rehearsing](super::rehearsal)) is done
//! before a chain is published: a worker only exchanges what it holds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::chain::Slot;
use super::loaded::{Chain, Shared};
use super::rehearsal::Samples;
use super::shadow::{Shadow, Shadows};
use super::worker::Worker;

/// The chain of now, for those who run it and those who replace it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Generations(Arc<Published>);

struct Published {
    /// The number of `latest`, to be looked at without a lock.
    number: AtomicU64,
    latest: Mutex<Chain>,
    samples: Samples,
    /// Where candidates are called beside the modules.
    shadows: Option<Shadows>,
}

impl Generations {
    /// The first one, without its shadows.
    pub(crate) fn new(chain: Chain) -> Generations {
        Generations::of(chain, None)
    }

    /// The first one.
    pub(crate) fn with_shadows(chain: Chain, shadows: Shadows) -> Generations {
        chain.0.start(&shadows);
        Generations::of(chain, Some(shadows))
    }

    fn of(chain: Chain, shadows: Option<Shadows>) -> Generations {
        let (number, latest) = (AtomicU64::new(1), Mutex::new(chain));
        Generations(Arc::new(Published { number, latest, samples: Samples::default(), shadows }))
    }

    /// Makes a chain the one that workers take up next. Answers its number.
    pub(crate) fn publish(&self, chain: Chain) -> u64 {
        if let Some(shadows) = &self.0.shadows {
            chain.0.start(shadows);
        }
        let mut latest = self.0.latest.lock();
        *latest = chain;
        self.0.number.fetch_add(1, Ordering::Release) + 1
    }

    /// One worker of `workers`, with instances of its own.
    pub(crate) fn worker(&self, number: usize, workers: usize) -> Worker {
        Worker::new(self.clone(), number, workers)
    }

    /// The stages whose modules ask for what was looked up.
    pub(crate) fn asking_for_lookups(&self) -> Vec<String> {
        self.0.latest.lock().asking_for_lookups()
    }

    /// Events that have passed lately.
    pub(crate) fn samples(&self) -> &Samples {
        &self.0.samples
    }

    /// What one worker runs from now on.
    pub(super) fn take_up(&self) -> Running {
        let latest = self.0.latest.lock();
        // Under the lock, so that they belong together.
        let number = self.0.number.load(Ordering::Acquire);
        Running::new(number, latest.clone())
    }

    /// Whether there is a later one.
    pub(super) fn is_past(&self, number: u64) -> bool {
        self.0.number.load(Ordering::Acquire) != number
    }
}

/// One generation on one worker, with instances of its own.
pub(super) struct Running {
    pub(super) generation: u64,
    pub(super) chain: Arc<Shared>,
    pub(super) slots: Vec<Slot>,
}

impl Running {
    fn new(generation: u64, Chain(chain): Chain) -> Running {
        let stages = chain.stages.iter().zip(&chain.loaded);
        let slots = stages.map(|(stage, loaded)| {
            // The first workers that ask get the instances that loading made.
            let ready = loaded.ready.lock().pop();
            let noter = loaded.shadow.as_ref().and_then(Shadow::noter);
            Slot::new(&chain.engine, stage, &loaded.template, ready, noter)
        });
        let slots = slots.collect();
        Running { generation, chain, slots }
    }

    /// Gives the chunk back, and what was counted to the metrics.
    pub(super) fn end_chunk(&mut self) {
        self.slots.iter_mut().for_each(Slot::end_chunk);
    }

    /// It is not run any more.
    pub(super) fn end(&mut self) {
        self.end_chunk();
        self.slots.iter().for_each(Slot::end);
    }
}

/// The generations that one worker runs: the latest, and earlier ones that events wait in.
pub(super) struct Generation {
    all: Generations,
    latest: Running,
    earlier: VecDeque<Running>,
}

impl Generation {
    pub(super) fn new(all: Generations) -> Generation {
        Generation { latest: all.take_up(), all, earlier: VecDeque::new() }
    }

    /// Takes the latest up, if that is another one.
    pub(super) fn take_up(&mut self) {
        if self.all.is_past(self.latest.generation) {
            let latest = self.all.take_up();
            self.earlier.push_back(std::mem::replace(&mut self.latest, latest));
        }
    }

    /// Lets those go that no event waits in; those of `from` and later may be waited in.
    pub(super) fn let_go(&mut self, from: Option<u64>) {
        let is_over = |running: &Running| from.is_none_or(|from| running.generation < from);
        while self.earlier.front().is_some_and(is_over) {
            if let Some(mut over) = self.earlier.pop_front() {
                over.end();
            }
        }
    }

    pub(super) fn latest(&mut self) -> &mut Running {
        &mut self.latest
    }

    /// The one with that number, which is still held as long as an event waits in it.
    pub(super) fn of(&mut self, number: u64) -> &mut Running {
        let earlier = self.earlier.iter_mut().find(|running| running.generation == number);
        earlier.unwrap_or(&mut self.latest)
    }

    pub(super) fn samples(&self) -> &Samples {
        self.all.samples()
    }

    /// The worker's work is over.
    pub(super) fn end(&mut self) {
        self.let_go(None);
        self.latest.end();
    }
}
