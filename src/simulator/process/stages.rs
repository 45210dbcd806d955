//! The workers of one process: a chunk at a time, and what finds no room in the buffer waits with
//! its worker.

use tokio::sync::mpsc::Receiver;

use super::super::clock::{MILLISECOND, NEVER, Time};
use super::super::history::id_in;
use super::super::oracle::Violation;
use super::super::shared::Shared;
use super::{Process, closed};
use crate::buffer::simulated::{RETRY_INTERVAL, charge_of};
use crate::event::{Documents, Edits, EventView, Original, encode};
use crate::handoff::Work;
use crate::ledger::{self, Tally};
use crate::stages::{Held, Published};

/// How often a worker looks whether the memory has room, where production waits for that.
const LOOK_EVERY: Time = 20 * MILLISECOND;

/// What the stages do, as far as that changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::simulator) struct Rules {
    /// Otherwise what has the reason `Dropped` is dropped.
    pub(in crate::simulator) keeps_all: bool,
}

/// A worker: its queue, the stages that it runs, and what found no room in the buffer.
pub(super) struct Worker {
    queue: Receiver<Work>,
    rules: Held<Rules>,
    blocked: Option<(Documents, ledger::Held)>,
    due: Time,
}

impl Worker {
    pub(super) fn new(queue: Receiver<Work>, rules: &Published<Rules>, now: Time) -> Worker {
        Worker { queue, rules: Held::new(rules, |_, rules| rules), blocked: None, due: now }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.blocked.is_none() && self.queue.is_empty()
    }

    /// There may be room now.
    pub(super) fn try_again(&mut self, now: Time) {
        if self.blocked.is_some() {
            self.due = self.due.min(now);
        }
    }

    /// When it does something next.
    pub(super) fn next(&self, now: Time) -> Time {
        if self.is_idle() { NEVER } else { self.due.max(now) }
    }
}

impl Process {
    pub(super) fn work(&mut self, number: usize, shared: &mut Shared) -> Result<(), Violation> {
        let at = shared.clock.at(shared.now);
        let worker = &mut self.workers[number];
        worker.due = shared.now + self.random.u64(..5) * MILLISECOND;
        if let Some((documents, held)) = worker.blocked.take() {
            worker.blocked = self.buffer.put(documents, held, at).map_err(closed)?;
            if worker.blocked.is_some() {
                let is_told = self.buffer.has_disk();
                worker.due += if is_told { RETRY_INTERVAL.as_micros() as Time } else { LOOK_EVERY };
            }
        } else if let Ok(work) = worker.queue.try_recv() {
            let (documents, held) = self.run_chunk(number, work, shared)?;
            if !documents.docs.is_empty() {
                shared.charge_max = shared.charge_max.max(charge_of(&documents));
                self.workers[number].blocked =
                    self.buffer.put(documents, held, at).map_err(closed)?;
            }
        }
        self.wake_sink(shared.now);
        Ok(())
    }

    /// The stages as a function, which a worker takes up before a chunk.
    fn run_chunk(
        &mut self,
        number: usize,
        mut work: Work,
        shared: &mut Shared,
    ) -> Result<(Documents, ledger::Held), Violation> {
        let rules = &mut self.workers[number].rules;
        rules.take_up(&self.rules, |_, rules| rules);
        rules.let_go(None, drop);
        if *rules.latest() != shared.rules {
            return Err(format!("worker {number} runs {:?}, which are no more", rules.latest()));
        }
        let rules = *rules.latest();
        let mut documents = Documents::default();
        let mut tally = Tally::default();
        let dropped = self.ledger.filter_reason("simulated", "dropped");
        let edits = Edits::default();
        let chunk = work.chunk.clone();
        for event in &chunk.events {
            if self.workers.len() > 1 && event.head.shard as usize % self.workers.len() != number {
                continue;
            }
            let bytes = chunk.event_bytes(event);
            shared.trace.say(shared.now, || format!("worker {number} gets {}", id_in(bytes)));
            shared.oracle.accept(&id_in(bytes), self.life)?;
            let is_kept = rules.keeps_all || &bytes[event.head.reason.range()] != b"Dropped";
            shared.oracle.judged(&id_in(bytes), is_kept);
            if !is_kept {
                tally.filtered(dropped, 1);
                continue;
            }
            let of = Original { bytes, head: &event.head, members: chunk.event_members(event) };
            let source = &chunk.bytes[event.source_bytes.clone()];
            encode(EventView { of, edits: &edits }, source, &[], &self.encode, &mut documents);
        }
        let rejections = if number == 0 { chunk.rejections.as_slice() } else { &[] };
        for rejection in rejections {
            let id = id_in(&rejection.bytes);
            shared
                .trace
                .say(shared.now, || format!("worker {number} gets {id}, refused: {rejection:?}"));
            shared.oracle.accept_malformed(&id, self.life);
            shared.oracle.dead_lettered(id, self.life, &shared.os, &shared.server)?;
            tally
                .dead_lettered(self.ledger.dead_letter_reason("source", rejection.kind.label()), 1);
        }
        drop(chunk);
        work.held.settle(&tally);
        Ok((documents, work.held))
    }
}
