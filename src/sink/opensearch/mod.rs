//! Documents into OpenSearch by `_bulk`: batches, several requests in flight, retries of what
//! failed.
//!
//! What is decided is pure, and [`sender`] is its front: this file carries requests, writes dead
//! letters and passes time.
//!
//! ```text
//!   inbox ──> sender ──> attempt (refresh, search, _bulk) ──> OpenSearch
//!               │  ▲                      │
//!   letters <───┘  └──────────────────────┘
//! ```
//!
//! - [`prepare`]: what is done before the first document; [`version`] tells which server it is,
//!   [`resolve`] asks what the configured name
//!   stands for, and [`write_target`] what follows from that. [`setup`] installs what belongs to
//!   it, where that is asked for.
//! - [`sender`]: what to do with batches, answers and dead letters. [`scheduler`] decides what is
//!   sent when, with its [`limits`] and its judgement of [`mass_rejection`]; [`suspicion`] whether
//!   a document is to blame for a request that is refused as a whole; [`in_doubt`] which documents
//!   may be stored already, and [`in_flight`] which must wait for their twin.
//! - [`attempt`]: the requests for one [`batch`]; [`lookup`] and [`request`] make them.
//! - [`report`] and [`observe`]: readiness, log lines and metrics.
//!
//! Invariant: an event is settled when OpenSearch has said that its document is stored, or its dead
//! letter is durable; before that it is held by a batch here, whatever happens.

mod asker;
mod attempt;
mod batch;
pub(crate) mod examine;
mod in_doubt;
mod in_flight;
mod limits;
mod lookup;
mod mass_rejection;
mod observe;
mod prepare;
mod report;
mod request;
mod resolve;
mod scheduler;
mod sender;
pub(crate) mod setup;
mod suspicion;
mod template;
mod version;
mod write_target;

use crate::dead_letter::DeadLetters;
use crate::position::Keeper;
use crate::process::Process;
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use self::asker::{AskError, Asker};
use self::attempt::{Attempt, Ended, Progress};
use self::in_doubt::CLOCKS_APART;
use self::observe::Observer;
use self::report::Reporter;
use self::scheduler::Dead;
use self::sender::{Moment, Next, Sender, SenderSettings};
use self::write_target::Writing;
use super::error::SinkError;
use super::lag::now_micros;
use super::settings::OpenSearchSettings;
use super::{PART, PROGRESS_INTERVAL};
use crate::blocking::blocking;
use crate::dead_letter::{DeadLetterError, Letter, Where};
use crate::event::DocumentIdentity;
use crate::handoff::{BatchLimits, Inbox, Item};
use crate::metrics::SinkMetrics;
use crate::opensearch::{Client, ClientError, RequestError, Unavailable, count};
use crate::reload::Reload;

pub(super) async fn run<I: Inbox>(
    settings: &OpenSearchSettings,
    inbox: I,
    dead_letters: DeadLetters,
    keeper: Keeper,
    process: Process,
) -> Result<(), SinkError> {
    let (connection, reload) = (settings.connection.clone(), process.shutdown.reload.clone());
    if let Some(warning) = connection.readable_credentials() {
        tracing::warn!("{warning}");
    }
    let client = Arc::new(blocking(move || Client::new(&connection, &reload)).await?);
    let sender = SenderSettings {
        pattern: settings.index.clone(),
        writing: Writing::of(settings, &client),
        is_replay: dead_letters.is_replay(),
        clocks_apart: CLOCKS_APART,
    };
    let runner = Runner {
        sender: Sender::new(sender, &process.ledger, process.takeover.clone()),
        client,
        requests: JoinSet::new(),
        reporter: Reporter::new(process.health.clone()),
        observer: Observer::new(&process.metrics.sink, settings.index.name()),
        dead_letters,
        keeper,
        process: process.clone(),
    };
    runner.run(settings, inbox).await?;
    process.health.finished(PART);
    Ok(())
}

/// Installs what is missing, as `order` has it, or says what is: as far as it came.
pub(crate) async fn set_up(
    settings: &OpenSearchSettings,
    order: &setup::Order,
) -> (Vec<setup::Item>, Result<(), SetupError>) {
    let connection = settings.connection.clone();
    let client = match blocking(move || Client::new(&connection, &Reload::default())).await {
        Ok(client) => client,
        Err(error) => return (Vec::new(), Err(error.into())),
    };
    let asker = Asker { client: &client, requests: None };
    let (items, ended) = setup::set_up(&asker, settings, order).await;
    let ended = ended.map_err(|error| match error {
        AskError::Unavailable(why) | AskError::Unauthorized(why) => {
            let (Unavailable::Outage(why) | Unavailable::Refused(why)) = why;
            SetupError::Unavailable(why)
        }
        AskError::Fatal(error) => SetupError::Sink(error),
    });
    (items, ended)
}

/// Why OpenSearch could not be set up, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No client can be made of the settings.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It is down, or does not let weir in.
    #[error("OpenSearch cannot be set up: {0}")]
    Unavailable(String),
    /// The index cannot be used as configured.
    #[error(transparent)]
    Sink(SinkError),
}

/// Drives a [`Sender`].
struct Runner {
    sender: Sender,
    client: Arc<Client>,
    requests: JoinSet<Ended>,
    reporter: Reporter,
    observer: Observer,
    dead_letters: DeadLetters,
    keeper: Keeper,
    process: Process,
}

impl Runner {
    async fn run<I: Inbox>(
        mut self,
        settings: &OpenSearchSettings,
        mut inbox: I,
    ) -> Result<(), SinkError> {
        let (client, process) = (self.client.clone(), self.process.clone());
        let keeper = self.keeper.clone();
        let prepare = prepare::prepare(&client, settings, &keeper, &process);
        tokio::pin!(prepare);
        loop {
            process.health.progress(PART);
            if self.sender.is_prepared() {
                self.reporter.update(self.sender.unavailable(), Instant::now());
            }
            let (fetch, wake) = match self.send_what_may_be_sent() {
                Next::Fetch(limits, wake) => (Some(limits), wake),
                Next::Wait(wake) => (None, wake),
                Next::Send(_) | Next::Done => return Ok(()),
            };
            let latest = Instant::now() + PROGRESS_INTERVAL;
            tokio::select! {
                biased;
                () = process.shutdown.abort.cancelled() => return Ok(()),
                known = &mut prepare, if !self.sender.is_prepared() => {
                    self.sender.prepared(known?);
                }
                Some(ended) = self.requests.join_next() => match ended {
                    Ok(ended) => self.ended(ended).await?,
                    // Requests are not cancelled while this runs: it panicked, and so do we.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                batch = fetch_next(&mut inbox, fetch) => match batch {
                    Some(batch) => {
                        let dead = self.sender.admit(batch);
                        self.dead_letter(dead).await?;
                    }
                    None => self.sender.inbox_ended(),
                },
                () = tokio::time::sleep_until(wake.map_or(latest, |wake| wake.min(latest))) => {}
            }
        }
    }

    /// Answers what else there is to do.
    fn send_what_may_be_sent(&mut self) -> Next {
        let now = now();
        let rewinds = self.process.tracker.rewinds();
        loop {
            match self.sender.next(now, rewinds) {
                Next::Send(attempt) => {
                    let metrics = self.process.metrics.sink.clone();
                    self.requests.spawn(carry(attempt, self.client.clone(), metrics));
                }
                next => return next,
            }
        }
    }

    async fn ended(&mut self, ended: Ended) -> Result<(), SinkError> {
        let outcome = self.sender.ended(ended, now(), fastrand::u64(..))?;
        self.observer.ended(&outcome);
        if outcome.is_unauthorized {
            let client = self.client.clone();
            if let Err(error) = blocking(move || client.reread_credentials()).await {
                tracing::warn!("{error}; going on with the previous ones");
            }
        }
        self.dead_letter(outcome.dead).await
    }

    /// Writes dead letters. Nothing else goes on meanwhile: while they cannot be written, the
    /// pipeline waits.
    async fn dead_letter(&mut self, dead: Vec<Dead>) -> Result<(), SinkError> {
        if dead.is_empty() {
            return Ok(());
        }
        self.observer.dead_lettering(&dead, Instant::now());
        let letters = self.dead_letters.clone();
        let write = move || {
            let items = dead.iter().map(|dead| &dead.item);
            let sources: Vec<_> =
                items.map(|item| item.documents().source(item.document())).collect();
            let all: Vec<_> =
                dead.iter().zip(&sources).map(|(dead, source)| letter(dead, source)).collect();
            letters.write_all(PART.name(), &all)?;
            Ok::<_, DeadLetterError>(dead)
        };
        let kept = blocking(write).await?;
        self.sender.kept(kept);
        Ok(())
    }
}

fn now() -> Moment {
    Moment { instant: Instant::now(), micros: now_micros() }
}

/// Carries an attempt's requests.
async fn carry(mut attempt: Attempt, client: Arc<Client>, metrics: SinkMetrics) -> Ended {
    loop {
        let request = attempt.request(now_micros());
        if let Some(documents) = attempt.documents() {
            metrics.request_documents.observe(documents as f64);
        }
        let asked = client.host().to_owned();
        let timer = metrics.request_duration.start_timer();
        let answer = client.send(request).await;
        timer.stop_and_record();
        count(&answer, &metrics.requests);
        let host = answer.as_ref().map_or(asked, |answer| answer.host.clone());
        match attempt.answered(answer, &host) {
            Progress::Continues(next) => attempt = next,
            Progress::Ended(ended) => {
                // What is no answer of OpenSearch may be one of what stands before this node.
                if matches!(ended.reply, Err(RequestError::Outage(_))) {
                    client.rotate(&host);
                }
                return ended;
            }
        }
    }
}

/// The next batch, for a branch of `select!` that is off when there are no limits.
async fn fetch_next<I: Inbox>(inbox: &mut I, limits: Option<BatchLimits>) -> Option<Vec<Item>> {
    match limits {
        Some(limits) => inbox.next(limits).await,
        None => std::future::pending().await,
    }
}

fn letter<'a>(Dead { item, refusal, detail }: &'a Dead, source: &'a [u8]) -> Letter<'a> {
    Letter {
        part: Where::Sink,
        reason: refusal.label(),
        detail,
        source,
        document: Some(item.body()),
        identity: identity(item),
    }
}

/// The event's uid and version, where it has both.
fn identity(item: &Item) -> Option<(&str, &str)> {
    let text = |range: &Range<usize>| str::from_utf8(&item.documents().bytes[range.clone()]).ok();
    match item.document().identity.as_ref()? {
        DocumentIdentity::Object { uid, version } => Some((text(uid)?, text(version)?)),
        DocumentIdentity::Digest(_) => None,
    }
}

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
