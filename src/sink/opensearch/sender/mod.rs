//! What the sink does with each batch, answer and dead letter. Pure: time, randomness and answers
//! come in; attempts to carry out, limits on what to fetch, documents to dead-letter, and what to
//! count and log go out. Production drives it over HTTP ([`run`](super::run)), the simulator over a
//! network of its own (`simulated.rs`).
//!
//! Invariant: an event is settled in two places, both here: when OpenSearch has said that its
//! document is stored ([`Sender::ended`]), and when its dead letter is durable ([`Sender::kept`]).

use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, Ended, Learned, LookUp};
use super::batch::{Batch, Entry};
use super::in_doubt::InDoubt;
use super::in_flight::InFlight;
use super::request::Actions;
use super::scheduler::{Completion, Dead, Scheduler, Turn};
use super::write_target::{self, Known, WriteTarget, Writing};
use crate::event::Micros;
use crate::handoff::{BatchLimits, Item, Takeover};
use crate::ledger::{Delivered, Ledger, Tally};
use crate::opensearch::{Answer, Class, Refusal, Unavailable, classify};
use crate::sink::PART;
use crate::sink::error::SinkError;
use crate::sink::lag;
use crate::sink::settings::{Duplicates, IndexPattern, Mode};

/// Now, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    /// In µs since the epoch.
    pub(crate) micros: Micros,
}

/// What to do now.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one a batch, moved to its task at once: no box")]
pub(crate) enum Next {
    /// Carry its requests until it has ended, and tell [`Sender::ended`].
    Send(Attempt),
    /// Take in at most this much more; look again at the time.
    Fetch(BatchLimits, Option<Instant>),
    /// Nothing but wait, for an answer or until the time.
    Wait(Option<Instant>),
    /// Everything has its outcome, and no more will come.
    Done,
}

/// What follows from the end of an attempt.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// How long each delivered event took from its time to now, in µs.
    pub(crate) lags: Vec<Micros>,
    /// What to log.
    pub(crate) notices: Vec<Notice>,
    /// What to write among the dead letters, and then to hand to [`Sender::kept`].
    pub(crate) dead: Vec<Dead>,
    /// The password was refused: it is to be read again.
    pub(crate) is_unauthorized: bool,
}

/// What to add to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Answers to items, in the order of [`Class::LABELS`].
    pub(crate) items: [u64; Class::LABELS.len()],
    /// Documents that were looked up and found.
    pub(crate) stored: u64,
    /// Documents that were looked up and not found.
    pub(crate) absent: u64,
    /// Of them, those that were stored in another index than the documents before them.
    pub(crate) moved: u64,
}

/// Something that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The first stored document told where writes go.
    FoundOut(WriteTarget, String),
    /// Writes have moved on, and documents may be stored twice.
    Moved { documents: u64, index: String },
}

/// How documents are addressed and written.
#[derive(Clone, Debug)]
pub(crate) struct SenderSettings {
    pub(crate) pattern: IndexPattern,
    pub(crate) writing: Writing,
    /// Whether the documents come from dead letters.
    pub(crate) is_replay: bool,
    /// How far the API server's clock may be from ours.
    pub(crate) clocks_apart: Duration,
}

/// The sink into one OpenSearch.
#[derive(Debug)]
pub(crate) struct Sender {
    scheduler: Scheduler,
    actions: Actions,
    writing: Writing,
    ledger: Ledger,
    in_doubt: InDoubt,
    in_flight: InFlight,
    /// `None` before it is known.
    target: Option<WriteTarget>,
    /// Where documents went last, where that may change.
    index: Option<String>,
    /// Before the target is known one batch is taken in, and no more.
    has_admitted: bool,
    has_ended: bool,
}

impl Sender {
    pub(crate) fn new(settings: SenderSettings, ledger: &Ledger, takeover: Takeover) -> Sender {
        let scheduler = Scheduler::new(settings.pattern.date);
        Sender {
            scheduler: if settings.is_replay { scheduler.of_dead_letters() } else { scheduler },
            actions: Actions::new(settings.pattern, settings.writing.mode),
            writing: settings.writing,
            ledger: ledger.clone(),
            in_doubt: InDoubt::new(takeover, settings.clocks_apart),
            in_flight: InFlight::default(),
            target: None,
            index: None,
            has_admitted: false,
            has_ended: false,
        }
    }

    /// Documents may be sent, to a target of which this is known.
    pub(crate) fn prepared(&mut self, known: Known) {
        self.set_target(known.target);
        self.index = known.index;
    }

    fn set_target(&mut self, target: WriteTarget) {
        // Elsewhere an id keeps a document out that is there already.
        self.scheduler.may_resend(target == WriteTarget::Fixed);
        self.target = Some(target);
    }

    /// Whether documents may be sent.
    pub(crate) fn is_prepared(&self) -> bool {
        self.target.is_some()
    }

    /// Why nothing, or not everything, is taken.
    pub(crate) fn unavailable(&self) -> Option<Unavailable> {
        self.scheduler.unavailable()
    }

    /// The source's marks have been rewound `rewinds` times.
    pub(crate) fn next(&mut self, now: Moment, rewinds: u64) -> Next {
        let Some(target) = self.target else { return self.next_before_prepared() };
        loop {
            if self.scheduler.is_done() {
                return Next::Done;
            }
            if target == WriteTarget::Unknown && self.scheduler.is_sending() {
                // Its answer may tell, and then what else is sent must be looked up.
                return Next::Wait(None);
            }
            match self.scheduler.next(now.instant) {
                Turn::Send(batch) => {
                    self.in_doubt.rewound(rewinds, now.micros);
                    if let Some(attempt) = self.depart(batch, target, now.micros) {
                        return Next::Send(attempt);
                    }
                }
                Turn::Fetch(limits, wake) if !self.has_ended => return Next::Fetch(limits, wake),
                Turn::Fetch(_, wake) | Turn::Wait(wake) => return Next::Wait(wake),
            }
        }
    }

    /// If nothing ever comes, nothing needs an OpenSearch that is down.
    fn next_before_prepared(&self) -> Next {
        match (self.has_admitted, self.has_ended) {
            (true, _) => Next::Wait(None),
            (false, true) => Next::Done,
            (false, false) => Next::Fetch(self.scheduler.limits_at_start(), None),
        }
    }

    fn depart(&mut self, mut batch: Batch, target: WriteTarget, now: Micros) -> Option<Attempt> {
        let look_up = self.look_up(target);
        if look_up != LookUp::Never {
            let id = |entry: &Entry| self.actions.id(&entry.item);
            let mut waiting = self.in_flight.depart(&mut batch, id);
            if !waiting.is_empty() {
                // Its twin may be stored by then.
                waiting.iter_mut().for_each(|entry| entry.is_in_doubt = true);
                let is_all = batch.entries.is_empty();
                self.scheduler.hold_back(batch.with(waiting), is_all);
                if is_all {
                    return None;
                }
            }
        }
        let in_doubt = (&self.in_doubt, look_up);
        let tells_index = target != WriteTarget::Fixed;
        Some(Attempt::new(batch, self.actions.clone(), in_doubt, tells_index, now))
    }

    fn look_up(&self, target: WriteTarget) -> LookUp {
        match (target, self.writing) {
            (WriteTarget::Moves { look_up: true }, _) => LookUp::Always,
            (
                WriteTarget::Unknown,
                Writing { mode: Mode::History, duplicates: Duplicates::Forbid, can_refresh: true },
            ) => LookUp::IfAllowed,
            _ => LookUp::Never,
        }
    }

    /// Takes new documents in. Answers those that OpenSearch could never store: they are not even
    /// sent, but are to be written among the dead letters, and then handed to [`Sender::kept`].
    #[must_use]
    pub(crate) fn admit(&mut self, items: Vec<Item>) -> Vec<Dead> {
        let (mut dead, mut fit) = (Vec::new(), Vec::with_capacity(items.len()));
        for item in items {
            match self.actions.refusal(&item) {
                Some(refusal) => {
                    dead.push(Dead { item, refusal, detail: unaddressable(refusal).to_owned() });
                }
                None => fit.push(item),
            }
        }
        if !fit.is_empty() {
            self.has_admitted = true;
            self.scheduler.admit(Batch::from(fit));
        }
        dead
    }

    /// No more documents will come.
    pub(crate) fn inbox_ended(&mut self) {
        self.has_ended = true;
        self.scheduler.end();
    }

    /// An attempt has ended: settles what is stored.
    ///
    /// # Errors
    ///
    /// When documents cannot be stored there as configured; nothing of the attempt is settled.
    pub(crate) fn ended(
        &mut self,
        ended: Ended,
        now: Moment,
        random: u64,
    ) -> Result<Outcome, SinkError> {
        let Ended { batch, reply, learned, is_unauthorized } = ended;
        let mut outcome = Outcome { is_unauthorized, ..Outcome::default() };
        if let Ok(answers) = &reply {
            self.count(answers.iter().flatten(), &mut outcome.counts)?;
        }
        self.learn(learned, &mut outcome)?;
        self.in_flight.arrive(&batch, |entry| self.actions.id(&entry.item));
        let completion = self.scheduler.completed(batch, reply, now.instant, random);
        self.settle(completion, now.micros, &mut outcome);
        Ok(outcome)
    }

    fn count<'a>(
        &self,
        answers: impl Iterator<Item = &'a Answer>,
        counts: &mut Counts,
    ) -> Result<(), SinkError> {
        for Answer { status, error } in answers {
            if error.as_ref().is_some_and(write_target::refuses_ids) {
                return Err(write_target::no_ids(&self.actions.name()));
            }
            counts.items[classify(*status, error.as_ref()).number()] += 1;
        }
        Ok(())
    }

    fn learn(&mut self, learned: Learned, outcome: &mut Outcome) -> Result<(), SinkError> {
        (outcome.counts.stored, outcome.counts.absent) = (learned.stored, learned.absent);
        let Some(index) = learned.index else { return Ok(()) };
        if self.target == Some(WriteTarget::Unknown) {
            let target = write_target::found_out(&self.actions.name(), &index, self.writing)?;
            outcome.notices.push(Notice::FoundOut(target, index.clone()));
            self.set_target(target);
        }
        let has_moved = self.index.as_ref().is_some_and(|before| *before != index);
        if has_moved && learned.created_in_doubt > 0 {
            let documents = learned.created_in_doubt;
            outcome.counts.moved = documents;
            outcome.notices.push(Notice::Moved { documents, index: index.clone() });
        }
        self.index = Some(index);
        Ok(())
    }

    fn settle(&mut self, completion: Completion, now: Micros, outcome: &mut Outcome) {
        let Completion { delivered, stored, dead } = completion;
        let mut tally = Tally::default();
        tally.delivered(Delivered::Created, stored);
        let before = match self.writing.mode {
            Mode::History => Delivered::Duplicate,
            Mode::Latest => Delivered::Superseded,
        };
        tally.delivered(before, delivered.len() as u64 - stored);
        outcome.lags = delivered.iter().filter_map(|item| lag::of(item, now)).collect();
        Item::settle_all(delivered, &tally);
        outcome.dead = dead;
    }

    /// The letters of these documents are durable.
    pub(crate) fn kept(&mut self, dead: Vec<Dead>) {
        let mut tally = Tally::default();
        for Dead { refusal, .. } in &dead {
            tally.dead_lettered(self.ledger.dead_letter_reason(PART.name(), refusal.label()), 1);
        }
        Item::settle_all(dead.into_iter().map(|dead| dead.item).collect(), &tally);
    }
}

/// Why a document cannot even be sent, for people.
fn unaddressable(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::IdTooLong => "its _id would be longer than the 512 bytes that OpenSearch allows",
        _ => {
            "mode = \"latest\" needs metadata.uid and an integer metadata.resourceVersion, and it \
             lacks one of them"
        }
    }
}

#[cfg(test)]
mod tests;
