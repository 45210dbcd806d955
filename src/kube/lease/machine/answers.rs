//! What follows from each answer to a request.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::Term;
use super::super::failure::Failure;
use super::super::record::{self, Record};
use super::super::step::{Action, Lost, Moment, Note, Verb};
use super::super::timing::jittered;
use super::{Aim, Leading, Machine, State, seen_mark};

impl Machine {
    /// Keeps what the Lease is now.
    fn observe(&mut self, now: Instant, record: Record) {
        if let Some((before, since)) = &mut self.seen {
            if before.holder() != record.holder() {
                self.notes.push(Note::HolderChanged);
            }
            if record.is_renewal_of(before) {
                *since = now;
            }
            *before = record;
        } else {
            self.seen = Some((record, now));
        }
    }

    pub(super) fn found(&mut self, moment: &Moment, object: Value) -> Action {
        let Some(record) = Record::parse(object) else {
            return self.failed(
                moment,
                Failure::protocol("the answer is not a Lease with a resourceVersion"),
            );
        };
        self.observe(moment.now, record);
        let Some((seen, _)) = &self.seen else { return self.ask(moment.now) };
        if self.leading.is_some() {
            if seen.holder() == self.identity {
                return self.go_on_leading(moment);
            }
            let holder = seen.holder().to_owned();
            // Nobody's, while it is being given up: that write was done, and its answer lost.
            let given_up = holder.is_empty() && self.release_by.is_some();
            self.lose(if given_up { Lost::Released } else { Lost::Taken(holder) });
        }
        if self.release_by.is_some() {
            return self.end();
        }
        let Some((seen, since)) = &self.seen else { return self.ask(moment.now) };
        if !seen.is_weirs() && seen.holder() != self.identity {
            let holder = seen.holder().to_owned();
            self.failures += 1;
            self.notes.push(Note::Foreign(holder));
            return self.wait(moment, self.timing.retry, false);
        }
        if self.is_held(seen, *since, moment.now) {
            return self.look_later(moment);
        }
        let object = seen.taken(&self.identity, self.timing.duration, moment.wall);
        self.write(moment, Aim::Take, Action::Update(object))
    }

    /// Whether somebody else holds it, as far as this process has seen.
    fn is_held(&self, seen: &Record, since: Instant, now: Instant) -> bool {
        let duration = seen.duration().unwrap_or(self.timing.duration);
        let is_anothers = !seen.holder().is_empty() && seen.holder() != self.identity;
        is_anothers && now.saturating_duration_since(since) < duration
    }

    /// Follows, until it is time to look again.
    fn look_later(&mut self, moment: &Moment) -> Action {
        self.failures = 0;
        let expiry = self.seen.as_ref().filter(|(seen, _)| !seen.holder().is_empty()).map(
            |(seen, since)| {
                (*since + seen.duration().unwrap_or(self.timing.duration))
                    .saturating_duration_since(moment.now)
            },
        );
        let look = jittered(self.timing.retry, moment.random);
        // An expiry that is over means that it is nobody's: look at once, but never without a
        // pause.
        self.wait_for(moment.now, expiry.map_or(look, |left| left.min(look)), false)
    }

    pub(super) fn absent(&mut self, moment: &Moment) -> Action {
        if self.leading.is_none()
            && let Some((seen, since)) = &self.seen
            && self.is_held(seen, *since, moment.now)
        {
            // Its holder does not know yet that it is gone, and will make it again.
            return self.look_later(moment);
        }
        // What is not there any more had a mark: an older mark is a true one too.
        let mark = self.mark(moment).or_else(|| Some(seen_mark(&self.seen)?.to_owned()));
        let aim = match (&self.leading, self.release_by) {
            (None, _) => Aim::Take,
            (Some(_), None) => Aim::Renew,
            (Some(_), Some(_)) => Aim::Release,
        };
        let (identity, duration) = match aim {
            Aim::Release => ("", Duration::from_secs(1)),
            Aim::Take | Aim::Renew => (self.identity.as_str(), self.timing.duration),
        };
        let object = record::new(&self.lease, identity, duration, moment.wall, mark.as_deref());
        self.write(moment, aim, Action::Create(object))
    }

    pub(super) fn written(&mut self, moment: &Moment, object: Value) -> Action {
        let State::Writing { sent, aim, .. } = self.state else { return Action::Wait };
        let Some(record) = Record::parse(object) else {
            return self.failed(
                moment,
                Failure::protocol("the answer is not a Lease with a resourceVersion"),
            );
        };
        let holder = if aim == Aim::Release { "" } else { self.identity.as_str() };
        if record.holder() != holder {
            // Whose it is must be seen before anything follows from it.
            let why = "the answer to a write has another holder than was written: is there a \
                       webhook that changes Leases, or a proxy before the API server?";
            return self.failed(moment, Failure::protocol(why));
        }
        self.notes.push(Note::Written);
        self.failures = 0;
        self.observe(moment.now, record);
        match (aim, &mut self.leading) {
            (Aim::Release, _) => {
                self.lose(Lost::Released);
                self.state = State::Ended;
                Action::End
            }
            // The answer was so long in coming that the term is over: whose the Lease is now must
            // be seen.
            (Aim::Renew, None) => self.ask(moment.now),
            (Aim::Take, _) if sent + self.timing.renew_deadline <= moment.now => {
                self.ask(moment.now)
            }
            (Aim::Take, _) => {
                self.terms += 1;
                let found = seen_mark(&self.seen).map(str::to_owned);
                self.leading = Some(Leading { term: Term(self.terms), found, renewed: sent });
                self.notes.push(Note::Leading);
                self.renew_later(moment, sent)
            }
            (Aim::Renew, Some(leading)) => {
                leading.renewed = sent;
                self.renew_later(moment, sent)
            }
        }
    }

    pub(super) fn conflict(&mut self, moment: &Moment) -> Action {
        self.notes.push(Note::Conflict);
        self.failures += 1;
        // Once, at once: most often it was this process' own write, of which the answer was lost.
        if self.failures == 1 {
            return self.ask(moment.now);
        }
        self.wait(moment, self.timing.retry, false)
    }

    pub(super) fn failed(&mut self, moment: &Moment, failure: Failure) -> Action {
        let verb = match self.state {
            State::Asking { .. } => Verb::Get,
            State::Writing { anew: true, .. } => Verb::Create,
            State::Writing { .. } => Verb::Update,
            State::Waiting { .. } | State::Ended => return Action::Wait,
        };
        self.failures += 1;
        self.notes.push(Note::Failed { verb, failure, failures: self.failures });
        // A leader has until its deadline; others have no hurry.
        let wait =
            self.timing.retry * if self.leading.is_some() { 1 } else { self.failures.min(2) };
        self.wait(moment, wait, false)
    }
}
