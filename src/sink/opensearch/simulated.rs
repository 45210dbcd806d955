//! The sink for simulators: the production lane, request bodies, responses and storm, with the
//! requests carried by the simulator.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::client::{Response, TransportError};
use super::doubt::Doubt;
use super::errand::Errand;
use super::fault_text;
use super::lane::{Completion, Lane, Turn};
use super::lookup::Ask;
use super::parcel::Parcel;
use super::request::Actions;
use crate::event::Micros;
use crate::handoff::{BatchLimits, Item, Takeover};
use crate::ledger::{Delivered, Ledger, Tally};
use crate::position::Tracker;
use crate::sink::{IndexPattern, Mode};

/// What the sink does now.
#[derive(Debug)]
pub(crate) enum Next {
    /// Sends this as the request of this number.
    Send(u64, Request),
    /// Takes so much more in; looks again then.
    Fetch(BatchLimits, Option<std::time::Instant>),
    /// Waits for an answer, or until then.
    Wait(Option<std::time::Instant>),
}

/// A request, as a simulator tells them apart.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// `_bulk`
    Bulk(Vec<u8>),
    /// `_refresh`
    Refresh,
    /// `_search` for the ids in this body.
    Search(Vec<u8>),
}

impl Request {
    fn of(ask: Ask) -> Request {
        match ask.path.split('?').next().and_then(|path| path.rsplit('/').next()) {
            Some("_refresh") => Request::Refresh,
            Some("_search") => Request::Search(ask.body),
            _ => Request::Bulk(ask.body),
        }
    }
}

/// What follows from the end of a request.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What can never be stored.
    pub(crate) dead: Vec<Dead>,
    /// What is asked next, under the same number.
    pub(crate) next: Option<Request>,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With an answer.
    Answered(u16, Vec<u8>),
    /// With none in time.
    TimedOut,
    /// With a broken connection, or none.
    Broke,
}

/// A document that can never be stored.
#[derive(Debug)]
pub(crate) struct Dead {
    item: Item,
    /// The metric's label.
    pub(crate) reason: &'static str,
}

impl Dead {
    /// The document.
    pub(crate) fn body(&self) -> &[u8] {
        self.item.body()
    }
}

/// The sink of one process.
#[derive(Debug)]
pub(crate) struct Sink {
    lane: Lane,
    actions: Actions,
    mode: Mode,
    ledger: Ledger,
    tracker: Tracker,
    /// Where what may have been stored before is looked up.
    doubt: Option<Doubt>,
    in_flight: BTreeMap<u64, Errand>,
    number: u64,
}

impl Sink {
    /// A sink into `pattern`; with a `takeover`, a data stream.
    pub(crate) fn new(
        pattern: IndexPattern,
        mode: Mode,
        ledger: &Ledger,
        tracker: &Tracker,
        takeover: Option<Takeover>,
    ) -> Sink {
        let (lane, actions) = (Lane::new(), Actions::new(pattern, mode));
        // In a simulation there is one clock.
        let doubt = takeover.map(|takeover| Doubt::new(takeover, Duration::ZERO));
        let (ledger, tracker) = (ledger.clone(), tracker.clone());
        Sink { lane, actions, mode, ledger, tracker, doubt, in_flight: BTreeMap::new(), number: 0 }
    }

    /// What it does now; `micros` is the same time, since the epoch.
    pub(crate) fn next(&mut self, now: std::time::Instant, micros: Micros) -> Next {
        let std = |at: Option<Instant>| at.map(Instant::into_std);
        match self.lane.next(Instant::from_std(now)) {
            Turn::Send(parcel) => {
                if let Some(doubt) = &mut self.doubt {
                    doubt.restarted(self.tracker.rewinds(), micros);
                }
                let mut errand =
                    Errand::new(parcel, self.actions.clone(), self.doubt.as_ref(), micros);
                let request = Request::of(errand.ask());
                self.number += 1;
                self.in_flight.insert(self.number, errand);
                Next::Send(self.number, request)
            }
            Turn::Fetch(limits, wake) => Next::Fetch(limits, std(wake)),
            Turn::Wait(wake) => Next::Wait(std(wake)),
        }
    }

    /// Takes a batch in, and answers what is not even to be sent.
    pub(crate) fn admit(&mut self, items: Vec<Item>) -> Vec<Dead> {
        let (mut dead, mut fit) = (Vec::new(), Vec::new());
        for item in items {
            match self.actions.fault(&item) {
                Some(fault) => {
                    debug_assert!(!fault_text(fault).is_empty());
                    dead.push(Dead { item, reason: fault.label() });
                }
                None => fit.push(item),
            }
        }
        if !fit.is_empty() {
            self.lane.admit(Parcel::from(fit));
        }
        dead
    }

    /// No more will come.
    pub(crate) fn end(&mut self) {
        self.lane.end();
    }

    /// Whether no more will come, and everything has its outcome.
    pub(crate) fn is_done(&self) -> bool {
        self.lane.is_done()
    }

    /// A request has ended: settles what is stored.
    pub(crate) fn ended(
        &mut self,
        number: u64,
        ended: Ended,
        now: std::time::Instant,
        random: f64,
    ) -> Outcome {
        let Some(mut errand) = self.in_flight.remove(&number) else { return Outcome::default() };
        let host = "http://simulated".to_owned();
        let answer = match ended {
            Ended::Answered(status, body) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or_else(|error| unreachable!("{error}"));
                Ok(Response { status, body })
            }
            Ended::TimedOut => Err(TransportError::Timeout { host: host.clone() }),
            Ended::Broke => {
                Err(TransportError::Io { host: host.clone(), detail: "reset by peer".into() })
            }
        };
        let Some(reply) = errand.answered(answer, &host) else {
            let next = Some(Request::of(errand.ask()));
            self.in_flight.insert(number, errand);
            return Outcome { next, ..Outcome::default() };
        };
        let (parcel, _) = errand.finish(&reply);
        let Completion { delivered, stored, dead } =
            self.lane.completed(parcel, reply, Instant::from_std(now), random);
        let mut tally = Tally::default();
        tally.delivered(Delivered::Created, stored);
        let before = match self.mode {
            Mode::History => Delivered::Duplicate,
            Mode::Latest => Delivered::Superseded,
        };
        tally.delivered(before, delivered.len() as u64 - stored);
        Item::settle_all(delivered, &tally);
        let dead =
            dead.into_iter().map(|(item, refusal, _)| Dead { item, reason: refusal.label() });
        Outcome { dead: dead.collect(), next: None }
    }

    /// The letters are durable.
    pub(crate) fn buried(&self, dead: Vec<Dead>) {
        let mut tally = Tally::default();
        for letter in &dead {
            tally.dead_lettered(self.ledger.dead_letter_reason("sink", letter.reason), 1);
        }
        Item::settle_all(dead.into_iter().map(|letter| letter.item).collect(), &tally);
    }
}
