//! What to do with what came back: settle, dead-letter, or try again, and whether the target takes
//! anything.

use tokio::time::Instant;

use super::super::batch::{Batch, Entry};
use super::super::mass_rejection::Refused;
use super::super::suspicion::Suspicion;
use super::{Completion, Dead, FAILING_FOR, Gate, Scheduler};
use crate::handoff::Item;
use crate::opensearch::{
    Answer, BACKOFF, Class, Pressure, Refusal, RequestError, Unavailable, classify,
};

impl Scheduler {
    /// An attempt has ended, with one answer for each document; `None` for one that was there, and
    /// was not sent.
    pub(in crate::sink::opensearch) fn completed(
        &mut self,
        batch: Batch,
        reply: Result<Vec<Option<Answer>>, RequestError>,
        now: Instant,
        random: u64,
    ) -> Completion {
        self.in_flight -= 1;
        self.waiting.extend(self.held_back.drain(..));
        let mut done = Completion::default();
        self.note_pass(&batch, &reply);
        if batch.is_witness {
            self.is_witness_sent = false;
            self.witness_ended(&batch, reply, now, random);
            return done;
        }
        match reply {
            Ok(answers) => self.answered(batch, answers, &mut done, now, random),
            Err(error) => self.failed(batch, error, &mut done, now, random),
        }
        done
    }

    fn failed(
        &mut self,
        mut batch: Batch,
        error: RequestError,
        done: &mut Completion,
        now: Instant,
        random: u64,
    ) {
        if let RequestError::Rejected(refusal, detail) = error {
            return self.rejected(batch, refusal, detail, done, now, random);
        }
        for entry in &mut batch.entries {
            // It was not the document's fault this time.
            entry.failing_since = None;
            entry.is_in_doubt |= !matches!(error, RequestError::TooMany(_));
        }
        if matches!(error, RequestError::Timeout(_) | RequestError::TooMany(_)) {
            self.window.pressed();
            if batch.entries.len() > 1 {
                self.size.too_much(batch.bytes());
            }
        }
        self.wait_again(batch);
        self.close(error.into_unavailable(), now, random);
    }

    /// 413 or 400 for the whole request: halves until the culprit is alone, and holds it until it
    /// is known to be one.
    fn rejected(
        &mut self,
        mut batch: Batch,
        refusal: Refusal,
        detail: String,
        done: &mut Completion,
        now: Instant,
        random: u64,
    ) {
        for entry in &mut batch.entries {
            entry.suspicion.get_or_insert_with(|| Box::new(Suspicion::new(now)));
        }
        if batch.entries.len() > 1 {
            if refusal == Refusal::TooLarge {
                self.size.too_much(batch.bytes());
            }
            let half = batch.split_front(batch.entries.len() / 2);
            self.waiting.push_front(batch);
            self.waiting.push_front(half);
            return;
        }
        let (form, bytes) = (batch.form.clone(), batch.bytes());
        let suspicion = batch.entries.first_mut().and_then(|entry| entry.suspicion.as_deref_mut());
        let is_proven = suspicion.is_some_and(|suspicion| {
            suspicion.refused_alone(refusal, (form, bytes), &self.passes, now)
        });
        if !is_proven && !self.mass_rejection.is_trusting() {
            return self.suspected(batch, &detail, now, random);
        }
        let mut sorted = Sorted::default();
        sorted
            .documents
            .extend(batch.entries.drain(..).map(|entry| (entry, refusal, detail.clone())));
        self.conclude(batch, sorted, done, now, random);
    }

    /// It may be the document, or what stands on the way: the document is held, and tried again.
    fn suspected(&mut self, mut batch: Batch, detail: &str, now: Instant, random: u64) {
        let suspicion = batch.entries.first().and_then(|entry| entry.suspicion.as_deref());
        if suspicion.is_some_and(|suspicion| suspicion.is_everybodys(&self.passes)) {
            let why = format!(
                "{detail}; requests are refused as a whole, and while none passes no document is \
                 blamed for it"
            );
            self.wait_again(batch);
            return self.close(Unavailable::Refused(why), now, random);
        }
        // Others pass.
        self.open(batch.is_probe, false);
        batch.is_probe = false;
        batch.failures += 1;
        batch.due = Some(now + BACKOFF.wait(batch.failures, random));
        batch.refused = Some(format!(
            "{detail}; this document is held until it is certain that it is to blame"
        ));
        self.waiting.push_back(batch);
    }

    /// A request that was not refused as a whole speaks for all like it.
    fn note_pass(&mut self, batch: &Batch, reply: &Result<Vec<Option<Answer>>, RequestError>) {
        let Ok(answers) = reply else { return };
        if let Some(sent) = batch.sent
            && answers.iter().any(Option::is_some)
        {
            self.passes.passed(batch.form.as_ref(), batch.bytes(), sent);
        }
    }

    fn witness_ended(
        &mut self,
        batch: &Batch,
        reply: Result<Vec<Option<Answer>>, RequestError>,
        now: Instant,
        random: u64,
    ) {
        match reply {
            Ok(_) => self.open(batch.is_probe, false),
            Err(error) => {
                if matches!(error, RequestError::Rejected(..)) {
                    self.passes.acquit(now);
                }
                self.close(error.into_unavailable(), now, random);
            }
        }
    }

    fn answered(
        &mut self,
        mut batch: Batch,
        answers: Vec<Option<Answer>>,
        done: &mut Completion,
        now: Instant,
        random: u64,
    ) {
        let sent = batch.bytes();
        let mut sorted = Sorted::default();
        let mut found = Vec::new();
        for (mut entry, answer) in batch.entries.drain(..).zip(answers) {
            if answer.is_some() && entry.suspicion.take().is_some_and(|it| it.is_alone()) {
                self.passes.acquit(now);
            }
            match answer {
                Some(answer) => self.sort(entry, &answer, &mut sorted, done, now),
                // It says nothing about what the target takes now.
                None => found.push(entry.item),
            }
        }
        sorted.stored = done.delivered.len() as u64;
        if sorted.stored > 0 {
            self.passes.stored(batch.form.as_ref(), &done.delivered, now);
            self.note_stored(&done.delivered, now);
        }
        done.delivered.append(&mut found);
        if sorted.too_many {
            self.window.pressed();
        } else if !done.delivered.is_empty() {
            self.window.eased();
            self.size.fine(sent);
        }
        self.conclude(batch, sorted, done, now, random);
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
            Class::Target => {
                entry.failing_since = None;
                sorted.target(entry, || format!("{} {}", answer.status, detail()));
            }
            Class::Unlisted => {
                // Whatever is no refusal may have stored it all the same.
                entry.is_in_doubt |= !(400..=499).contains(&answer.status);
                let why = || format!("{} {}", answer.status, detail());
                if self.is_poison(&mut entry, now) {
                    sorted.documents.push((entry, Refusal::UnknownError, why()));
                } else {
                    sorted.target(entry, why);
                }
            }
            Class::Pressure(kind) => {
                sorted.too_many |= kind == Pressure::TooMany;
                let is_poison = match kind {
                    Pressure::TooMany => {
                        entry.failing_since = None;
                        false
                    }
                    Pressure::Server => {
                        // A shard that did not answer in time may have stored it all the same.
                        entry.is_in_doubt = true;
                        self.is_poison(&mut entry, now)
                    }
                };
                if is_poison {
                    // Like any refusal it is only believed while others are stored.
                    sorted.documents.push((entry, Refusal::ServerError, detail()));
                } else {
                    sorted.pressure(entry, || format!("{} {}", answer.status, detail()));
                }
            }
        }
    }

    /// Whether a document has failed for so long, while others of its index were stored, that it
    /// must be the cause.
    fn is_poison(&self, entry: &mut Entry, now: Instant) -> bool {
        let since = *entry.failing_since.get_or_insert(now);
        let stored = self.stored_in.get(&self.period(&entry.item));
        now - since >= FAILING_FOR && stored.is_some_and(|stored| *stored > since)
    }

    fn note_stored(&mut self, delivered: &[Item], now: Instant) {
        let mut last = None;
        for item in delivered {
            let period = self.period(item);
            if last.replace(period) != Some(period) {
                self.stored_in.insert(period, now);
            }
        }
        // As long as anybody may ask.
        self.stored_in.retain(|_, stored| now - *stored <= 2 * FAILING_FOR);
    }

    /// What tells a document's index from the others.
    fn period(&self, item: &Item) -> i64 {
        self.date.map_or(0, |date| date.period(item.document().index_time))
    }

    /// Decides over what was not stored, and over the gate.
    fn conclude(
        &mut self,
        batch: Batch,
        mut sorted: Sorted,
        done: &mut Completion,
        now: Instant,
        random: u64,
    ) {
        let sent = batch.sent.unwrap_or(now);
        let mut counted = 0;
        for (entry, ..) in &mut sorted.documents {
            counted += u64::from(self.mass_rejection.counts(&mut entry.counted, now));
        }
        let refused = Refused { all: sorted.documents.len() as u64, counted };
        if self.mass_rejection.believes(sorted.stored, refused, sent, now) {
            let dead = sorted.documents.drain(..).map(|(entry, refusal, detail)| Dead {
                item: entry.item,
                refusal,
                detail,
            });
            done.dead.extend(dead);
        } else {
            for (entry, _, detail) in std::mem::take(&mut sorted.documents) {
                sorted.target(entry, || {
                    format!("it refuses too many documents for their content: {detail}")
                });
            }
        }
        // What was refused before while others were stored says nothing about the target when it is
        // refused again.
        let tells = batch.failures == 0 || batch.is_probe;
        if !done.delivered.is_empty() || !done.dead.is_empty() {
            self.open(batch.is_probe, sorted.stored > 0);
        } else if !tells {
            // It waits on its own.
        } else if let Some(why) = sorted.target_why.clone() {
            self.close(Unavailable::Refused(why), now, random);
        } else if let Some(why) = sorted.pressure_why {
            self.close(Unavailable::Outage(why), now, random);
        }
        let due = Some(now + BACKOFF.wait(batch.failures + 1, random));
        for (entries, refused) in [(sorted.pressure, None), (sorted.target, sorted.target_why)] {
            if entries.is_empty() {
                continue;
            }
            let again = Batch {
                is_probe: batch.is_probe,
                refused,
                due,
                failures: batch.failures + 1,
                ..Batch::new(entries)
            };
            self.wait_again(again);
        }
    }

    fn wait_again(&mut self, mut batch: Batch) {
        if std::mem::take(&mut batch.is_probe)
            && let Some(last) = self.waiting.back_mut()
        {
            // Else a long outage would leave as many batches of one document as there were probes.
            return last.append(batch);
        }
        self.waiting.push_back(batch);
    }

    fn open(&mut self, by_probe: bool, is_stored: bool) {
        if !by_probe {
            self.closed_in_a_row = 0;
        } else if is_stored {
            // A probe that became a dead letter says nothing: it may be of a mistake that paused
            // for another reason.
            self.mass_rejection.over();
        }
        self.gate = Gate::Open;
    }

    fn close(&mut self, why: Unavailable, now: Instant, random: u64) {
        // Of several requests in flight that fail together, the first one counts.
        let until = match self.gate {
            Gate::Closed { until, .. } if until > now => until,
            _ => {
                self.closed_in_a_row += 1;
                now + BACKOFF.wait(self.closed_in_a_row, random)
            }
        };
        self.gate = Gate::Closed { why, until };
    }
}

/// The documents of one answer, by what to do with them.
#[derive(Debug, Default)]
struct Sorted {
    /// How many documents were stored, by this request or one before it.
    stored: u64,
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
