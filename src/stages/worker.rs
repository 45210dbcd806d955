//! A worker: takes its share of each chunk, runs every event through the chain, and hands the
//! documents of those that are kept to the buffer.
//!
//! Invariant: of each chunk's share, every event is settled (filtered, dead-lettered) or handed on
//! with its document when the next chunk is taken; the one exception is an event that could not be
//! dead-lettered, which is given back in the error.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::chain::{Slot, Verdict, run_event};
use super::current::original;
use super::loaded::{Chain, Shared};
use crate::dead_letter::{DeadLetterError, DeadLetters, Letter, Where};
use crate::event::{Chunk, Documents, Edits, EncodeSettings, EventView, encode};
use crate::handoff::{Closed, Outbox, Work};
use crate::health::Health;
use crate::ledger::{Held, Tally};

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
    chain: Arc<Shared>,
    number: usize,
    /// Its name for the liveness probe.
    task: String,
    workers: usize,
    slots: Vec<Slot>,
    edits: Box<Edits>,
    /// Bytes that the documents of the last chunk took: what the next one's are likely to take.
    bytes_expected: usize,
}

/// What became of a chunk.
struct Done {
    documents: Documents,
    /// The events of the documents.
    held: Held,
    /// The error that ended it early, and the events without an outcome.
    ended_by: Option<(DeadLetterError, Held)>,
}

impl Chain {
    /// One worker of `workers`, with instances of its own. The first one gets those that loading
    /// made.
    pub fn worker(&self, number: usize, workers: usize) -> Worker {
        let chain = self.0.clone();
        let stages = chain.stages.iter().zip(chain.templates());
        let slots = stages
            .map(|(stage, (template, first))| Slot::new(&chain.engine, stage, &template, first));
        let slots = slots.collect();
        let task = format!("worker-{number}");
        Worker { chain, number, task, workers, slots, edits: Box::default(), bytes_expected: 0 }
    }
}

impl Worker {
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
        self.slots.iter().for_each(Slot::end);
        ended
    }

    fn run_chunks(
        &mut self,
        mut work: mpsc::Receiver<Work>,
        outbox: &dyn Outbox,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
        health: &Health,
    ) -> Result<(), WorkerError> {
        while let Some(work) = work.blocking_recv() {
            // It can stall only in between: waiting for work, or for room in the buffer, is no
            // stall.
            health.progress(&self.task);
            let done = self.run_chunk(work, dead_letters, encode);
            health.finished(&self.task);
            if !done.documents.docs.is_empty() {
                outbox.put(done.documents, done.held)?;
            }
            if let Some((error, held)) = done.ended_by {
                return Err(WorkerError::DeadLetter { error, held });
            }
        }
        Ok(())
    }

    /// Runs one chunk's share. The chunk is back in its pool when this returns.
    fn run_chunk(
        &mut self,
        mut work: Work,
        dead_letters: &DeadLetters,
        encode: &EncodeSettings,
    ) -> Done {
        let mut documents = Documents::default();
        documents.bytes.reserve(self.bytes_expected.min(work.chunk.bytes.len()));
        let mut tally = Tally::default();
        let chain = self.chain.clone();
        let running = chain.ticker.run();
        let failed = self.run_events(&chain, &work.chunk, encode, &mut documents, &mut tally);
        drop(running);
        let result = self.dead_letter(&work.chunk, &failed, dead_letters, &mut tally);
        for slot in &mut self.slots {
            slot.end_chunk();
        }
        self.bytes_expected = documents.bytes.len();
        if documents.bytes.capacity() - documents.bytes.len() > SPARE_BYTES_MAX {
            documents.bytes.shrink_to_fit();
        }
        work.held.settle(&tally);
        let held = work.held.split(documents.docs.len() as u64);
        Done { documents, held, ended_by: result.err().map(|error| (error, work.held)) }
    }

    /// Runs this worker's events of a chunk, and answers those that are to become dead letters.
    fn run_events<'c>(
        &mut self,
        chain: &'c Shared,
        chunk: &Arc<Chunk>,
        encode_settings: &EncodeSettings,
        documents: &mut Documents,
        tally: &mut Tally,
    ) -> Vec<Failed<'c>> {
        let mut failed = Vec::new();
        let mut errors = Vec::new();
        for (index, event) in chunk.events.iter().enumerate() {
            if self.workers > 1 && event.head.shard as usize % self.workers != self.number {
                continue;
            }
            self.edits.clear();
            errors.clear();
            let source = &chunk.bytes[event.source_bytes.clone()];
            match run_event(&mut self.slots, chain, chunk, index, &mut self.edits, &mut errors) {
                Verdict::Drop(reason) => tally.filtered(reason, 1),
                Verdict::Keep => {
                    let view = EventView { of: original(chunk, index), edits: &self.edits };
                    encode(view, source, &errors, encode_settings, documents);
                }
                Verdict::DeadLetter { stage, kind, detail } => {
                    failed.push(Failed { index, stage, reason: kind.label(), detail });
                }
            }
        }
        failed
    }

    /// Writes a chunk's dead letters with one sync for all: a thousand malformed lines are not a
    /// thousand waits for the disk.
    fn dead_letter(
        &self,
        chunk: &Chunk,
        failed: &[Failed<'_>],
        dead_letters: &DeadLetters,
        tally: &mut Tally,
    ) -> Result<(), DeadLetterError> {
        let rejections = if self.number == 0 { chunk.rejections.as_slice() } else { &[] };
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
