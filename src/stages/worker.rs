//! A worker: takes its share of each chunk, runs every event through the chain, and hands the
//! documents of those that are kept to the buffer.
//!
//! Invariant: of each chunk's share, every event is settled (filtered, dead-lettered), handed on
//! with its document, or put aside until it is known what its regarded object is (`waiting`), when
//! the next chunk is taken; the one exception is an event that could not be dead-lettered, which is
//! given back in the error.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::chain::{OnTheWay, Verdict, run_event};
use super::current::original;
use super::generations::{Generation, Generations};
use super::loaded::{Chain, Shared};
use super::rehearsal::{Sample, Sampling};
use super::waiting::{Looked, Parked, Waiting, Woke};
use crate::dead_letter::{DeadLetterError, DeadLetters, Letter, Where};
use crate::event::{Chunk, Documents, Edits, EncodeSettings, EventView, Rejection, encode};
use crate::handoff::{Closed, Outbox, Work};
use crate::health::Health;
use crate::ledger::{Held, Tally};
use crate::lookup::Lookups;

/// Unused capacity that a chunk's documents may keep: it is held until the sink has them all.
const SPARE_BYTES_MAX: usize = 16 << 10;

/// Why a worker ended before its work did.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// An event could not be kept as a dead letter.
    #[error("{error}")]
    DeadLetter {
        /// Why it could not be kept.
        error: DeadLetterError,
        /// The events that have no outcome.
        held: Held,
    },
    /// The buffer has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// One worker with its instances. Runs on an OS thread of its own.
pub struct Worker {
    generation: Generation,
    sampling: Sampling,
    number: usize,
    /// Its name for the liveness probe.
    task: String,
    workers: usize,
    edits: Box<Edits>,
    /// With `[lookup]`: who is asked, and what waits for it.
    waiting: Option<Waiting>,
    /// Bytes that the documents of the last chunk took: what the next one's are likely to take.
    bytes_expected: usize,
}

/// What is becoming of some events.
#[derive(Default)]
struct Ran<'c> {
    documents: Documents,
    tally: Tally,
    failed: Vec<Failed<'c>>,
}

impl<'c> Ran<'c> {
    /// An event has left the chain.
    fn take(&mut self, verdict: Verdict<'c>, event: &OnTheWay<'_, 'c>, settings: &EncodeSettings) {
        let (chunk, index) = (event.chunk, event.index);
        match verdict {
            Verdict::Drop(reason) => self.tally.filtered(reason, 1),
            Verdict::Keep => {
                let source = &chunk.bytes[chunk.events[index].source_bytes.clone()];
                let view = EventView { of: original(chunk, index), edits: event.edits };
                encode(view, source, event.errors, settings, &mut self.documents);
            }
            Verdict::DeadLetter { stage, kind, detail } => {
                self.failed.push(Failed { index, stage, reason: kind.label(), detail });
            }
        }
    }

    /// All of them have. `held` are they.
    fn done(self, mut held: Held, letters: Result<(), DeadLetterError>) -> Done {
        held.settle(&self.tally);
        let of_documents = held.split(self.documents.docs.len() as u64);
        let ended_by = letters.err().map(|error| (error, held));
        Done { documents: self.documents, held: of_documents, ended_by }
    }
}

/// What became of them.
struct Done {
    documents: Documents,
    /// The events of the documents.
    held: Held,
    /// The error that ended it early, and the events without an outcome.
    ended_by: Option<(DeadLetterError, Held)>,
}

impl Done {
    fn hand_on(self, outbox: &dyn Outbox) -> Result<(), WorkerError> {
        if !self.documents.docs.is_empty() {
            outbox.put(self.documents, self.held)?;
        }
        match self.ended_by {
            Some((error, held)) => Err(WorkerError::DeadLetter { error, held }),
            None => Ok(()),
        }
    }
}

impl Chain {
    /// One worker of `workers`, with instances of its own. The first ones get those that loading
    /// made.
    pub fn worker(&self, number: usize, workers: usize) -> Worker {
        Generations::new(self.clone()).worker(number, workers)
    }
}

impl Worker {
    pub(super) fn new(generations: Generations, number: usize, workers: usize) -> Worker {
        Worker {
            generation: Generation::new(generations),
            sampling: Sampling::default(),
            number,
            task: format!("worker-{number}"),
            workers,
            edits: Box::default(),
            waiting: None,
            bytes_expected: 0,
        }
    }

    /// The same, and it looks up what events regard.
    pub fn with_lookups(self, lookups: Option<&Lookups>) -> Worker {
        Worker { waiting: lookups.map(Waiting::new), ..self }
    }

    /// Runs until the work ends: until the channel is closed and empty. Blocks this thread.
    ///
    /// Rejections, and events of stages with `on_error = "dead-letter"`, go to `dead_letters`; the
    /// documents of the rest, made as `encode` says, to `outbox`.
    ///
    /// # Errors
    ///
    /// When an event cannot become a dead letter, and when the buffer has ended. What had an
    /// outcome by then is settled, and what had a document by then is handed on.
    pub fn run(
        mut self,
        work: mpsc::Receiver<Work>,
        outbox: &dyn Outbox,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
        health: &Health,
    ) -> Result<(), WorkerError> {
        let ended = self.run_chunks(work, outbox, dead_letters, encode, health);
        self.generation.end();
        ended
    }

    /// The same, and it can be given more work afterwards: for who wants to know what becomes of
    /// each event.
    ///
    /// # Errors
    ///
    /// As `run` does.
    pub(crate) fn run_chunks(
        &mut self,
        mut work: mpsc::Receiver<Work>,
        outbox: &dyn Outbox,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
        health: &Health,
    ) -> Result<(), WorkerError> {
        loop {
            let woke = match &self.waiting {
                None => work.blocking_recv().map_or(Woke::End, Woke::Work),
                Some(waiting) => waiting.wait(&mut work),
            };
            // It can stall only in between: waiting for work, or for room in the buffer, is no
            // stall.
            health.progress(&self.task);
            let done = match woke {
                Woke::Work(work) => Some(self.run_chunk(work, dead_letters, encode)),
                Woke::Due => None,
                Woke::End => {
                    health.finished(&self.task);
                    return Ok(());
                }
            };
            health.finished(&self.task);
            done.map_or(Ok(()), |done| done.hand_on(outbox))?;
            self.run_due(outbox, dead_letters, encode, health)?;
        }
    }

    /// Runs one chunk's share. The chunk is back in its pool when this returns.
    fn run_chunk(
        &mut self,
        work: Work,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
    ) -> Done {
        let Work { chunk, mut held } = work;
        self.generation.take_up();
        self.let_go();
        let mut ran = Ran::default();
        ran.documents.bytes.reserve(self.bytes_expected.min(chunk.bytes.len()));
        let chain = self.generation.latest().chain.clone();
        let ticking = chain.ticker.run();
        self.run_events(&chain, &chunk, encode, &mut held, &mut ran);
        drop(ticking);
        let rejections = if self.number == 0 { chunk.rejections.as_slice() } else { &[] };
        let result =
            self.dead_letter(&chunk, rejections, &ran.failed, dead_letters, &mut ran.tally);
        self.generation.latest().end_chunk();
        self.bytes_expected = ran.documents.bytes.len();
        if ran.documents.bytes.capacity() - ran.documents.bytes.len() > SPARE_BYTES_MAX {
            ran.documents.bytes.shrink_to_fit();
        }
        ran.done(held, result)
    }

    /// Runs this worker's events of a chunk. Those that have to wait take their part of `held`
    /// with them.
    fn run_events<'c>(
        &mut self,
        chain: &'c Shared,
        chunk: &Arc<Chunk>,
        encode: &EncodeSettings,
        held: &mut Held,
        ran: &mut Ran<'c>,
    ) {
        let all = 0..chain.steps.len();
        let [before, after] = chain.around_lookup();
        let now = Instant::now();
        let running = self.generation.latest();
        let (generation, slots) = (running.generation, &mut running.slots);
        let (mut samples, sampling) = (Vec::new(), &mut self.sampling);
        let mut keep = |event: &OnTheWay<'_, 'c>, verdict: &Verdict<'c>| {
            if let Some(wanted) = sampling.wants(now, event.sought) {
                samples.extend(Sample::of(event, verdict, chain).map(|sample| (wanted, sample)));
            }
        };
        let mut errors = Vec::new();
        for (index, event) in chunk.events.iter().enumerate() {
            if self.workers > 1 && event.head.shard as usize % self.workers != self.number {
                continue;
            }
            self.edits.clear();
            errors.clear();
            let (edits, errors) = (&mut self.edits, &mut errors);
            let mut event = OnTheWay { chunk, index, edits, errors, found: None, sought: 0 };
            let Some(waiting) = &mut self.waiting else {
                let verdict = run_event(slots, chain, all.clone(), &mut event);
                keep(&event, &verdict);
                ran.take(verdict, &event, encode);
                continue;
            };
            let verdict = match run_event(slots, chain, before.clone(), &mut event) {
                Verdict::Keep => match waiting.ask(&event, now) {
                    Ok(looked) => {
                        waiting.give(&mut event, looked);
                        run_event(slots, chain, after.clone(), &mut event)
                    }
                    Err(awaited) => {
                        let began_in = (generation, chain);
                        waiting.park(began_in, &mut event, awaited, held.split(1), now);
                        continue;
                    }
                },
                ended => ended,
            };
            keep(&event, &verdict);
            ran.take(verdict, &event, encode);
        }
        for (wanted, sample) in samples {
            self.generation.samples().keep(wanted, &sample, chain);
        }
    }

    /// Lets go of the generations that no event waits in.
    fn let_go(&mut self) {
        let from = self.waiting.as_ref().and_then(Waiting::generation);
        self.generation.let_go(from);
    }

    /// Takes those up that waited, and need not any more.
    fn run_due(
        &mut self,
        outbox: &dyn Outbox,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
        health: &Health,
    ) -> Result<(), WorkerError> {
        let Some(waiting) = &mut self.waiting else { return Ok(()) };
        let due = waiting.take_due(Instant::now());
        let has_run = !due.is_empty();
        for (parked, looked) in due {
            health.progress(&self.task);
            let done = self.run_parked(parked, looked, dead_letters, encode);
            health.finished(&self.task);
            done.hand_on(outbox)?;
        }
        if has_run {
            self.generation.latest().end_chunk();
            self.let_go();
        }
        Ok(())
    }

    /// Runs an event from where it was put aside.
    fn run_parked(
        &mut self,
        parked: Parked,
        looked: Looked,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
    ) -> Done {
        let running = self.generation.of(parked.generation);
        let chain = running.chain.clone();
        let mut errors = parked.errors(&chain);
        let Parked { chunk, mut edits, held, sought, .. } = parked;
        let mut ran = Ran::default();
        let (edits, errors) = (&mut edits, &mut errors);
        let mut event = OnTheWay { chunk: &chunk, index: 0, edits, errors, found: None, sought };
        if let Some(waiting) = &self.waiting {
            waiting.give(&mut event, looked);
        }
        let [_, after] = chain.around_lookup();
        let ticking = chain.ticker.run();
        let verdict = run_event(&mut running.slots, &chain, after, &mut event);
        drop(ticking);
        if let Some(wanted) = self.sampling.wants(Instant::now(), event.sought)
            && let Some(sample) = Sample::of(&event, &verdict, &chain)
        {
            self.generation.samples().keep(wanted, &sample, &chain);
        }
        ran.take(verdict, &event, encode);
        let result = self.dead_letter(&chunk, &[], &ran.failed, dead_letters, &mut ran.tally);
        ran.done(held, result)
    }

    /// Writes a chunk's dead letters with one sync for all: a thousand malformed lines are not a
    /// thousand waits for the disk.
    fn dead_letter(
        &self,
        chunk: &Chunk,
        rejections: &[Rejection],
        failed: &[Failed<'_>],
        dead_letters: &DeadLetters,
        tally: &mut Tally,
    ) -> Result<(), DeadLetterError> {
        let details: Vec<String> = rejections
            .iter()
            .map(|rejection| format!("{}: {}", rejection.location, rejection.detail))
            .collect();
        let identities: Vec<_> =
            failed.iter().map(|failed| original(chunk, failed.index).identity()).collect();
        let of_rejections = rejections.iter().zip(&details).map(|(rejection, detail)| Letter {
            part: Where::Source,
            reason: rejection.kind.label(),
            detail,
            source: &rejection.bytes,
            document: None,
            identity: None,
        });
        let of_stages = failed.iter().zip(&identities).map(|(failed, identity)| Letter {
            part: Where::Stage(failed.stage),
            reason: failed.reason,
            detail: &failed.detail,
            source: &chunk.bytes[chunk.events[failed.index].source_bytes.clone()],
            document: None,
            identity: identity.as_ref().map(|(uid, version)| (&**uid, &**version)),
        });
        let letters: Vec<Letter<'_>> = of_rejections.chain(of_stages).collect();
        dead_letters.write_all(&self.task, &letters)?;
        for letter in &letters {
            tally.dead_lettered(dead_letters.reason(letter), 1);
        }
        Ok(())
    }
}

/// An event that a stage with `on_error = "dead-letter"` failed on.
struct Failed<'c> {
    /// Which of its chunk's.
    index: usize,
    stage: &'c str,
    reason: &'static str,
    detail: Cow<'static, str>,
}
