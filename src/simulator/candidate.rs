//! One process's candidate for the Lease: carries the production machine's requests to the API
//! server and the answers back, as its runner does.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::{Clock, NEVER, Time, wall};
use super::leases::{Answer, Asked, Mark};
use super::position_file::Epochs;
use super::shared::Shared;
use crate::kube::lease::machine::Machine;
use crate::kube::lease::step::{Action, Input, LeaseName, Moment};
use crate::kube::lease::{Leadership, Term};

/// A candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    machine: Machine,
    life: u32,
    /// Requests that there were.
    requests: u64,
    /// The one whose answer is waited for.
    waits_for: Option<u64>,
    /// Of the mark in the Lease as it was seen last.
    epochs: Epochs,
    epochs_found: Epochs,
    is_releasing: bool,
    is_ended: bool,
    random: fastrand::Rng,
}

impl Candidate {
    pub(super) fn new(
        life: u32,
        identity: String,
        duration: Time,
        (clock, now): (Clock, Time),
        random: fastrand::Rng,
    ) -> Candidate {
        let lease = LeaseName { namespace: "weir".into(), name: "p".into() };
        let machine = Machine::new(lease, identity, Duration::from_micros(duration), clock.at(now));
        Candidate {
            machine,
            life,
            requests: 0,
            waits_for: None,
            epochs: Epochs::new(),
            epochs_found: Epochs::new(),
            is_releasing: false,
            is_ended: false,
            random,
        }
    }

    /// When it has something to do whatever comes.
    pub(super) fn due(&self, clock: Clock) -> Time {
        if self.is_ended { NEVER } else { clock.time_of(self.machine.deadline()) }
    }

    /// The term, while it leads.
    pub(super) fn term(&self) -> Option<Term> {
        self.machine.term()
    }

    /// Who leads; of this process, how much time is left of that, unless the Lease is renewed.
    pub(super) fn leadership(&self, clock: Clock, now: Time) -> (Leadership, Option<Duration>) {
        let end = self.machine.term_end();
        (self.machine.leadership(), end.map(|end| end.saturating_duration_since(clock.at(now))))
    }

    /// Of which lives of the API server the mark is that was found when it began to lead.
    pub(super) fn epochs_found(&self) -> &Epochs {
        &self.epochs_found
    }

    /// Whether it would renew the Lease before its time.
    pub(super) fn may_renew(&self) -> bool {
        self.machine.may_renew()
    }

    /// Whether it has given the Lease up, or given that up.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether it was told to.
    pub(super) fn is_releasing(&self) -> bool {
        self.is_releasing
    }

    /// Takes one input; `mark` is that of its term.
    pub(super) fn handle(
        &mut self,
        input: Input,
        mark: Option<Mark>,
        is_cut: bool,
        shared: &mut Shared,
    ) {
        self.is_releasing |= matches!(input, Input::Release);
        let (text, epochs) = mark.unzip();
        let moment = Moment {
            now: shared.clock.at(shared.now),
            wall: Timestamp::from_microsecond(wall(shared.now)).unwrap_or_default(),
            random: self.random.u64(..),
            mark: text,
        };
        let term = self.machine.term();
        let step = self.machine.handle(&moment, input);
        if self.machine.term() != term {
            self.epochs_found.clone_from(&self.epochs);
        }
        shared.trace.say(shared.now, || {
            let action = format!("{:?}", step.action);
            format!("life {}: {:?} {:?} {action:.12}", self.life, self.machine.state(), step.notes)
        });
        match step.action {
            Action::Wait => {}
            Action::Sleep => self.waits_for = None,
            Action::End => self.is_ended = true,
            action => {
                // One that is made again has the mark that was seen last.
                let is_anew = matches!(action, Action::Create(_));
                let epochs = epochs.or_else(|| is_anew.then(|| self.epochs.clone()));
                self.requests += 1;
                self.waits_for = Some(self.requests);
                let asked = Asked {
                    life: self.life,
                    number: self.requests,
                    action,
                    sent: shared.now,
                    epochs,
                };
                shared.leases.send(asked, is_cut, &mut shared.server, shared.now);
            }
        }
    }

    /// The input that an answer is, if it is still waited for.
    pub(super) fn input_of(&mut self, answer: Answer) -> Option<Input> {
        if self.is_ended || self.waits_for != Some(answer.number) {
            return None;
        }
        self.waits_for = None;
        if matches!(answer.input, Input::Found(_) | Input::Written(_)) {
            self.epochs = answer.epochs;
        }
        Some(answer.input)
    }
}
