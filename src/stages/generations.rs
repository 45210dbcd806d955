//! Which chain the workers run, as it changes while they run.
//!
//! A chain that is published is a new generation. Each worker takes it up before its next chunk, so
//! an event passes one generation from its first stage to its last; one that waits for a lookup
//! goes on in the generation that it began in.
//!
//! Everything that takes time (compiling, configuring, [rehearsing](super::rehearsal)) is done
//! before a chain is published: a worker only exchanges what it holds.

use std::sync::Arc;

use super::chain::Slot;
use super::loaded::{Chain, Shared};
use super::published::{Held, Published};
use super::rehearsal::Samples;
use super::shadow::{Shadow, Shadows};
use super::worker::Worker;

/// The chain of now, for those who run it and those who replace it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Generations(Arc<OfAll>);

struct OfAll {
    chains: Published<Chain>,
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
        let (chains, samples) = (Published::new(chain), Samples::default());
        Generations(Arc::new(OfAll { chains, samples, shadows }))
    }

    /// Makes a chain the one that workers take up next. Answers its number.
    pub(crate) fn publish(&self, chain: Chain) -> u64 {
        if let Some(shadows) = &self.0.shadows {
            chain.0.start(shadows);
        }
        self.0.samples.keep_of(&chain.0);
        self.0.chains.publish(chain)
    }

    /// One worker of `workers`, with instances of its own.
    pub(crate) fn worker(&self, number: usize, workers: usize) -> Worker {
        Worker::new(self.clone(), number, workers)
    }

    /// The stages whose modules ask for what was looked up.
    pub(crate) fn asking_for_lookups(&self) -> Vec<String> {
        self.0.chains.latest().1.asking_for_lookups()
    }

    /// Events that have passed lately.
    pub(crate) fn samples(&self) -> &Samples {
        &self.0.samples
    }

    /// What runs from now on, on instances of its own.
    pub(super) fn run(&self) -> Running {
        let (number, chain) = self.0.chains.latest();
        Running::new(number, chain)
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
    held: Held<Running>,
}

impl Generation {
    pub(super) fn new(all: Generations) -> Generation {
        Generation { held: Held::new(&all.0.chains, Running::new), all }
    }

    /// Takes the latest up, if that is another one.
    pub(super) fn take_up(&mut self) {
        self.held.take_up(&self.all.0.chains, Running::new);
    }

    /// Lets those go that no event waits in; those of `from` and later may be waited in.
    pub(super) fn let_go(&mut self, from: Option<u64>) {
        self.held.let_go(from, |mut over| over.end());
    }

    pub(super) fn latest(&mut self) -> &mut Running {
        self.held.latest()
    }

    /// The one with that number, which is still held as long as an event waits in it.
    pub(super) fn of(&mut self, number: u64) -> &mut Running {
        self.held.of(number)
    }

    pub(super) fn samples(&self) -> &Samples {
        self.all.samples()
    }

    /// The worker's work is over.
    pub(super) fn end(&mut self) {
        self.let_go(None);
        self.latest().end();
    }
}
