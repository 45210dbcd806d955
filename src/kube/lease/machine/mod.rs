//! The machine of one candidate for a Lease: state + input -> state + action. Pure: it reads no
//! clock, draws no random number and does no I/O; time and randomness come with each input.
//!
//! ```text
//!   start ──> Asking ── held by another ──> Waiting (a look, or its expiry) ──> Asking
//!                │
//!                ├── nobody's, expired, or ours by name ──> Writing: take
//!                └── not there ───────────────────────────> Writing: take, by creating it
//!
//!   Writing: take ── done ──> a term begins, Waiting
//!   Waiting ── a third of the duration ──> Writing: renew ── done ──> Waiting
//!   Writing ── 409 ──> Asking           any request ── failed ──> Waiting ──> Asking
//!   renew, while leading and Waiting ──> Writing: renew
//!   release, while leading ──> Writing: release ── done ──> Ended
//! ```
//!
//! Invariants:
//!
//! - A term lasts at most [`Timing::renew_deadline`] from when the last write that succeeded was
//!   *sent*: whatever the input, that is looked at first. A candidate counts a Lease's duration
//!   from when it *saw* it change, which is later.
//! - Nothing is written but over what was read last (its `resourceVersion` is in the object), and
//!   never over what somebody else holds that has not expired.
//! - After a failure the outcome of a write is not known, so the Lease is read before it is written
//!   again.
//! - Every state but [`State::Ended`] ends by a deadline, so nothing can silently hang.

mod answers;

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::record::Record;
use super::step::{Action, Input, LeaseName, Lost, Moment, Note, Step};
use super::timing::{RELEASE_MAX, Timing, jittered};
use super::{Leadership, Term};

/// The longest mark that is written. The API server takes annotations of 256 KiB together
/// (`TotalAnnotationSizeLimitB`):
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/>.
pub(crate) const MARK_BYTES_MAX: usize = 128 << 10;

/// What the machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Has asked for the Lease.
    Asking {
        /// When.
        sent: Instant,
    },
    /// Has asked to write it.
    Writing {
        /// When.
        sent: Instant,
        /// What for.
        aim: Aim,
        /// By creating it.
        anew: bool,
    },
    /// Waits.
    Waiting {
        /// Until when.
        until: Instant,
        /// What then: write what was read last, or read it.
        renew: bool,
    },
    /// Is done.
    Ended,
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To begin a term.
    Take,
    /// To go on with it.
    Renew,
    /// To end it.
    Release,
}

/// The machine of one candidate.
#[derive(Debug)]
pub(crate) struct Machine {
    lease: LeaseName,
    identity: String,
    timing: Timing,
    state: State,
    /// The Lease as it was read or written last, and since when it has been seen to be so.
    seen: Option<(Record, Instant)>,
    leading: Option<Leading>,
    /// Terms that there were.
    terms: u64,
    /// Failures in a row.
    failures: u32,
    /// Until when giving the Lease up is tried.
    release_by: Option<Instant>,
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Leading {
    term: Term,
    /// The mark that was found.
    found: Option<String>,
    /// When the last write that succeeded was sent.
    renewed: Instant,
}

impl Machine {
    /// A machine at its beginning.
    pub(crate) fn new(
        lease: LeaseName,
        identity: String,
        duration: Duration,
        now: Instant,
    ) -> Machine {
        Machine {
            lease,
            identity,
            timing: Timing::of(duration),
            state: State::Waiting { until: now, renew: false },
            seen: None,
            leading: None,
            terms: 0,
            failures: 0,
            release_by: None,
            notes: Vec::new(),
        }
    }

    /// The term, while it leads.
    pub(crate) fn term(&self) -> Option<Term> {
        self.leading.as_ref().map(|leading| leading.term)
    }

    /// What it is doing.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// When leading ends, unless the Lease is renewed.
    pub(crate) fn term_end(&self) -> Option<Instant> {
        self.leading.as_ref().map(|leading| leading.renewed + self.timing.renew_deadline)
    }

    /// Who leads.
    pub(crate) fn leadership(&self) -> Leadership {
        match (&self.leading, &self.seen) {
            (Some(Leading { term, found, .. }), _) => {
                Leadership::Leading { term: *term, mark: found.clone() }
            }
            (None, Some((seen, _)))
                if !seen.holder().is_empty() && seen.holder() != self.identity =>
            {
                Leadership::Following { holder: Some(seen.holder().to_owned()) }
            }
            (None, _) => Leadership::Following { holder: None },
        }
    }

    /// Whether the last that it did went well, and it has nothing to do for now.
    pub(crate) fn is_well(&self) -> bool {
        self.failures == 0 && matches!(self.state, State::Waiting { .. })
    }

    /// When [`Input::Deadline`] is due; `None`: it has ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_state = match self.state {
            State::Asking { sent } | State::Writing { sent, .. } => {
                sent + self.timing.request_timeout
            }
            State::Waiting { until, .. } => until,
            State::Ended => return None,
        };
        [Some(of_state), self.term_end(), self.release_by].into_iter().flatten().min()
    }

    /// Whether [`Input::Renew`] would be followed: it leads, and has nothing else to do for now.
    pub(crate) fn may_renew(&self) -> bool {
        self.leading.is_some() && matches!(self.state, State::Waiting { renew: true, .. })
    }

    /// Takes one input.
    pub(crate) fn handle(&mut self, moment: &Moment, input: Input) -> Step {
        if self.term_end().is_some_and(|end| end <= moment.now) {
            self.lose(Lost::NotRenewed);
        }
        let action = match input {
            Input::Start => self.ask(moment.now),
            Input::Found(object) => self.found(moment, object),
            Input::Absent => self.absent(moment),
            Input::Written(object) => self.written(moment, object),
            Input::Conflict => self.conflict(moment),
            Input::Failed(failure) => self.failed(moment, failure),
            Input::Deadline => self.deadline_passed(moment),
            Input::Renew if self.may_renew() => self.go_on_leading(moment),
            Input::Renew => Action::Wait,
            Input::Release => {
                self.release_by.get_or_insert(moment.now + RELEASE_MAX);
                if matches!(self.state, State::Waiting { .. }) {
                    self.go_on(moment)
                } else {
                    Action::Wait
                }
            }
        };
        let action = if self.is_over(moment.now) { self.end() } else { action };
        Step { action, notes: std::mem::take(&mut self.notes) }
    }

    /// Whether it is to end, and nothing in flight or left to do stands against it.
    fn is_over(&self, now: Instant) -> bool {
        let Some(by) = self.release_by else { return self.state == State::Ended };
        let may_yet_lead = matches!(self.state, State::Writing { .. });
        by <= now || (self.leading.is_none() && !may_yet_lead)
    }

    fn end(&mut self) -> Action {
        if self.leading.take().is_some() || matches!(self.state, State::Writing { .. }) {
            self.notes.push(Note::NotReleased);
        }
        self.state = State::Ended;
        Action::End
    }

    fn lose(&mut self, why: Lost) {
        if self.leading.take().is_some() {
            self.notes.push(Note::Lost(why));
        }
    }

    fn renew_later(&mut self, moment: &Moment, sent: Instant) -> Action {
        if self.release_by.is_some() {
            return self.go_on_leading(moment);
        }
        let next = sent + jittered(self.timing.renew_interval, moment.random);
        self.wait_for(moment.now, next.saturating_duration_since(moment.now), true)
    }

    /// Writes over what was read last.
    fn go_on_leading(&mut self, moment: &Moment) -> Action {
        let mark = self.mark(moment);
        let Some((seen, _)) = &self.seen else { return self.ask(moment.now) };
        if self.release_by.is_some() {
            let object = seen.released(moment.wall, mark.as_deref());
            return self.write(moment, Aim::Release, Action::Update(object));
        }
        let object =
            seen.renewed(&self.identity, self.timing.duration, moment.wall, mark.as_deref());
        self.write(moment, Aim::Renew, Action::Update(object))
    }

    fn mark(&mut self, moment: &Moment) -> Option<String> {
        let mark = moment.mark.as_ref().filter(|_| self.leading.is_some())?;
        if mark.len() > MARK_BYTES_MAX {
            self.notes.push(Note::MarkTooLong { bytes: mark.len() });
            return None;
        }
        Some(mark.clone())
    }

    fn deadline_passed(&mut self, moment: &Moment) -> Action {
        match self.state {
            State::Waiting { until, .. } if until <= moment.now => self.go_on(moment),
            State::Asking { sent } | State::Writing { sent, .. }
                if sent + self.timing.request_timeout <= moment.now =>
            {
                self.failed(moment, Failure::timeout())
            }
            // A term has ended; what is in flight may begin another.
            _ => Action::Wait,
        }
    }

    /// Ends a wait.
    fn go_on(&mut self, moment: &Moment) -> Action {
        match self.state {
            State::Waiting { renew: true, .. } if self.leading.is_some() => {
                self.go_on_leading(moment)
            }
            _ => self.ask(moment.now),
        }
    }

    fn ask(&mut self, now: Instant) -> Action {
        self.state = State::Asking { sent: now };
        Action::Get
    }

    fn write(&mut self, moment: &Moment, aim: Aim, action: Action) -> Action {
        let anew = matches!(action, Action::Create(_));
        self.state = State::Writing { sent: moment.now, aim, anew };
        action
    }

    fn wait(&mut self, moment: &Moment, time: Duration, renew: bool) -> Action {
        self.wait_for(moment.now, jittered(time, moment.random), renew)
    }

    fn wait_for(&mut self, now: Instant, time: Duration, renew: bool) -> Action {
        self.state = State::Waiting { until: now + time, renew };
        Action::Sleep
    }
}

fn seen_mark(seen: &Option<(Record, Instant)>) -> Option<&str> {
    seen.as_ref()?.0.mark()
}
