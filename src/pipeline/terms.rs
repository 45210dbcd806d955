//! When the sources run: in the terms in which this replica holds the Lease. Decides everything
//! that the beginning and the end of a term bring with them, and does no I/O:
//! [`leading`](super::leading) drives it with real sources, the simulator with simulated ones.
//!
//! ```text
//!   Following ── leads ──> Beginning ──> Running ── leads no more ──> Stopping ──> Following
//!       │                      │            │
//!       └──────── drain ───────┴── drain ───┴──> Drained
//! ```
//!
//! Invariants:
//!
//! - The sources of a term begin from the mark that was found in the Lease, and so does the buffer.
//!   Before that nothing of this process is written there.
//! - Whatever this process has when a term begins or ends, another replica may have sent too: the
//!   sink is told of each ([`Takeover`]). The sink and the sources are told when the Lease lapses
//!   unless it is renewed: what comes after that is not taken in.
//! - In a drain the term goes on without sources, so that the Lease is given up with the last mark.

use std::time::Duration;

use crate::event::Micros;
use crate::handoff::Takeover;
use crate::kube::lease::{Leadership, Term};
use crate::position::{KeepError, Keeper, Positions};

/// What is to be done next. [`Terms::next`] is asked again when it is done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The buffer begins from these marks: before them everything is settled.
    BeginBuffer(Positions),
    /// The sources begin.
    StartSources,
    /// The sources are told to stop, and waited for.
    StopSources,
    /// Nothing, until the Lease says something else or a drain begins.
    Wait,
    /// Nothing any more: the sources do not run again.
    End,
}

/// The terms of one process.
#[derive(Debug)]
pub(crate) struct Terms {
    keeper: Keeper,
    takeover: Takeover,
    leadership: Leadership,
    /// Of the term that it said last: what was left of it, and when the Lease lapses.
    lease: Option<(Term, Duration, Micros)>,
    state: State,
    is_draining: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// This process does not lead, as far as its sources know.
    Following,
    /// The marks are those of the term, and the buffer is being told.
    Beginning(Term),
    /// The sources run.
    Running(Term),
    /// They were told to stop, because the term is over.
    Stopping,
    /// They were told to stop, because this process ends; in this term, as long as it lasts.
    Drained(Option<Term>),
}

impl Terms {
    /// Of a process that follows.
    pub(crate) fn new(keeper: Keeper, takeover: Takeover) -> Terms {
        let leadership = Leadership::Following { holder: None };
        let state = State::Following;
        Terms { keeper, takeover, leadership, lease: None, state, is_draining: false }
    }

    /// Who leads, at `now`, in µs since the epoch. Unless the Lease is renewed, it lapses when what
    /// is `left` is over: a process that stood still past that must not take itself for the leader.
    pub(crate) fn lease_says(
        &mut self,
        leadership: Leadership,
        left: Option<Duration>,
        now: Micros,
    ) {
        let lapses_at = self.lapses_at(&leadership, left, now);
        self.takeover.lapses_at(lapses_at);
        self.leadership = leadership;
        let is_over = |term| !self.leads_in(term);
        match self.state {
            State::Running(term) | State::Beginning(term) if is_over(term) => {
                self.takeover.record(now);
            }
            State::Drained(Some(term)) if is_over(term) => {
                self.takeover.record(now);
                self.state = State::Drained(None);
            }
            _ => {}
        }
    }

    /// When the Lease lapses. While the machine is suspended less becomes of what is left than of
    /// the time; so it is only a renewal, which makes more of what is left, that puts it off.
    fn lapses_at(
        &mut self,
        leadership: &Leadership,
        left: Option<Duration>,
        now: Micros,
    ) -> Option<Micros> {
        let &Leadership::Leading { term, .. } = leadership else {
            // Until its sources have stopped, what comes is for another one to read.
            self.lease = None;
            return Some(now);
        };
        let left = left?;
        let ends_at = now.saturating_add(left.as_micros() as Micros);
        let lapses_at = match self.lease {
            Some((of, before, at)) if of == term && left <= before => at.min(ends_at),
            _ => ends_at,
        };
        self.lease = Some((term, left, lapses_at));
        Some(lapses_at)
    }

    /// The sources are not to run again.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// What is to be done next, at `now`, in µs since the epoch.
    ///
    /// # Errors
    ///
    /// When the mark in the Lease was written for another target.
    pub(crate) fn next(&mut self, now: Micros) -> Result<Action, KeepError> {
        let (state, action) = match self.state {
            State::Following if self.is_draining => (State::Drained(None), Action::End),
            State::Following => return self.begin(now),
            State::Beginning(term) if self.is_draining => (State::Drained(Some(term)), Action::End),
            State::Beginning(term) if !self.leads_in(term) => {
                self.state = State::Following;
                return self.next(now);
            }
            State::Beginning(term) => (State::Running(term), Action::StartSources),
            State::Running(term) if self.is_draining => {
                (State::Drained(Some(term)), Action::StopSources)
            }
            State::Running(term) if !self.leads_in(term) => (State::Stopping, Action::StopSources),
            State::Running(_) => return Ok(Action::Wait),
            State::Stopping => {
                // They may have read on until they had stopped.
                self.takeover.record(now);
                self.state = State::Following;
                return self.next(now);
            }
            State::Drained(_) => return Ok(Action::End),
        };
        self.state = state;
        Ok(action)
    }

    /// A term begins, if this process leads: from the mark that was found.
    fn begin(&mut self, now: Micros) -> Result<Action, KeepError> {
        let Leadership::Leading { term, mark } = self.leadership.clone() else {
            return Ok(Action::Wait);
        };
        self.takeover.record(now);
        let marks = self.keeper.adopt(mark.as_deref())?;
        self.state = State::Beginning(term);
        marks.map_or_else(|| self.next(now), |marks| Ok(Action::BeginBuffer(marks)))
    }

    /// Whether a term is to begin: in the simulator that takes a while.
    #[cfg(test)]
    pub(crate) fn may_begin(&self) -> bool {
        self.state == State::Following
            && !self.is_draining
            && matches!(self.leadership, Leadership::Leading { .. })
    }

    /// Whose record of the settled marks the Lease may hold in `term`: nobody's before the term has
    /// begun from what it held.
    pub(crate) fn may_mark(&self, term: Term) -> Option<Keeper> {
        let begun = match self.state {
            State::Running(term) | State::Drained(Some(term)) => term,
            State::Following | State::Beginning(_) | State::Stopping | State::Drained(None) => {
                return None;
            }
        };
        (begun == term && self.leads_in(term)).then(|| self.keeper.clone())
    }

    /// Whether another replica leads, as far as the sources know: what they and the sink need is
    /// for later.
    pub(crate) fn is_following(&self) -> bool {
        !matches!(self.state, State::Running(_) | State::Drained(Some(_)))
    }

    fn leads_in(&self, term: Term) -> bool {
        matches!(&self.leadership, Leadership::Leading { term: now, .. } if *now == term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Identity;

    fn leading(term: u64, mark: Option<&str>) -> Leadership {
        Leadership::Leading { term: Term(term), mark: mark.map(str::to_owned) }
    }

    fn following() -> Leadership {
        Leadership::Following { holder: None }
    }

    /// Of a term, where a test is about that.
    const LEFT: Option<Duration> = Some(Duration::from_micros(10));

    fn terms() -> (Terms, Takeover) {
        let takeover = Takeover::at(0);
        (Terms::new(Keeper::default(), takeover.clone()), takeover)
    }

    #[test]
    fn a_term_begins_from_the_mark_that_was_found_and_marks_nothing_before() {
        let (mut terms, takeover) = terms();
        assert_eq!(terms.next(1).unwrap(), Action::Wait);
        let marks = Positions::from([("*".into(), "41".into())]);
        let mark = crate::position::Record::new(Identity::default(), marks.clone()).encode();
        terms.lease_says(leading(1, Some(&mark)), None, 2);
        assert_eq!(terms.next(3).unwrap(), Action::BeginBuffer(marks.clone()));
        assert_eq!(takeover.time(3), 3);
        assert!(terms.may_mark(Term(1)).is_none(), "the buffer does not know yet");
        assert_eq!(terms.next(4).unwrap(), Action::StartSources);
        let keeper = terms.may_mark(Term(1)).unwrap();
        assert_eq!(keeper.tracker().marks(), marks);
        assert!(terms.may_mark(Term(2)).is_none());
        assert_eq!(terms.next(5).unwrap(), Action::Wait);
    }

    #[test]
    fn a_term_that_is_over_is_told_at_once_and_when_the_sources_have_stopped() {
        let (mut terms, takeover) = terms();
        terms.lease_says(leading(1, None), None, 1);
        assert_eq!(terms.next(2).unwrap(), Action::StartSources);
        // Another term without one between that anybody saw.
        terms.lease_says(leading(2, None), None, 3);
        assert_eq!(takeover.time(3), 3);
        assert!(terms.may_mark(Term(1)).is_none() && terms.may_mark(Term(2)).is_none());
        assert_eq!(terms.next(4).unwrap(), Action::StopSources);
        assert_eq!(terms.next(5).unwrap(), Action::StartSources);
        assert_eq!(takeover.time(5), 5);
        assert!(!takeover.has_lapsed(5));
        terms.lease_says(following(), None, 6);
        assert!(takeover.has_lapsed(6), "the sources read on until they have stopped");
        assert_eq!(terms.next(7).unwrap(), Action::StopSources);
        assert_eq!(terms.next(8).unwrap(), Action::Wait);
        assert_eq!(takeover.time(8), 8);
        terms.lease_says(leading(3, None), None, 9);
        assert!(!takeover.has_lapsed(9));
    }

    #[test]
    fn a_process_that_stood_still_past_its_lease_has_been_taken_over_from_before_it_is_told() {
        let (mut terms, takeover) = terms();
        terms.lease_says(leading(1, None), LEFT, 1);
        assert_eq!(terms.next(2).unwrap(), Action::StartSources);
        assert_eq!(takeover.time(10), 2);
        assert_eq!((takeover.time(11), takeover.time(20)), (11, 11));
        terms.lease_says(leading(1, None), LEFT.map(|left| left * 2), 20);
        assert_eq!(takeover.time(39), 11);
    }

    #[test]
    fn a_lease_of_a_machine_that_was_suspended_has_lapsed_until_it_is_renewed() {
        let (mut terms, takeover) = terms();
        terms.lease_says(leading(1, None), LEFT, 1);
        let later = LEFT.map(|left| left - Duration::from_micros(4));
        terms.lease_says(leading(1, None), later, 5);
        assert!(!takeover.has_lapsed(10) && takeover.has_lapsed(11));
        // An hour, of which the clock of the Lease knows nothing.
        terms.lease_says(leading(1, None), later, 3_600_000_000);
        assert!(takeover.has_lapsed(3_600_000_000));
        terms.lease_says(leading(1, None), LEFT, 3_600_000_005);
        assert!(!takeover.has_lapsed(3_600_000_005));
        // Another term is another Lease, however much is left of it.
        terms.lease_says(leading(2, None), later, 3_600_000_020);
        assert!(!takeover.has_lapsed(3_600_000_020));
    }

    #[test]
    fn in_a_drain_the_term_goes_on_without_sources_for_the_last_mark() {
        let (mut terms, takeover) = terms();
        terms.lease_says(leading(1, None), None, 1);
        assert_eq!(terms.next(2).unwrap(), Action::StartSources);
        terms.drain();
        assert_eq!(terms.next(3).unwrap(), Action::StopSources);
        assert_eq!(terms.next(3).unwrap(), Action::End);
        assert!(terms.may_mark(Term(1)).is_some());
        terms.lease_says(following(), None, 4);
        assert!(terms.may_mark(Term(1)).is_none() && !terms.may_begin());
        assert_eq!((terms.next(5).unwrap(), takeover.time(5)), (Action::End, 4));
    }
}
