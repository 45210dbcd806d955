//! What to send next, and what to do with what comes back. Pure: time and randomness are parameters.
//!
//! Invariants:
//!
//! - Every document that comes in ([`Lane::admit`], or [`Lane::next`]'s parcels that come back in
//!   [`Lane::completed`]) is in exactly one place: waiting here, in flight, or in a [`Completion`].
//! - While the gate is closed at most one document is on the way: the probe.
//! - What is retried is bounded by the buffer: a document that waits here keeps its room there.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::outcome::{Class, Pressure, Refusal, classify};
use super::parcel::{Entry, Parcel};
use super::response::Answer;
use super::retry::{RequestSize, Window, backoff};
use super::storm::Storm;
use crate::handoff::{BatchLimits, Item};
use crate::ledger::Held;

/// Requests in flight at most, and at the start.
pub(super) const IN_FLIGHT_MAX: usize = 4;
/// Bytes of documents in a request at most.
pub(super) const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Documents in a request at most.
pub(super) const REQUEST_DOCUMENTS_MAX: usize = 5000;
/// Between two requests that are not full: a stream of single events does not become a stream of
/// single requests.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// A document that alone answers 5xx for so long, while others are stored, is dead-lettered.
pub(super) const SERVER_ERROR_FOR: Duration = Duration::from_secs(300);

/// Why nothing, or not everything, is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It will pass without help: no connection, a timeout, 429, 5xx.
    Outage(String),
    /// It needs a person.
    Refused(String),
}

/// Why a request as a whole came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No usable answer, and not for the request's size.
    Outage(String),
    /// No answer in time: it may have been carried out.
    Timeout(String),
    /// 429: too much at once.
    TooMany(String),
    /// 413 or 400: something in it.
    Rejected(Refusal, String),
    /// 401, 403 and whatever else a person must look at.
    Refused(String),
}

impl Failure {
    /// What it says about the target, whatever was sent.
    pub(super) fn into_trouble(self) -> Trouble {
        match self {
            Failure::Outage(why) | Failure::Timeout(why) | Failure::TooMany(why) => Trouble::Outage(why),
            Failure::Rejected(_, why) | Failure::Refused(why) => Trouble::Refused(why),
        }
    }
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Turn {
    /// Send these; they come back in [`Lane::completed`].
    Send(Parcel),
    /// Admit at most so much more; look again at the time.
    Fetch(BatchLimits, Option<Instant>),
    /// Nothing but wait, for a response or until the time.
    Wait(Option<Instant>),
}

/// What became of the documents of one request. The others wait in the lane.
#[derive(Debug)]
pub(super) struct Completion {
    /// Stored, now or before.
    pub(super) delivered: Vec<Item>,
    /// How many of them were stored by this request.
    pub(super) stored: u64,
    /// The events of `delivered`.
    pub(super) delivered_held: Held,
    /// Never to be stored, and why.
    pub(super) dead: Vec<(Item, Refusal, String)>,
    /// The events of `dead`.
    pub(super) dead_held: Held,
}

#[derive(Debug)]
enum Gate {
    Open,
    Closed { trouble: Trouble, until: Instant },
}

/// The state of sending.
#[derive(Debug)]
pub(super) struct Lane {
    fresh: Option<Parcel>,
    waiting: VecDeque<Parcel>,
    in_flight: usize,
    window: Window,
    size: RequestSize,
    gate: Gate,
    /// Times that the gate was closed since an ordinary request went through.
    closed_in_a_row: u32,
    storm: Storm,
    fresh_sent: Option<Instant>,
    stored_last: Option<Instant>,
    ended: bool,
    /// Probes are taken in turn from what has failed and from what is new.
    probes_fresh: bool,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane {
            fresh: None,
            waiting: VecDeque::new(),
            in_flight: 0,
            window: Window::new(IN_FLIGHT_MAX),
            size: RequestSize::new(REQUEST_BYTES_MAX),
            gate: Gate::Open,
            closed_in_a_row: 0,
            storm: Storm::default(),
            fresh_sent: None,
            stored_last: None,
            ended: false,
            probes_fresh: false,
        }
    }

    /// New documents.
    pub(super) fn admit(&mut self, parcel: Parcel) {
        match &mut self.fresh {
            Some(fresh) => fresh.append(parcel),
            None => self.fresh = Some(parcel),
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether no more will come and everything has its outcome.
    pub(super) fn is_done(&self) -> bool {
        self.ended && self.fresh.is_none() && self.waiting.is_empty() && self.in_flight == 0
    }

    /// What is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match &self.gate {
            Gate::Closed { trouble, .. } => Some(trouble.clone()),
            Gate::Open => {
                let refused = self.waiting.iter().find_map(|parcel| parcel.refused.clone());
                refused.map(Trouble::Refused)
            }
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Turn {
        if let Gate::Closed { until, .. } = self.gate {
            return self.next_probe(now, until);
        }
        if self.in_flight >= self.window.limit() {
            return Turn::Wait(None);
        }
        if let Some(parcel) = self.take_due(now) {
            return self.send(parcel);
        }
        let due = self.waiting.iter().filter_map(|parcel| parcel.due).min();
        let Some(fresh) = self.fresh.take() else {
            return Turn::Fetch(self.limits(0, 0), due);
        };
        let (bytes, count) = (fresh.bytes(), fresh.entries.len());
        let full = bytes >= self.size.bytes() || count >= REQUEST_DOCUMENTS_MAX;
        let at = self.fresh_sent.map_or(now, |sent| sent + MIN_INTERVAL);
        if full || self.ended || at <= now {
            self.fresh_sent = Some(now);
            let parcel = self.fitting(fresh, |lane, rest| lane.fresh = Some(rest));
            return self.send(parcel);
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
        let parcel = match self.probes_fresh {
            true => self.fresh.take().or_else(|| self.waiting.pop_front()),
            false => self.waiting.pop_front().or_else(|| self.fresh.take()),
        };
        let Some(mut parcel) = parcel else { return Turn::Wait(None) };
        let mut probe = parcel.split_front(1);
        probe.is_probe = true;
        if !parcel.entries.is_empty() {
            // Behind the others, so that each probe is another document: one of them may be at fault.
            self.waiting.push_back(parcel);
        }
        self.send(probe)
    }

    fn limits(&self, bytes: usize, count: usize) -> BatchLimits {
        BatchLimits {
            bytes: self.size.bytes().saturating_sub(bytes).max(1),
            count: REQUEST_DOCUMENTS_MAX.saturating_sub(count).max(1),
        }
    }

    fn take_due(&mut self, now: Instant) -> Option<Parcel> {
        let at = self.waiting.iter().position(|parcel| parcel.due.is_none_or(|due| due <= now))?;
        let parcel = self.waiting.remove(at)?;
        Some(self.fitting(parcel, |lane, rest| lane.waiting.push_front(rest)))
    }

    /// As much of `parcel` as one request may have; the rest goes to `put_back`.
    fn fitting(&mut self, mut parcel: Parcel, put_back: impl FnOnce(&mut Lane, Parcel)) -> Parcel {
        let count = parcel.count_within(self.size.bytes()).min(REQUEST_DOCUMENTS_MAX);
        if count == parcel.entries.len() {
            return parcel;
        }
        let front = parcel.split_front(count);
        put_back(self, parcel);
        front
    }

    fn send(&mut self, parcel: Parcel) -> Turn {
        self.in_flight += 1;
        Turn::Send(parcel)
    }

    /// A request has ended. `random` is in 0..1.
    pub(super) fn completed(
        &mut self,
        mut parcel: Parcel,
        reply: Result<Vec<Answer>, Failure>,
        now: Instant,
        random: f64,
    ) -> Completion {
        self.in_flight -= 1;
        let mut done = Completion {
            delivered: Vec::new(),
            stored: 0,
            delivered_held: parcel.held.split(0),
            dead: Vec::new(),
            dead_held: parcel.held.split(0),
        };
        match reply {
            Ok(answers) => self.answered(parcel, answers, &mut done, now, random),
            Err(failure) => self.failed(parcel, failure, &mut done, now, random),
        }
        done
    }

    fn failed(&mut self, parcel: Parcel, failure: Failure, done: &mut Completion, now: Instant, random: f64) {
        if let Failure::Rejected(refusal, detail) = failure {
            return self.rejected(parcel, refusal, detail, done, now, random);
        }
        if matches!(failure, Failure::Timeout(_) | Failure::TooMany(_)) {
            self.window.pressed();
            if parcel.entries.len() > 1 {
                self.size.too_much(parcel.bytes());
            }
        }
        self.wait_again(parcel);
        self.close(failure.into_trouble(), now, random);
    }

    /// 413 or 400 for the whole request: halves until the culprit is alone.
    fn rejected(
        &mut self,
        mut parcel: Parcel,
        refusal: Refusal,
        detail: String,
        done: &mut Completion,
        now: Instant,
        random: f64,
    ) {
        if parcel.entries.len() > 1 {
            if refusal == Refusal::TooLarge {
                self.size.too_much(parcel.bytes());
            }
            let half = parcel.split_front(parcel.entries.len() / 2);
            self.waiting.push_front(parcel);
            self.waiting.push_front(half);
            return;
        }
        let mut sorted = Sorted::default();
        if refusal == Refusal::Request && self.stored_last.is_none() {
            // Nothing was stored yet: it may be a proxy that refuses everything.
            parcel.entries.drain(..).for_each(|entry| sorted.target(entry, || detail.clone()));
        }
        sorted.documents.extend(parcel.entries.drain(..).map(|entry| (entry, refusal, detail.clone())));
        self.sorted(parcel, sorted, done, now, random);
    }

    fn answered(
        &mut self,
        mut parcel: Parcel,
        answers: Vec<Answer>,
        done: &mut Completion,
        now: Instant,
        random: f64,
    ) {
        let sent = parcel.bytes();
        let mut sorted = Sorted::default();
        for (entry, answer) in parcel.entries.drain(..).zip(answers) {
            self.sort(entry, &answer, &mut sorted, done, now);
        }
        if !done.delivered.is_empty() {
            self.stored_last = Some(now);
        }
        if sorted.too_many {
            self.window.pressed();
        } else if !done.delivered.is_empty() {
            self.window.eased();
            self.size.fine(sent);
        }
        self.sorted(parcel, sorted, done, now, random);
    }

    fn sort(
        &self,
        mut entry: Entry,
        answer: &Answer,
        sorted: &mut Sorted,
        done: &mut Completion,
        now: Instant,
    ) {
        let detail = || answer.error.as_ref().map_or_else(String::new, ToString::to_string);
        match classify(answer.status, answer.error.as_ref()) {
            Class::Stored => {
                done.stored += 1;
                done.delivered.push(entry.item);
            }
            Class::Conflict => done.delivered.push(entry.item),
            Class::Document(refusal) => sorted.documents.push((entry, refusal, detail())),
            Class::Target => sorted.target(entry, || format!("{} {}", answer.status, detail())),
            Class::Pressure(kind) => {
                sorted.too_many |= kind == Pressure::TooMany;
                if self.is_poison(&mut entry, kind, now) {
                    done.dead.push((entry.item, Refusal::ServerError, detail()));
                } else {
                    sorted.pressure(entry, || format!("{} {}", answer.status, detail()));
                }
            }
        }
    }

    /// Whether a document has answered 5xx for so long, while others were stored, that it is the cause.
    fn is_poison(&self, entry: &mut Entry, kind: Pressure, now: Instant) -> bool {
        if kind == Pressure::TooMany {
            entry.failing_since = None;
            return false;
        }
        let since = *entry.failing_since.get_or_insert(now);
        now - since >= SERVER_ERROR_FOR && self.stored_last.is_some_and(|stored| stored > since)
    }

    /// Decides over what was not stored, and over the gate.
    fn sorted(
        &mut self,
        mut parcel: Parcel,
        mut sorted: Sorted,
        done: &mut Completion,
        now: Instant,
        random: f64,
    ) {
        let delivered = done.delivered.len() as u64;
        let refused = sorted.documents.len() as u64;
        if self.storm.believes(delivered, refused, now) {
            let dead = sorted.documents.drain(..).map(|(entry, why, detail)| (entry.item, why, detail));
            done.dead.extend(dead);
        } else {
            for (entry, _, detail) in std::mem::take(&mut sorted.documents) {
                sorted.target(entry, || format!("it refuses too many documents for their content: {detail}"));
            }
        }
        done.delivered_held.merge(parcel.held.split(delivered));
        done.dead_held.merge(parcel.held.split(done.dead.len() as u64));
        // What was refused before while others were stored says nothing about the target when it is refused again.
        let tells = parcel.attempt == 0 || parcel.is_probe;
        if delivered > 0 || !done.dead.is_empty() {
            self.open(parcel.is_probe);
        } else if !tells {
            // It waits on its own.
        } else if let Some(why) = sorted.target_why.clone() {
            self.close(Trouble::Refused(why), now, random);
        } else if let Some(why) = sorted.pressure_why {
            self.close(Trouble::Outage(why), now, random);
        }
        let due = Some(now + backoff(parcel.attempt, random));
        for (entries, refused) in [(sorted.pressure, None), (sorted.target, sorted.target_why)] {
            if entries.is_empty() {
                continue;
            }
            let held = parcel.held.split(entries.len() as u64);
            let again = Parcel {
                is_probe: parcel.is_probe,
                refused,
                due,
                attempt: parcel.attempt + 1,
                ..Parcel::new(entries, held)
            };
            self.wait_again(again);
        }
    }

    fn wait_again(&mut self, mut parcel: Parcel) {
        if std::mem::take(&mut parcel.is_probe)
            && let Some(last) = self.waiting.back_mut()
        {
            // Else a long outage would leave as many parcels of one document as there were probes.
            return last.append(parcel);
        }
        self.waiting.push_back(parcel);
    }

    fn open(&mut self, by_probe: bool) {
        if by_probe {
            self.storm.over();
        } else {
            self.closed_in_a_row = 0;
        }
        self.gate = Gate::Open;
    }

    fn close(&mut self, trouble: Trouble, now: Instant, random: f64) {
        // Of several requests in flight that fail together, the first one counts.
        let until = match self.gate {
            Gate::Closed { until, .. } if until > now => until,
            _ => {
                self.closed_in_a_row += 1;
                now + backoff(self.closed_in_a_row - 1, random)
            }
        };
        self.gate = Gate::Closed { trouble, until };
    }
}

/// What was not stored, by what to do with it.
#[derive(Debug, Default)]
struct Sorted {
    documents: Vec<(Entry, Refusal, String)>,
    target: Vec<Entry>,
    target_why: Option<String>,
    pressure: Vec<Entry>,
    pressure_why: Option<String>,
    too_many: bool,
}

impl Sorted {
    fn target(&mut self, entry: Entry, why: impl FnOnce() -> String) {
        self.target.push(entry);
        self.target_why.get_or_insert_with(why);
    }

    fn pressure(&mut self, entry: Entry, why: impl FnOnce() -> String) {
        self.pressure.push(entry);
        self.pressure_why.get_or_insert_with(why);
    }
}

#[cfg(test)]
mod tests;
