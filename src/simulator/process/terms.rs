//! When the sources of one process run: in the terms of its Lease, as `pipeline::leading` has it.

use super::super::candidate::Candidate;
use super::super::clock::{Clock, MILLISECOND, NEVER, Time, wall};
use super::super::leases::{Answer, Mark};
use super::super::oracle::Violation;
use super::super::replica::Home;
use super::super::world::Shared;
use super::{Part, Process};
use crate::kube::lease::Term;
use crate::kube::lease::step::Input;

/// The Lease of one process.
pub(super) struct Terms {
    candidate: Candidate,
    /// A term that is about to begin, and from which mark.
    begins: Option<(Time, Term, Mark)>,
    /// The term in which the sources run, or ran last.
    begun: Option<Term>,
    /// The Lease had no mark: those of this machine hold.
    pub(super) is_alone: bool,
    /// How often marks had moved back when the Lease was renewed for that.
    restarts: u64,
}

impl Terms {
    pub(super) fn new(
        life: u32,
        home: &Home,
        duration: Time,
        at: (Clock, Time),
        random: fastrand::Rng,
    ) -> Terms {
        // A name is kept on the disk, where there is one.
        let identity = if home.keeps_name { home.name.clone() } else { format!("life-{life}") };
        Terms {
            candidate: Candidate::new(life, identity, duration, at, random),
            begins: None,
            begun: None,
            is_alone: false,
            restarts: 0,
        }
    }

    pub(super) fn next(&self, clock: Clock) -> [(Time, Part); 2] {
        let begins = self.begins.as_ref().map_or(NEVER, |(at, ..)| *at);
        [(self.candidate.due(clock), Part::Lease), (begins, Part::Term)]
    }
}

impl Process {
    /// An input for the Lease's machine, and what follows from it.
    fn lease_input(&mut self, input: Input, shared: &mut Shared) -> Result<(), Violation> {
        let Some(terms) = &self.terms else { return Ok(()) };
        // Nothing before the term has begun from what the Lease held.
        let is_begun = terms.begun.is_some() && terms.candidate.term() == terms.begun;
        let mark = if is_begun { self.mark_of_lease(shared)? } else { None };
        let is_cut = shared.now < self.cut_until;
        if let Some(terms) = &mut self.terms {
            terms.candidate.handle(input, mark, is_cut, shared);
        }
        self.follow(shared)
    }

    /// A term may have ended, and another one begin.
    fn follow(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let Some(terms) = &mut self.terms else { return Ok(()) };
        if self.drains_since.is_some() || terms.begins.is_some() {
            return Ok(());
        }
        let leads = terms.candidate.leads();
        if terms.begun.is_some() && leads.as_ref().map(|(term, _)| *term) != terms.begun {
            terms.begun = None;
            shared.trace.say(shared.now, || format!("life {}: its term has ended", self.life));
            self.takeover.iter().for_each(|takeover| takeover.again(wall(shared.now)));
            self.end_feeds(shared)?;
        }
        if let (Some(terms), Some((term, mark))) = (&mut self.terms, leads)
            && terms.begun.is_none()
        {
            terms.begins = Some((shared.now + self.random.u64(..50) * MILLISECOND, term, mark));
        }
        Ok(())
    }

    /// A mark that has moved back is written before its time.
    pub(super) fn renew_what_moved_back(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let restarts = self.tracker.restarts();
        match &mut self.terms {
            Some(terms) if terms.restarts != restarts && terms.candidate.may_renew() => {
                terms.restarts = restarts
            }
            _ => return Ok(()),
        }
        self.lease_input(Input::Renew, shared)
    }

    pub(super) fn lease_deadline(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        self.lease_input(Input::Deadline, shared)
    }

    pub(super) fn lease_answered(
        &mut self,
        answer: Answer,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        let input = self.terms.as_mut().and_then(|terms| terms.candidate.input_of(answer));
        input.map_or(Ok(()), |input| self.lease_input(input, shared))
    }

    /// The sources go on from the mark that was found.
    pub(super) fn begin_term(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let Some(begins) = self.terms.as_mut().and_then(|terms| terms.begins.take()) else {
            return Ok(());
        };
        let (_, term, (mark, epochs)) = begins;
        shared.trace.say(shared.now, || {
            format!("life {}: {term:?} begins from {mark} {epochs:?}", self.life)
        });
        shared.oracle.term_begins(self.life);
        self.takeover.iter().for_each(|takeover| takeover.again(wall(shared.now)));
        let marks = self.keeper.adopt(&mark).map_err(|error| error.to_string())?;
        if let Some(terms) = &mut self.terms {
            terms.is_alone = marks.is_none();
        }
        if let Some(marks) = marks {
            self.epochs.begin(&marks, &epochs);
            self.buffer.begin(marks);
        }
        if let Some(terms) = &mut self.terms {
            terms.begun = Some(term);
        }
        if self.drains_since.is_none() {
            self.begin_feeds(shared.clock, shared.now);
            self.look_for_losses(shared)?;
        }
        self.follow(shared)
    }

    /// Gives the Lease up, when everything is settled that will be; answers whether that is over.
    pub(super) fn release(&mut self, shared: &mut Shared) -> Result<bool, Violation> {
        let Some(terms) = &self.terms else { return Ok(true) };
        if !terms.candidate.is_releasing() {
            self.buffer.secure(shared.clock.at(shared.now));
            self.lease_input(Input::Release, shared)?;
        }
        Ok(self.terms.as_ref().is_none_or(|terms| terms.candidate.is_ended()))
    }
}
