//! What to send next, and what to do with what comes back. Pure: time and randomness are
//! parameters.
//!
//! Invariants:
//!
//! - Every document that comes in ([`Lane::admit`], or [`Lane::next`]'s parcels that come back in
//!   [`Lane::completed`]) is in exactly one place: waiting here, in flight, or in a [`Completion`].
//! - While the gate is closed at most one document is on the way: the probe.
//! - What is retried is bounded by the buffer: a document that waits here keeps its room there.

mod completed;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::outcome::Refusal;
use super::parcel::Parcel;
use super::retry::{RequestSize, Window};
use super::storm::Storm;
use crate::handoff::{BatchLimits, Item};

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
            Failure::Outage(why) | Failure::Timeout(why) | Failure::TooMany(why) => {
                Trouble::Outage(why)
            }
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
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// Stored, now or before.
    pub(super) delivered: Vec<Item>,
    /// How many of them were stored by this request.
    pub(super) stored: u64,
    /// Never to be stored, and why.
    pub(super) dead: Vec<(Item, Refusal, String)>,
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
    /// The same for documents of each day.
    stored_days: BTreeMap<i64, Instant>,
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
            stored_days: BTreeMap::new(),
            ended: false,
            probes_fresh: false,
        }
    }

    /// The same lane for documents of dead letters.
    pub(super) fn of_dead_letters(self) -> Lane {
        Lane { storm: Storm::trusting(), ..self }
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
            // Behind the others, so that each probe is another document: one of them may be at
            // fault.
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
}

#[cfg(test)]
mod tests;
