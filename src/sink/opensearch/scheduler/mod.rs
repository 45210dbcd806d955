//! What to send next, and what to do with what comes back. Pure: time and randomness are
//! parameters.
//!
//! Invariants:
//!
//! - Every document that comes in ([`Scheduler::admit`], or in a batch that [`Scheduler::next`]
//!   gave out and that comes back in [`Scheduler::completed`] or [`Scheduler::hold_back`]) is in
//!   exactly one place: waiting here, in flight, or in a [`Completion`].
//! - While the gate is closed at most one document is on the way: the probe.
//! - What is retried is bounded by the buffer: a document that waits here keeps its room there.

mod completed;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::batch::Batch;
use super::limits::{RequestSize, Window};
use super::mass_rejection::MassRejection;
use super::suspicion::Passes;
use crate::handoff::{BatchLimits, Item};
use crate::opensearch::{Refusal, Unavailable};
use crate::sink::DateFormat;

/// Requests in flight at most, and at the start.
pub(super) const IN_FLIGHT_MAX: usize = 4;
/// Bytes of documents in a request at most.
pub(super) const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Documents in a request at most.
pub(super) const REQUEST_DOCUMENTS_MAX: usize = 5000;
/// Between two requests that are not full: a stream of single events does not become a stream of
/// single requests.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// The same after a request of [`MANY`] documents: what a request costs on its own, here and at the
/// node, is then shared by four times as many.
pub(super) const BUSY_INTERVAL: Duration = Duration::from_millis(200);
/// Documents of a request that show that many are coming: as many in [`MIN_INTERVAL`] are 320 a
/// second.
pub(super) const MANY: usize = 16;
/// A document that alone answers 5xx, or an error that is in no list, for this long, while others
/// are stored, is dead-lettered.
pub(super) const FAILING_FOR: Duration = Duration::from_secs(300);

/// What to do now.
#[derive(Debug)]
pub(super) enum Turn {
    /// Send these; they come back in [`Scheduler::completed`].
    Send(Batch),
    /// Admit at most this much more; look again at the time.
    Fetch(BatchLimits, Option<Instant>),
    /// Nothing but wait, for a response or until the time.
    Wait(Option<Instant>),
}

/// What became of the documents of one request. The others wait in the scheduler.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// Stored, now or before.
    pub(super) delivered: Vec<Item>,
    /// How many of them were stored by this request.
    pub(super) stored: u64,
    /// Never to be stored, and why.
    pub(super) dead: Vec<Dead>,
}

/// A document that can never be stored.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(super) item: Item,
    pub(super) refusal: Refusal,
    /// Why, for people.
    pub(super) detail: String,
}

#[derive(Debug)]
enum Gate {
    Open,
    Closed { why: Unavailable, until: Instant },
}

/// The state of sending.
#[derive(Debug)]
pub(super) struct Scheduler {
    fresh: Option<Batch>,
    waiting: VecDeque<Batch>,
    /// What cannot be sent before an attempt that is in flight has ended.
    held_back: Vec<Batch>,
    in_flight: usize,
    window: Window,
    size: RequestSize,
    gate: Gate,
    /// How often the gate was closed since a request that was no probe went through.
    closed_in_a_row: u32,
    mass_rejection: MassRejection,
    passes: Passes,
    /// No suspect is sent before this, since there may be many of them, nor while a witness is on
    /// its way.
    next_suspect: Option<Instant>,
    is_witness_sent: bool,
    /// When new documents may be sent that do not fill a request.
    next_fresh: Option<Instant>,
    /// How the names of indices are dated.
    date: Option<DateFormat>,
    /// When a document was stored last in each index, by its period.
    stored_in: BTreeMap<i64, Instant>,
    ended: bool,
    /// Probes are taken in turn from what has failed and from what is new.
    probes_fresh: bool,
}

impl Scheduler {
    /// For indices whose names are dated so.
    pub(super) fn new(date: Option<DateFormat>) -> Scheduler {
        Scheduler {
            fresh: None,
            waiting: VecDeque::new(),
            held_back: Vec::new(),
            in_flight: 0,
            window: Window::new(IN_FLIGHT_MAX),
            size: RequestSize::new(REQUEST_BYTES_MAX),
            gate: Gate::Open,
            closed_in_a_row: 0,
            mass_rejection: MassRejection::default(),
            passes: Passes::default(),
            next_suspect: None,
            is_witness_sent: false,
            next_fresh: None,
            date,
            stored_in: BTreeMap::new(),
            ended: false,
            probes_fresh: false,
        }
    }

    /// The same scheduler for documents of dead letters.
    pub(super) fn of_dead_letters(self) -> Scheduler {
        Scheduler { mass_rejection: MassRejection::trusting(), ..self }
    }

    /// Whether a document that is stored may be sent once more without being stored twice.
    pub(super) fn may_resend(&mut self, may_resend: bool) {
        self.passes.may_resend(may_resend);
    }

    /// New documents.
    pub(super) fn admit(&mut self, batch: Batch) {
        match &mut self.fresh {
            Some(fresh) => fresh.append(batch),
            None => self.fresh = Some(batch),
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether no more will come and everything has its outcome.
    pub(super) fn is_done(&self) -> bool {
        self.ended
            && self.fresh.is_none()
            && self.waiting.is_empty()
            && self.held_back.is_empty()
            && self.in_flight == 0
    }

    /// Whether a batch is in flight.
    pub(super) fn is_sending(&self) -> bool {
        self.in_flight > 0
    }

    /// Why nothing, or not everything, is taken.
    pub(super) fn unavailable(&self) -> Option<Unavailable> {
        match &self.gate {
            Gate::Closed { why, .. } => Some(why.clone()),
            Gate::Open => {
                let refused = self.waiting.iter().find_map(|batch| batch.refused.clone());
                refused.map(Unavailable::Refused)
            }
        }
    }

    /// These documents of a batch that was to be sent cannot be yet: they wait until an attempt has
    /// ended. `is_all`: nothing of the batch is sent.
    pub(super) fn hold_back(&mut self, batch: Batch, is_all: bool) {
        debug_assert!(self.in_flight > usize::from(is_all), "nothing would let them go on");
        self.held_back.push(batch);
        self.in_flight -= usize::from(is_all);
    }

    pub(super) fn next(&mut self, now: Instant) -> Turn {
        if let Gate::Closed { until, .. } = self.gate {
            return self.next_probe(now, until);
        }
        if self.in_flight >= self.window.limit() {
            return Turn::Wait(None);
        }
        if let Some(batch) = self.take_due(now) {
            return self.send(batch, now);
        }
        let may_go = self.waiting.iter().filter(|batch| self.may_go(batch));
        let due = may_go.filter_map(|batch| self.due(batch)).min();
        let Some(fresh) = self.fresh.take() else {
            return Turn::Fetch(self.limits(0, 0), due);
        };
        let (bytes, count) = (fresh.bytes(), fresh.entries.len());
        let full = bytes >= self.size.bytes() || count >= REQUEST_DOCUMENTS_MAX;
        let at = self.next_fresh.unwrap_or(now);
        if full || self.ended || at <= now {
            self.next_fresh = Some(now + if count < MANY { MIN_INTERVAL } else { BUSY_INTERVAL });
            let batch = self.fitting(fresh, |scheduler, rest| scheduler.fresh = Some(rest));
            return self.send(batch, now);
        }
        self.fresh = Some(fresh);
        Turn::Fetch(self.limits(bytes, count), Some(due.map_or(at, |due| due.min(at))))
    }

    fn next_probe(&mut self, now: Instant, until: Instant) -> Turn {
        if self.in_flight > 0 {
            return Turn::Wait(None);
        }
        if self.fresh.is_none() && !self.ended && (now < until || self.waiting.is_empty()) {
            // So that a probe can be another document than those that failed.
            let one = BatchLimits { bytes: self.size.bytes(), count: 1 };
            return Turn::Fetch(one, (!self.waiting.is_empty()).then_some(until));
        }
        if now < until {
            return Turn::Wait(Some(until));
        }
        self.probes_fresh = !self.probes_fresh;
        let batch = match self.probes_fresh {
            true => self.fresh.take().or_else(|| self.waiting.pop_front()),
            false => self.waiting.pop_front().or_else(|| self.fresh.take()),
        };
        let Some(mut batch) = batch else { return Turn::Wait(None) };
        let mut probe = batch.split_front(1);
        probe.is_probe = true;
        if !batch.entries.is_empty() {
            // Behind the others, so that each probe is another document: one of them may be at
            // fault.
            self.waiting.push_back(batch);
        }
        if let Some(mut witness) = self.witness_of(&mut probe, now) {
            witness.is_probe = true;
            probe.is_probe = false;
            self.waiting.push_back(probe);
            return self.send(witness, now);
        }
        self.send(probe, now)
    }

    /// How much may be taken in before anything is sent.
    pub(super) fn limits_at_start(&self) -> BatchLimits {
        self.limits(0, 0)
    }

    fn limits(&self, bytes: usize, count: usize) -> BatchLimits {
        BatchLimits {
            bytes: self.size.bytes().saturating_sub(bytes).max(1),
            count: REQUEST_DOCUMENTS_MAX.saturating_sub(count).max(1),
        }
    }

    fn take_due(&mut self, now: Instant) -> Option<Batch> {
        let is_due = |batch| self.may_go(batch) && self.due(batch).is_none_or(|due| due <= now);
        let at = self.waiting.iter().position(is_due)?;
        let mut batch = self.waiting.remove(at)?;
        if batch.is_suspect() {
            self.next_suspect = Some(now + MIN_INTERVAL);
            if let Some(witness) = self.witness_of(&mut batch, now) {
                self.waiting.push_back(batch);
                return Some(witness);
            }
        }
        Some(self.fitting(batch, |scheduler, rest| scheduler.waiting.push_front(rest)))
    }

    /// Whether a batch need not wait for an answer.
    fn may_go(&self, batch: &Batch) -> bool {
        !(self.is_witness_sent && batch.is_suspect())
    }

    /// When a batch that waits may be sent; `None`: now.
    fn due(&self, batch: &Batch) -> Option<Instant> {
        if batch.is_suspect() { batch.due.max(self.next_suspect) } else { batch.due }
    }

    /// What to send before this batch, if it is a suspect without a witness.
    fn witness_of(&self, batch: &mut Batch, now: Instant) -> Option<Batch> {
        let [entry] = batch.entries.as_mut_slice() else { return None };
        let items = entry.suspicion.as_mut()?.witness(&self.passes, now)?;
        Some(Batch { is_witness: true, ..Batch::from(items) })
    }

    /// As much of `batch` as one request may have; the rest goes to `put_back`.
    fn fitting(&mut self, mut batch: Batch, put_back: impl FnOnce(&mut Scheduler, Batch)) -> Batch {
        let count = batch.count_within(self.size.bytes()).min(REQUEST_DOCUMENTS_MAX);
        if count == batch.entries.len() {
            return batch;
        }
        let front = batch.split_front(count);
        put_back(self, batch);
        front
    }

    fn send(&mut self, mut batch: Batch, now: Instant) -> Turn {
        self.in_flight += 1;
        self.is_witness_sent |= batch.is_witness;
        batch.sent = Some(now);
        Turn::Send(batch)
    }
}

#[cfg(test)]
mod gateways;
#[cfg(test)]
mod tests;
