//! What follows from failures, lack of room and losses: a wait, and what to do after it.

use std::time::{Duration, Instant};

use super::{AT_ONCE, Machine};
use crate::source::kubernetes::backoff;
use crate::source::kubernetes::failure::{Cause, Failure};
use crate::source::kubernetes::listing::Listing;
use crate::source::kubernetes::state::{State, Then};
use crate::source::kubernetes::step::{Action, Note};

/// If more time than this has passed since the last page, the list begins again: the next page
/// might be refused, or be of another history, because the cluster may have been restored
/// meanwhile, and its API server cannot tell.
const TOKEN_AGE_MAX: Duration = Duration::from_secs(15);
/// From a loss to the list that reads again what there still is.
const LOSS_PAUSE: Duration = Duration::from_secs(5);
/// After this many watches in a row that failed without a frame, the scope is listed: whatever is
/// wrong with that version, a list gives another.
const FAILED_WATCHES_MAX: u32 = 3;

impl Machine {
    pub(super) fn full(&mut self) -> Action {
        self.unbroken = None;
        let then = match self.state {
            State::Listing => {
                self.listing.page_abandoned();
                Then::List
            }
            // A watch, too: nobody knows how long there is no room, nor what becomes of the cluster
            // meanwhile.
            _ => Then::Check,
        };
        self.notes.push(Note::Restarted(Cause::Full));
        self.state = State::Full { then };
        Action::AwaitRoom
    }

    /// Whatever was lost, the cluster may still have it. Not at once: damage seldom comes alone.
    pub(super) fn lost(&mut self, now: Instant) -> Action {
        self.notes.push(Note::Restarted(Cause::Lost));
        self.unbroken = None;
        self.cursor = None;
        self.begins_now = false;
        self.listing = Listing::default();
        // The cursor that comes with the cluster's identity will be none.
        let then = if self.then() == Then::Identify { Then::Identify } else { Then::List };
        self.state = State::Backoff { cause: Cause::Lost, until: now + LOSS_PAUSE, then };
        Action::Sleep
    }

    /// What it does, or will do.
    pub(super) fn then(&self) -> Then {
        match self.state {
            State::Identifying => Then::Identify,
            State::Backoff { then, .. } | State::Full { then } => then,
            State::Listing => Then::List,
            State::Checking | State::Saving => Then::Check,
            State::Opening | State::Watching { .. } | State::Stopped => Then::Watch,
        }
    }

    pub(super) fn go_on(&mut self, now: Instant, random: u64) -> Action {
        match self.state {
            State::Backoff { then, .. } | State::Full { then } => match then {
                Then::Identify => self.identify(now),
                Then::List => {
                    if self.listing.token().is_some()
                        && now.saturating_duration_since(self.paged) > TOKEN_AGE_MAX
                    {
                        self.listing.snapshot_lost();
                    }
                    self.list(now)
                }
                Then::Check => self.check(now, random),
                Then::Watch => self.watch(now, random),
            },
            _ => Action::Read,
        }
    }

    /// The version is stale, or suspected to be: lists, at once when this is not one of a row of
    /// failures.
    pub(super) fn relist(&mut self, now: Instant, random: u64, cause: Cause) -> Action {
        self.notes.push(Note::Restarted(cause));
        self.unbroken = None;
        self.listing = Listing::default();
        let first = self.failures == 0;
        self.failures += u32::from(cause != Cause::Quiet);
        if first {
            return self.list(now);
        }
        let until = now + backoff::wait(self.failures, None, random);
        self.state = State::Backoff { cause, until, then: Then::List };
        Action::Sleep
    }

    pub(super) fn failed(&mut self, now: Instant, random: u64, failure: Failure) -> Action {
        let then = match self.state {
            State::Listing => {
                self.listing.page_abandoned();
                Then::List
            }
            State::Watching { opened, frames } => {
                if now.saturating_duration_since(opened) >= AT_ONCE {
                    self.failures = 0;
                }
                self.after_failed_watch(frames == 0)
            }
            State::Opening => {
                // What an API server answers to a version that it cannot read, or from the future.
                // Other failures say nothing about the version.
                let version =
                    failure.cause == Cause::Refused || matches!(failure.status, Some(500 | 504));
                self.after_failed_watch(version)
            }
            State::Identifying => Then::Identify,
            State::Checking => {
                self.listing = Listing::default();
                Then::Check
            }
            State::Saving => {
                self.begins_now = true;
                Then::Check
            }
            State::Backoff { then, .. } | State::Full { then } => then,
            State::Stopped => return Action::End,
        };
        self.unbroken = None;
        // Whatever this list finds may have happened while it could not be read.
        self.suspicious = false;
        self.failures += 1;
        let wait = backoff::wait(self.failures, failure.retry_after, random);
        let (state, cause) = (self.state.name(), failure.cause);
        self.notes.push(Note::Failed { state, failure, failures: self.failures, wait });
        self.state = State::Backoff { cause, until: now + wait, then };
        Action::Sleep
    }

    pub(super) fn after_failed_watch(&mut self, version_may_be_why: bool) -> Then {
        self.failed_watches += u32::from(version_may_be_why);
        if self.failed_watches >= FAILED_WATCHES_MAX {
            self.failed_watches = 0;
            self.listing = Listing::default();
            return Then::List;
        }
        // Whatever it was, it takes a while, and a cluster may be restored meanwhile.
        Then::Check
    }
}
