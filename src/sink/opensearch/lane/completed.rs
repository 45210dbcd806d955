//! What to do with what came back: settle, dead-letter, or try again, and whether the target takes
//! anything.

use tokio::time::Instant;

use super::super::outcome::{Class, Pressure, Refusal, classify};
use super::super::parcel::{Entry, Parcel};
use super::super::response::Answer;
use super::super::retry::backoff;
use super::{Completion, Failure, Gate, Lane, SERVER_ERROR_FOR, Trouble};
use crate::handoff::Item;

impl Lane {
    /// A request has ended. `random` is in 0..1.
    pub(in crate::sink::opensearch) fn completed(
        &mut self,
        parcel: Parcel,
        reply: Result<Vec<Answer>, Failure>,
        now: Instant,
        random: f64,
    ) -> Completion {
        self.in_flight -= 1;
        let mut done = Completion::default();
        match reply {
            Ok(answers) => self.answered(parcel, answers, &mut done, now, random),
            Err(failure) => self.failed(parcel, failure, &mut done, now, random),
        }
        done
    }

    fn failed(
        &mut self,
        mut parcel: Parcel,
        failure: Failure,
        done: &mut Completion,
        now: Instant,
        random: f64,
    ) {
        if let Failure::Rejected(refusal, detail) = failure {
            return self.rejected(parcel, refusal, detail, done, now, random);
        }
        for entry in &mut parcel.entries {
            // It was not the document's fault this time.
            entry.failing_since = None;
            entry.is_open |= !matches!(failure, Failure::TooMany(_));
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
        sorted
            .documents
            .extend(parcel.entries.drain(..).map(|entry| (entry, refusal, detail.clone())));
        self.conclude(parcel, sorted, done, now, random);
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
            self.stored_on(&done.delivered, now);
        }
        if sorted.too_many {
            self.window.pressed();
        } else if !done.delivered.is_empty() {
            self.window.eased();
            self.size.fine(sent);
        }
        self.conclude(parcel, sorted, done, now, random);
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
                if kind == Pressure::Server {
                    // A shard that did not answer in time may have stored it all the same.
                    entry.is_open = true;
                }
                if self.is_poison(&mut entry, kind, now) {
                    // Like any refusal it is only believed while others are stored.
                    sorted.documents.push((entry, Refusal::ServerError, detail()));
                } else {
                    sorted.pressure(entry, || format!("{} {}", answer.status, detail()));
                }
            }
        }
    }

    /// Whether a document has answered 5xx for so long, while others of its day were stored, and so
    /// of its index, that it is the cause.
    fn is_poison(&self, entry: &mut Entry, kind: Pressure, now: Instant) -> bool {
        if kind == Pressure::TooMany {
            entry.failing_since = None;
            return false;
        }
        let since = *entry.failing_since.get_or_insert(now);
        let stored = self.stored_days.get(&day_of(&entry.item));
        now - since >= SERVER_ERROR_FOR && stored.is_some_and(|stored| *stored > since)
    }

    fn stored_on(&mut self, delivered: &[Item], now: Instant) {
        let mut last = None;
        for item in delivered {
            let day = day_of(item);
            if last.replace(day) != Some(day) {
                self.stored_days.insert(day, now);
            }
        }
        // As long as anybody may ask.
        self.stored_days.retain(|_, stored| now - *stored <= 2 * SERVER_ERROR_FOR);
    }

    /// Decides over what was not stored, and over the gate.
    fn conclude(
        &mut self,
        parcel: Parcel,
        mut sorted: Sorted,
        done: &mut Completion,
        now: Instant,
        random: f64,
    ) {
        let delivered = done.delivered.len() as u64;
        let refused = sorted.documents.len() as u64;
        if self.storm.believes(delivered, refused, now) {
            let dead =
                sorted.documents.drain(..).map(|(entry, why, detail)| (entry.item, why, detail));
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
        let tells = parcel.attempt == 0 || parcel.is_probe;
        if delivered > 0 || !done.dead.is_empty() {
            self.open(parcel.is_probe, delivered > 0);
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
            let again = Parcel {
                is_probe: parcel.is_probe,
                refused,
                due,
                attempt: parcel.attempt + 1,
                ..Parcel::new(entries)
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

    fn open(&mut self, by_probe: bool, is_stored: bool) {
        if !by_probe {
            self.closed_in_a_row = 0;
        } else if is_stored {
            // A probe that became a dead letter says nothing: it may be of a mistake that paused
            // for another reason.
            self.storm.over();
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

/// The day (UTC) that decides over a document's index, since 1970.
fn day_of(item: &Item) -> i64 {
    item.document().index_time.div_euclid(DAY_MICROS)
}

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
