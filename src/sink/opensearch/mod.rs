//! Documents into OpenSearch by `_bulk`: batches, several requests in flight, retries of what
//! failed.
//!
//! What is decided is pure ([`lane`], [`outcome`], [`request`], [`response`], [`retry`],
//! [`storm`]); this file moves batches, requests and time in and out of it.
//!
//! Invariant: an event is settled when OpenSearch has said that its document is stored, or its dead
//! letter is kept; before that it is held by a batch here, whatever happens.

mod client;
mod doubt;
mod errand;
mod failure;
mod lane;
mod letters;
mod lookup;
mod moving;
mod outcome;
mod parcel;
mod report;
mod request;
mod response;
mod retry;
mod storm;
mod target;
mod template;

use std::sync::Arc;

pub(super) use self::letters::LetterIndex;
use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::client::Client;
use self::doubt::{CLOCKS_APART, Doubt};
use self::errand::{Errand, Learned};
use self::failure::status_label;
use self::lane::{Completion, Failure, Lane, Turn};
use self::lookup::Ask;
use self::moving::Writes;
use self::outcome::{Class, Refusal, classify};
use self::parcel::Parcel;
use self::report::{Rate, Reporter};
use self::request::Actions;
use self::response::Answer;
use super::lag::{Lag, now_micros};
use super::{Context, OpenSearchSettings, PART, PROGRESS_INTERVAL, SinkError};
use crate::blocking::blocking;
use crate::dead_letter::{DeadLetterError, Letter, Where};
use crate::handoff::{BatchLimits, Inbox, Item};
use crate::ledger::{Delivered, Tally};
use crate::metrics::SinkMetrics;
use crate::sink::Mode;

pub(super) async fn run<I: Inbox>(
    settings: &OpenSearchSettings,
    mut inbox: I,
    context: &Context,
) -> Result<(), SinkError> {
    let own = settings.clone();
    let client = Arc::new(blocking(move || Client::new(&own)).await?);
    for class in Class::LABELS {
        context.metrics.sink.items.with_label_values(&[class]);
    }
    for result in LOOKUPS {
        context.metrics.sink.lookups.with_label_values(&[result]);
    }
    let mut sender = Sender {
        lane: if context.dead_letters.is_replay() {
            Lane::new().of_dead_letters()
        } else {
            Lane::new()
        },
        actions: Actions::new(settings.index.clone(), settings.mode),
        settings: settings.clone(),
        writes: Writes::Unknown,
        doubt: Doubt::new(context.takeover.clone(), CLOCKS_APART),
        index: None,
        client: client.clone(),
        requests: JoinSet::new(),
        reporter: Reporter::new(context.health.clone()),
        dead_letter_rate: Rate::default(),
        lag: Lag::new(&context.metrics.sink.delivery_lag),
        context: context.clone(),
    };
    let (limits, _) = sender.send_what_may_be_sent(Instant::now());
    let mut first = None;
    let prepare = target::prepare(&client, settings, context);
    tokio::pin!(prepare);
    loop {
        tokio::select! {
            biased;
            () = context.shutdown.abort.cancelled() => return Ok(()),
            prepared = &mut prepare => {
                sender.writes = prepared?;
                break;
            }
            // If nothing ever comes, nothing needs an OpenSearch that is down.
            batch = fetch_next(&mut inbox, limits), if first.is_none() => match batch {
                Some(batch) => first = Some(batch),
                None => {
                    context.health.finished(PART);
                    return Ok(());
                }
            },
        }
    }
    if let Some(batch) = first {
        sender.admit(batch).await?;
    }
    sender.run(inbox).await
}

/// An errand that has ended.
struct Done {
    parcel: Parcel,
    reply: Result<Vec<Answer>, Failure>,
    learned: Learned,
    /// 401 or 403: perhaps the password was changed.
    is_unauthorized: bool,
}

struct Sender {
    lane: Lane,
    actions: Actions,
    settings: OpenSearchSettings,
    writes: Writes,
    doubt: Doubt,
    /// Where documents went last, where that may change.
    index: Option<String>,
    client: Arc<Client>,
    requests: JoinSet<Done>,
    reporter: Reporter,
    dead_letter_rate: Rate,
    lag: Lag,
    context: Context,
}

impl Sender {
    async fn run<I: Inbox>(mut self, mut inbox: I) -> Result<(), SinkError> {
        let mut ended = false;
        loop {
            self.context.health.progress(PART);
            let now = Instant::now();
            self.reporter.update(self.lane.trouble(), now);
            let (fetch, wake) = self.send_what_may_be_sent(now);
            if self.lane.is_done() {
                break;
            }
            let wake =
                wake.map_or(now + PROGRESS_INTERVAL, |wake| wake.min(now + PROGRESS_INTERVAL));
            tokio::select! {
                biased;
                () = self.context.shutdown.abort.cancelled() => break,
                Some(done) = self.requests.join_next() => match done {
                    Ok(done) => self.complete(done).await?,
                    // Requests are not cancelled while this runs: it panicked, and so do we.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                batch = fetch_next(&mut inbox, fetch), if !ended && fetch.is_some() => match batch {
                    Some(batch) => self.admit(batch).await?,
                    None => {
                        ended = true;
                        self.lane.end();
                    }
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        self.context.health.finished(PART);
        Ok(())
    }

    /// Answers how much more to take in, and when to look again at the latest.
    fn send_what_may_be_sent(&mut self, now: Instant) -> (Option<BatchLimits>, Option<Instant>) {
        loop {
            match self.lane.next(now) {
                Turn::Send(parcel) => self.send(parcel),
                Turn::Fetch(limits, wake) => return (Some(limits), wake),
                Turn::Wait(wake) => return (None, wake),
            }
        }
    }

    fn send(&mut self, parcel: Parcel) {
        let now = now_micros();
        self.doubt.restarted(self.context.keeper.tracker().rewinds(), now);
        let doubt = (self.writes == Writes::Move { look_up: true }).then_some(&self.doubt);
        let errand = Errand::new(parcel, self.actions.clone(), doubt, now);
        let errand = errand.telling_index(self.writes != Writes::Stay);
        self.requests.spawn(run_errand(
            errand,
            self.client.clone(),
            self.context.metrics.sink.clone(),
        ));
    }

    async fn complete(&mut self, done: Done) -> Result<(), SinkError> {
        if let Ok(answers) = &done.reply {
            self.count(answers);
            if answers.iter().filter_map(|answer| answer.error.as_ref()).any(moving::refuses_ids) {
                return Err(SinkError::Index(moving::no_ids(&self.actions.name())));
            }
        }
        self.learn(done.learned)?;
        if done.is_unauthorized {
            let client = self.client.clone();
            if let Err(error) = blocking(move || client.reread_password()).await {
                tracing::warn!("sink.password: {error}; going on with the one from before");
            }
        }
        let random = fastrand::f64();
        let completion = self.lane.completed(done.parcel, done.reply, Instant::now(), random);
        self.settle(completion).await
    }

    fn learn(&mut self, learned: Learned) -> Result<(), SinkError> {
        let count = |result, count| {
            self.context.metrics.sink.lookups.with_label_values(&[result]).inc_by(count);
        };
        count(LOOKUPS[0], learned.stored);
        count(LOOKUPS[1], learned.absent);
        let Some(index) = learned.index else { return Ok(()) };
        if self.writes == Writes::Unknown {
            let name = self.actions.name();
            self.writes =
                moving::found_out(&name, &index, (self.settings.mode, self.settings.duplicates))?;
        }
        let has_moved = self.index.as_ref().is_some_and(|before| *before != index);
        if has_moved && learned.created_in_doubt > 0 {
            count(LOOKUPS[2], learned.created_in_doubt);
            tracing::warn!(
                documents = learned.created_in_doubt,
                index,
                "the writes have moved to another index, in which documents are stored now that may have been on their way \
                 to the one before when they were looked up: such a document is there twice"
            );
        }
        self.index = Some(index);
        Ok(())
    }

    fn count(&self, answers: &[Answer]) {
        let mut counts = [0; Class::LABELS.len()];
        for answer in answers {
            counts[classify(answer.status, answer.error.as_ref()).number()] += 1;
        }
        for (label, count) in Class::LABELS.iter().zip(counts).filter(|(_, count)| *count > 0) {
            self.context.metrics.sink.items.with_label_values(&[label]).inc_by(count);
        }
    }

    async fn settle(&mut self, done: Completion) -> Result<(), SinkError> {
        let mut tally = Tally::default();
        tally.delivered(Delivered::Created, done.stored);
        let before = match self.settings.mode {
            Mode::History => Delivered::Duplicate,
            Mode::Latest => Delivered::Superseded,
        };
        tally.delivered(before, done.delivered.len() as u64 - done.stored);
        self.lag.acknowledged(done.delivered.iter(), now_micros());
        Item::settle_all(done.delivered, &tally);
        self.bury(done.dead).await
    }

    /// Takes new documents in; those that OpenSearch could never store are not even sent.
    async fn admit(&mut self, items: Vec<Item>) -> Result<(), SinkError> {
        let (mut dead, mut fit) = (Vec::new(), Vec::with_capacity(items.len()));
        for item in items {
            match self.actions.fault(&item) {
                Some(fault) => dead.push((item, fault, fault_text(fault).to_owned())),
                None => fit.push(item),
            }
        }
        if !fit.is_empty() {
            self.lane.admit(Parcel::from(fit));
        }
        self.bury(dead).await
    }

    /// Writes dead letters, and settles their events when they are kept.
    async fn bury(&mut self, dead: Vec<(Item, Refusal, String)>) -> Result<(), SinkError> {
        let Some((_, refusal, detail)) = dead.first() else { return Ok(()) };
        if let Some(silent) = self.dead_letter_rate.allow(dead.len() as u64, Instant::now()) {
            tracing::warn!(
                documents = dead.len(),
                since_last_logged = silent,
                reason = refusal.label(),
                "OpenSearch can never store some documents, and they go to the dead letters: {detail}"
            );
        }
        let letters = self.context.dead_letters.clone();
        let buried = blocking(move || {
            let sources: Vec<_> =
                dead.iter().map(|(item, ..)| item.documents().source(item.document())).collect();
            let all: Vec<_> =
                dead.iter().zip(&sources).map(|(dead, source)| letter(dead, source)).collect();
            letters.write_all(PART.name(), &all)?;
            let mut tally = Tally::default();
            all.iter().for_each(|letter| tally.dead_lettered(letters.reason(letter), 1));
            Item::settle_all(dead.into_iter().map(|(item, ..)| item).collect(), &tally);
            Ok::<(), DeadLetterError>(())
        });
        Ok(buried.await?)
    }
}

/// The labels of `weir_sink_lookups_total{result}`.
const LOOKUPS: [&str; 3] = ["stored", "absent", "moved"];

/// Carries an errand's requests.
async fn run_errand(mut errand: Errand, client: Arc<Client>, metrics: SinkMetrics) -> Done {
    let mut is_unauthorized = false;
    loop {
        if let Some(documents) = errand.documents() {
            metrics.request_documents.observe(documents as f64);
        }
        let Ask { method, path, content_type, body } = errand.ask();
        let host = client.host().to_owned();
        let timer = metrics.request_duration.start_timer();
        let answer = client.request(method, &path, content_type, body).await;
        timer.stop_and_record();
        metrics.requests.with_label_values(&[status_label(&answer)]).inc();
        if answer.as_ref().is_ok_and(|answer| answer.status.is_server_error()) {
            client.rotate(&host);
        }
        is_unauthorized |= matches!(&answer, Ok(answer)
            if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
        if let Some(reply) = errand.answered(answer, &host) {
            let (parcel, learned) = errand.finish(&reply);
            return Done { parcel, reply, learned, is_unauthorized };
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

fn letter<'a>(
    (item, refusal, detail): &'a (Item, Refusal, String),
    source: &'a [u8],
) -> Letter<'a> {
    Letter {
        place: Where::Sink,
        reason: refusal.label(),
        detail,
        source,
        document: Some(item.body()),
    }
}

fn fault_text(fault: Refusal) -> &'static str {
    match fault {
        Refusal::IdTooLong => "its _id would be longer than the 512 bytes that OpenSearch allows",
        _ => {
            "mode = \"latest\" needs metadata.uid and an integer metadata.resourceVersion, and it has not both"
        }
    }
}

#[cfg(test)]
mod scenarios;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;
