//! When the sources of one process run, if it is a candidate for a Lease: carries out what
//! production's [`Terms`] decide.

use super::super::candidate::Candidate;
use super::super::clock::{Clock, MILLISECOND, NEVER, SECOND, Time, wall};
use super::super::home::Home;
use super::super::leases::{Answer, Mark};
use super::super::oracle::Violation;
use super::super::shared::Shared;
use super::{Part, Process};
use crate::handoff::Takeover;
use crate::kube::lease::step::Input;
use crate::pipeline::terms::{Action, Terms};
use crate::position::Keeper;

/// The Lease of one process.
pub(super) struct Lease {
    candidate: Candidate,
    terms: Terms,
    /// When a term is about to begin.
    begins_at: Option<Time>,
    /// When the sources will have stopped that were told to.
    stops_at: Option<Time>,
    /// Its task does nothing until then.
    pub(super) late_until: Time,
    /// The Lease had no mark: those of this machine hold.
    pub(super) is_alone: bool,
    /// How many rewinds the Lease was renewed for.
    rewinds: u64,
    /// It was given up in a term that had begun.
    has_last_mark: bool,
}

impl Lease {
    pub(super) fn new(
        life: u32,
        home: &Home,
        duration: Time,
        of: (Keeper, Takeover),
        at: (Clock, Time),
        random: fastrand::Rng,
    ) -> Lease {
        // A name is kept on the disk, where there is one.
        let identity = if home.keeps_name { home.name.clone() } else { format!("life-{life}") };
        Lease {
            candidate: Candidate::new(life, identity, duration, at, random),
            terms: Terms::new(of.0, of.1),
            begins_at: None,
            stops_at: None,
            late_until: 0,
            is_alone: false,
            rewinds: 0,
            has_last_mark: false,
        }
    }

    pub(super) fn next(&self, clock: Clock) -> [(Time, Part); 2] {
        let term = self.begins_at.unwrap_or(NEVER).min(self.stops_at.unwrap_or(NEVER));
        [(self.candidate.due(clock).max(self.late_until), Part::Lease), (term, Part::Term)]
    }

    /// Whose marks may be written into the Lease now.
    fn may_mark(&self) -> Option<Keeper> {
        self.candidate.term().and_then(|term| self.terms.may_mark(term))
    }
}

impl Process {
    /// An input for the Lease's machine, and what follows from it.
    fn lease_input(&mut self, input: Input, shared: &mut Shared) -> Result<(), Violation> {
        let keeper = self.lease.as_ref().and_then(Lease::may_mark);
        let mark = match keeper {
            Some(keeper) => self.mark_of_lease(&keeper, shared)?,
            None => None,
        };
        let is_cut = shared.now < self.cut_until;
        if let Some(lease) = &mut self.lease {
            lease.candidate.handle(input, mark, is_cut, shared);
            let (leadership, left) = lease.candidate.leadership(shared.clock, shared.now);
            lease.terms.lease_says(leadership, left, wall(shared.now));
        }
        self.follow(false, shared)
    }

    /// Does what is to be done now; a term begins only when that `may_begin`.
    fn follow(&mut self, mut may_begin: bool, shared: &mut Shared) -> Result<(), Violation> {
        let mut marks_are_found = false;
        while let Some(lease) = &mut self.lease {
            if lease.stops_at.is_some() {
                break;
            }
            if lease.terms.may_begin() && !may_begin {
                if lease.begins_at.is_none() {
                    lease.begins_at = Some(shared.now + self.random.u64(..50) * MILLISECOND);
                }
                break;
            }
            match lease.terms.next(wall(shared.now)).map_err(|error| error.to_string())? {
                Action::BeginBuffer(marks) => {
                    marks_are_found = true;
                    self.epochs.begin(&marks, lease.candidate.epochs_found());
                    self.buffer.begin(marks);
                }
                Action::StartSources => {
                    lease.is_alone = !marks_are_found;
                    may_begin = false;
                    shared.trace.say(shared.now, || {
                        format!("life {}: begins from {:?}", self.life, self.tracker.marks())
                    });
                    shared.oracle.term_begins(self.life);
                    self.begin_feeds(shared.clock, shared.now);
                }
                Action::StopSources if self.ending.is_none() => {
                    // They read on until they notice.
                    lease.stops_at = Some(shared.now + self.dice.u64(..SECOND));
                }
                Action::StopSources => {
                    shared.trace.say(shared.now, || format!("life {}: stops", self.life));
                    self.end_feeds(shared)?;
                }
                Action::Wait | Action::End => break,
            }
        }
        Ok(())
    }

    /// A rewind is written into the Lease before its time.
    pub(super) fn renew_rewinds(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let rewinds = self.tracker.rewinds();
        match &mut self.lease {
            Some(lease) if lease.rewinds != rewinds && lease.candidate.may_renew() => {
                lease.rewinds = rewinds
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
        let input = self.lease.as_mut().and_then(|lease| lease.candidate.input_of(answer));
        input.map_or(Ok(()), |input| self.lease_input(input, shared))
    }

    /// A term begins, if it is not over already.
    pub(super) fn begin_term(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let Some(lease) = &mut self.lease else { return Ok(()) };
        if lease.stops_at.is_some() {
            return self.have_stopped(shared);
        }
        lease.begins_at = None;
        self.follow(true, shared)
    }

    /// The sources have stopped because the term was over.
    fn have_stopped(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let is_stopping = self.lease.as_mut().is_some_and(|lease| lease.stops_at.take().is_some());
        if !is_stopping {
            return Ok(());
        }
        shared.trace.say(shared.now, || format!("life {}: stops", self.life));
        self.end_feeds(shared)?;
        self.follow(false, shared)
    }

    /// Whether it was told to give the Lease up, if it is a candidate.
    pub(super) fn gave_up_lease(&self) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.candidate.is_releasing())
    }

    /// The sources stop for good.
    pub(super) fn stop_sources(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        match &mut self.lease {
            None => self.end_feeds(shared),
            Some(lease) => {
                lease.terms.drain();
                self.have_stopped(shared)?;
                self.follow(false, shared)
            }
        }
    }

    /// Gives the Lease up; answers whether that is over.
    pub(super) fn release(&mut self, shared: &mut Shared) -> Result<bool, Violation> {
        let Some(lease) = &mut self.lease else { return Ok(true) };
        if !lease.candidate.is_releasing() {
            lease.has_last_mark = lease.may_mark().is_some();
            self.lease_input(Input::Release, shared)?;
        }
        Ok(self.lease.as_ref().is_none_or(|lease| lease.candidate.is_ended()))
    }

    /// A Lease that was given up holds all that was settled: the next leader goes on from there.
    pub(super) fn check_last_mark(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let Some(lease) = &self.lease else { return Ok(()) };
        let Some((text, _)) = shared.leases.given_up_by(self.life) else { return Ok(()) };
        if !lease.has_last_mark {
            return Ok(());
        }
        let settled: Option<Mark> = self.mark_of_lease(&self.keeper.clone(), shared)?;
        match settled {
            Some((settled, _)) if settled != text => Err(format!(
                "the Lease was given up with the mark {text}, and {settled} is settled"
            )),
            _ => Ok(()),
        }
    }
}
