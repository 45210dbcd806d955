//! The list/watch machine of one scope: state + input -> state + action. Pure: it reads no clock,
//! draws no random number and does no I/O; time and randomness come with each input.
//!
//! ```text
//!   start ──> Identifying ──> Listing ── last page ──> Opening ── 200 ──> Watching
//!                        ├──> Checking ── 200 ───────> Opening, with a saved cursor
//!                        └──> Checking ── 200 ──> Saving ── saved ──> Opening: `start = "now"`
//!
//!   Watching ── the server ends it ─────────────────────> Opening, from the cursor
//!   Watching, Opening ── 410 in any form; quiet ────────> Listing
//!   Watching ── no room, failed ──> Full, Backoff ──────> Checking ── 200 ──> Opening
//!                                                                 └─ restored ─> Listing
//!   Listing ── no room, failed ──> Full, Backoff ───────> Listing, the same page
//!   any other ── failed ──> Backoff ── its time is over > where it was
//!   any ── something was lost on disk ──> Backoff ──────> Listing, without a cursor
//! ```
//!
//! Invariants:
//!
//! - The **cursor** is a version such that every version up to it was accepted, or was overwritten
//!   or deleted before it could be seen. It moves with each frame of a watch, and to a list's
//!   version when the last item of its last page was judged; never during a list.
//! - A listed item is skipped only if its version is not above the cursor, or an earlier try of the
//!   same list gave it. A watched event is always accepted.
//! - Every state but [`State::Full`] and [`State::Stopped`] ends by a deadline, so nothing can
//!   silently hang.

mod failing;
mod reading;

use std::time::{Duration, Instant};

use super::failure::{Cause, Failure};
use super::listing::{Listing, PageEnd};
use super::state::{State, Then};
use super::step::{Action, Input, Note, Request, Step};
use super::version::Version;
use crate::source::Start;

/// Items a page. client-go's pager asks for as many.
pub(super) const PAGE_ITEMS: u32 = 500;
/// A watch that delivered nothing for this long is closed, and the scope is listed.
pub(super) const QUIET_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the API server may be silent before its answer, or within a list. Its own limit for one
/// request is 60 s (`--request-timeout`), so it answers before this if it answers at all.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(75);
/// A watch that ended this soon with nothing was told that its version is stale, without saying so.
const AT_ONCE: Duration = Duration::from_secs(5);
/// A watch that was opened after a pause is given this long to deliver what happened meanwhile,
/// before the pause counts as its silence.
const GRACE: Duration = Duration::from_secs(10);
/// The least time between two openings of a watch, whatever the server does.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

/// The machine of one scope.
#[derive(Debug)]
pub(super) struct Machine {
    state: State,
    cursor: Option<Version>,
    listing: Listing,
    /// Failures in a row; a frame of a watch, or a watch that lived, ends the row.
    failures: u32,
    /// Watches in a row that failed without a frame.
    failed_watches: u32,
    /// When the list's last whole page ended.
    paged: Instant,
    /// The last byte of an answer, or when it was asked for.
    stirred: Instant,
    /// The last frame of a watch, or the last completed list.
    alive: Instant,
    /// Since when a watch has been open, but for ends in good order.
    unbroken: Option<Instant>,
    listed: bool,
    /// This list was begun because a watch was open all the time and quiet.
    suspicious: bool,
    /// See [`Machine::restores`].
    restores: u64,
    /// The check is for where to begin.
    begins_now: bool,
    notes: Vec<Note>,
}

impl Machine {
    /// A machine at its beginning.
    pub(super) fn new(now: Instant) -> Machine {
        Machine {
            state: State::Stopped,
            cursor: None,
            listing: Listing::default(),
            failures: 0,
            failed_watches: 0,
            paged: now,
            stirred: now,
            alive: now,
            unbroken: None,
            listed: false,
            suspicious: false,
            restores: 0,
            begins_now: false,
            notes: Vec::new(),
        }
    }

    /// What it is doing.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Whether a watch is open.
    pub(super) fn is_watching(&self) -> bool {
        matches!(self.state, State::Watching { .. })
    }

    /// How often a restored cluster was noticed: what was read of it before is read again.
    pub(super) fn restores(&self) -> u64 {
        self.restores
    }

    /// The version up to which nothing is missing, once everything that was accepted is done with.
    pub(super) fn cursor(&self) -> Option<&Version> {
        self.cursor.as_ref()
    }

    /// Where it is in `scope`, for people.
    pub(super) fn location(&self, scope: &str) -> String {
        let doing = if self.is_watching() { "watch" } else { "list" };
        match &self.cursor {
            Some(cursor) => format!("{doing} of {scope}, after version {cursor}"),
            None => format!("{doing} of {scope}"),
        }
    }

    /// When [`Input::Deadline`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Identifying
            | State::Listing
            | State::Checking
            | State::Saving
            | State::Opening => Some(self.stirred + SILENCE_MAX),
            State::Watching { opened, .. } => {
                Some((self.alive + QUIET_TIMEOUT).max(*opened + GRACE))
            }
            State::Backoff { until, .. } => Some(*until),
            State::Full { .. } | State::Stopped => None,
        }
    }

    /// Some bytes of the answer have come.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.stirred = now;
    }

    /// Takes one input.
    pub(super) fn handle(&mut self, now: Instant, random: u64, input: Input) -> Step {
        let action = match input {
            Input::Start => self.identify(now),
            Input::Identified { cursor, start } => self.begin(now, random, cursor, start),
            Input::Saved => self.watch(now, random),
            Input::Opened => self.opened(now),
            Input::Refused { status, retry_after, message } => {
                self.refused(now, random, Failure::of_status(status, retry_after, message))
            }
            Input::Ended { whole: true } => self.ended(now, random),
            Input::Ended { whole: false } => self.failed(
                now,
                random,
                Failure::broken("the answer ended in the middle of an object".into()),
            ),
            Input::Broke(why) => self.failed(now, random, Failure::broken(why)),
            Input::Untrusted(why) => self.failed(now, random, Failure::tls(why)),
            Input::Lapsed => self.failed(now, random, Failure::lapsed()),
            Input::Nonsense(why) => self.failed(now, random, Failure::protocol(why)),
            Input::Deadline => self.deadline_passed(now, random),
            Input::NoRoom => self.full(),
            Input::Room => self.go_on(now, random),
            Input::Lost => self.lost(now),
            Input::Stop => {
                self.state = State::Stopped;
                Action::End
            }
        };
        Step { action, notes: std::mem::take(&mut self.notes) }
    }

    fn opened(&mut self, now: Instant) -> Action {
        self.stirred = now;
        if let (State::Opening, Some(cursor)) = (&self.state, &self.cursor) {
            self.notes.push(Note::Watching(cursor.clone()));
            self.unbroken.get_or_insert(now);
            self.state = State::Watching { opened: now, frames: 0 };
        }
        Action::Read
    }

    fn refused(&mut self, now: Instant, random: u64, failure: Failure) -> Action {
        match (&self.state, failure.cause) {
            (State::Opening | State::Watching { .. }, Cause::Gone) => {
                self.relist(now, random, Cause::Gone)
            }
            (State::Listing, Cause::Gone | Cause::Refused) if self.listing.token().is_some() => {
                self.listing.snapshot_lost();
                self.failed(now, random, failure)
            }
            _ => self.failed(now, random, failure),
        }
    }

    fn ended(&mut self, now: Instant, random: u64) -> Action {
        match self.state {
            State::Watching { opened, frames } => {
                let lived = now.saturating_duration_since(opened);
                if frames == 0 && lived < AT_ONCE {
                    return self.relist(now, random, Cause::ClosedAtOnce);
                }
                self.failures = 0;
                self.failed_watches = 0;
                self.notes.push(Note::Restarted(Cause::Closed));
                self.wait_for(now, opened + REOPEN_INTERVAL, Cause::Closed, random)
            }
            State::Checking if self.listing.version().is_some() => self.checked(now, random),
            State::Listing if self.cursor.is_none() && self.listing.skipped_unversioned => {
                self.listing = Listing::default();
                self.list(now)
            }
            State::Listing if self.listing.version().is_some() => {
                match self.listing.page_done() {
                    PageEnd::More => {
                        self.paged = now;
                        self.list(now)
                    }
                    PageEnd::Last => self.list_completed(now, random),
                    PageEnd::NoProgress(why) => {
                        // Asking for the same page would give the same.
                        self.listing.snapshot_lost();
                        self.failed(now, random, Failure::protocol(why))
                    }
                }
            }
            _ => self.failed(
                now,
                random,
                Failure::protocol("the answer was not a list with a resourceVersion"),
            ),
        }
    }

    fn checked(&mut self, now: Instant, random: u64) -> Action {
        let version = std::mem::take(&mut self.listing).version().cloned();
        if std::mem::take(&mut self.begins_now)
            && let Some(version) = version
        {
            self.notes.push(Note::Begun(version.clone()));
            self.listed = true;
            self.alive = now;
            self.cursor = Some(version);
            self.stirred = now;
            self.state = State::Saving;
            return Action::Save;
        }
        // Without a cursor the server was restored.
        if self.cursor.is_none() { self.list(now) } else { self.watch(now, random) }
    }

    /// Goes on with a watch at `at`, at once if that is over.
    fn wait_for(&mut self, now: Instant, at: Instant, cause: Cause, random: u64) -> Action {
        if at <= now {
            return self.watch(now, random);
        }
        self.state = State::Backoff { cause, until: at, then: Then::Watch };
        Action::Sleep
    }

    fn list_completed(&mut self, now: Instant, random: u64) -> Action {
        let listing = std::mem::take(&mut self.listing);
        // `ended` has seen that there is a version.
        let Some(version) = listing.version().cloned() else { return self.list(now) };
        if std::mem::take(&mut self.suspicious) && listing.accepted > 0 && self.cursor.is_some() {
            self.notes.push(Note::Lied { missed: listing.accepted });
        }
        self.notes.push(Note::Listed {
            first: !self.listed,
            accepted: listing.accepted,
            skipped: listing.skipped,
            since: self.cursor.take(),
            version: version.clone(),
        });
        self.listed = true;
        self.alive = now;
        self.cursor = Some(version);
        // They were of another version.
        self.failed_watches = 0;
        self.watch(now, random)
    }

    fn deadline_passed(&mut self, now: Instant, random: u64) -> Action {
        match &self.state {
            State::Backoff { .. } => self.go_on(now, random),
            State::Watching { .. } => {
                self.failures = 0;
                self.suspicious = self
                    .unbroken
                    .is_some_and(|since| now.saturating_duration_since(since) >= QUIET_TIMEOUT);
                self.relist(now, random, Cause::Quiet)
            }
            State::Identifying
            | State::Listing
            | State::Checking
            | State::Saving
            | State::Opening => {
                let why = format!("nothing came for {} s", SILENCE_MAX.as_secs());
                self.failed(now, random, Failure::broken(why))
            }
            State::Full { .. } => Action::AwaitRoom,
            State::Stopped => Action::End,
        }
    }

    fn identify(&mut self, now: Instant) -> Action {
        self.stirred = now;
        self.state = State::Identifying;
        Action::Request(Request::Identity)
    }

    fn begin(
        &mut self,
        now: Instant,
        random: u64,
        cursor: Option<Version>,
        start: Start,
    ) -> Action {
        self.failures = 0;
        self.begins_now = cursor.is_none() && start == Start::Now;
        self.cursor = cursor;
        if self.cursor.is_some() || self.begins_now {
            self.check(now, random)
        } else {
            self.list(now)
        }
    }

    fn list(&mut self, now: Instant) -> Action {
        self.stirred = now;
        self.state = State::Listing;
        let token = self.listing.token().map(str::to_owned);
        Action::Request(Request::List { limit: PAGE_ITEMS, token })
    }

    fn check(&mut self, now: Instant, random: u64) -> Action {
        if self.cursor.as_ref().and_then(Version::number).is_none() && !self.begins_now {
            return self.watch(now, random);
        }
        self.stirred = now;
        self.listing = Listing::default();
        self.state = State::Checking;
        Action::Request(Request::List { limit: 1, token: None })
    }

    fn watch(&mut self, now: Instant, random: u64) -> Action {
        let Some(from) = self.cursor.clone() else { return self.list(now) };
        self.stirred = now;
        self.state = State::Opening;
        // Spread over time, so that the watches of many clients do not end together. Below
        // quiet_timeout, so that a watch of a quiet cluster ends by the server's word at
        // least once before it is suspected.
        let timeout = Duration::from_secs(240 + random % 51);
        Action::Request(Request::Watch { from, timeout })
    }
}
