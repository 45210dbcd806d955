//! The sink for simulators: the production [`Sender`], and a network that carries its requests.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::attempt::{Attempt, Progress};
use super::sender::{Moment, Sender, SenderSettings};
use super::{sender, write_target};
use crate::event::Micros;
use crate::handoff::{BatchLimits, Item, Takeover};
use crate::ledger::Ledger;
use crate::opensearch::{GZIP_BYTES_MIN, Request as Asked, Response, TransportError};
use crate::sink::{Duplicates, IndexPattern, Mode, SinkError};

pub(crate) use super::scheduler::Dead;
pub(crate) use super::sender::{Counts, Outcome};
pub(crate) use super::write_target::Kind;

/// What the sink does now.
#[derive(Debug)]
pub(crate) enum Next {
    /// Sends this as the request of this number.
    Send(u64, Request),
    /// Takes this much more in; looks again then.
    Fetch(BatchLimits, Option<std::time::Instant>),
    /// Waits for an answer, or until then.
    Wait(Option<std::time::Instant>),
    /// Has nothing left to do.
    Done,
}

/// A request, as a simulator tells them apart.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// `_bulk`; whether the answer is to name the index of each item.
    Bulk(Vec<u8>, bool),
    /// `_refresh`
    Refresh,
    /// `_search` for the ids in this body.
    Search(Vec<u8>),
}

impl Request {
    fn of(Asked { path, body, .. }: Asked) -> Request {
        let (resource, query) = path.split_once('?').unwrap_or((&path, ""));
        match resource.rsplit('/').next() {
            Some("_refresh") => Request::Refresh,
            Some("_search") => Request::Search(body.into()),
            _ => Request::Bulk(body.into(), query.contains("_index")),
        }
    }

    /// Whether its body travels compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        match self {
            Request::Bulk(body, _) | Request::Search(body) => body.len() >= GZIP_BYTES_MIN,
            Request::Refresh => false,
        }
    }
}

/// What follows from the end of a request.
#[derive(Debug)]
pub(crate) enum Then {
    /// This is asked next, under the same number.
    Ask(Request),
    /// The attempt has ended.
    Ended(Outcome),
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

impl Ended {
    fn into_answer(self, is_compressed: bool) -> Result<Response, TransportError> {
        let host = HOST.to_owned();
        match self {
            Ended::Answered(status, body) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or_else(|error| unreachable!("{error}"));
                Ok(Response { status, body, was_compressed: is_compressed, ..Response::default() })
            }
            Ended::TimedOut => Err(TransportError::Timeout { host }),
            Ended::Broke => Err(TransportError::Io { host, detail: "reset by peer".into() }),
        }
    }
}

const HOST: &str = "http://simulated";

impl Dead {
    /// The document.
    pub(crate) fn body(&self) -> &[u8] {
        self.item.body()
    }
}

/// The sink of one process.
#[derive(Debug)]
pub(crate) struct Sink {
    sender: Sender,
    name: String,
    writing: write_target::Writing,
    /// On their way, and whether what they sent last is compressed.
    attempts: BTreeMap<u64, (Attempt, bool)>,
    number: u64,
}

impl Sink {
    /// A sink into `pattern`.
    pub(crate) fn new(
        pattern: IndexPattern,
        mode: Mode,
        ledger: &Ledger,
        takeover: Takeover,
    ) -> Sink {
        let duplicates = Duplicates::Forbid;
        let writing = write_target::Writing { mode, duplicates, can_refresh: true };
        let name = pattern.name();
        let settings = SenderSettings {
            pattern,
            writing,
            is_replay: false,
            // In a simulation there is one clock.
            clocks_apart: Duration::ZERO,
        };
        let sender = Sender::new(settings, ledger, takeover);
        Sink { sender, name, writing, attempts: BTreeMap::new(), number: 0 }
    }

    /// It was asked what the index stands for; `None` for one with a date, of which nobody asks.
    pub(crate) fn prepared(&mut self, kind: Option<&Kind>) -> Result<(), SinkError> {
        let fixed = Ok(write_target::Known::fixed());
        let of = |kind| write_target::Known::of(&self.name, kind, self.writing);
        self.sender.prepared(kind.map_or(fixed, of)?);
        Ok(())
    }

    /// Whether documents may be sent.
    pub(crate) fn is_prepared(&self) -> bool {
        self.sender.is_prepared()
    }

    /// What it does now; `micros` is the same time, since the epoch.
    pub(crate) fn next(&mut self, now: std::time::Instant, micros: Micros, rewinds: u64) -> Next {
        let std = |at: Option<Instant>| at.map(Instant::into_std);
        match self.sender.next(Moment { instant: Instant::from_std(now), micros }, rewinds) {
            sender::Next::Send(mut attempt) => {
                let request = Request::of(attempt.request(micros));
                self.number += 1;
                self.attempts.insert(self.number, (attempt, request.is_compressed()));
                Next::Send(self.number, request)
            }
            sender::Next::Fetch(limits, wake) => Next::Fetch(limits, std(wake)),
            sender::Next::Wait(wake) => Next::Wait(std(wake)),
            sender::Next::Done => Next::Done,
        }
    }

    /// Takes a batch in, and answers what is not even to be sent.
    pub(crate) fn admit(&mut self, items: Vec<Item>) -> Vec<Dead> {
        self.sender.admit(items)
    }

    /// No more will come.
    pub(crate) fn inbox_ended(&mut self) {
        self.sender.inbox_ended();
    }

    /// A request has ended; `None`: nobody waits for it.
    pub(crate) fn ended(
        &mut self,
        number: u64,
        ended: Ended,
        (now, micros): (std::time::Instant, Micros),
        random: u64,
    ) -> Result<Option<Then>, SinkError> {
        let Some((attempt, is_compressed)) = self.attempts.remove(&number) else {
            return Ok(None);
        };
        Ok(Some(match attempt.answered(ended.into_answer(is_compressed), HOST) {
            Progress::Continues(mut attempt) => {
                let next = Request::of(attempt.request(micros));
                self.attempts.insert(number, (attempt, next.is_compressed()));
                Then::Ask(next)
            }
            Progress::Ended(ended) => {
                let now = Moment { instant: Instant::from_std(now), micros };
                Then::Ended(self.sender.ended(ended, now, random)?)
            }
        }))
    }

    /// The letters are durable.
    pub(crate) fn kept(&mut self, dead: Vec<Dead>) {
        self.sender.kept(dead);
    }
}
