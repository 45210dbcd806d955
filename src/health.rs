//! Readiness and liveness: what each part says of itself, for `/readyz` and `/livez`.
//!
//! Readiness fails for what needs a person: configuration, modules, buffer, a first list that has
//! not completed, a sink that refuses. An outage does not; it is shown as a note. Liveness fails
//! when a task has made no progress, retries included, for [`STALL_AFTER`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::text::{self, LINE_BYTES_MAX};

/// Twice the source's `quiet_timeout`.
pub(crate) const STALL_AFTER: Duration = Duration::from_secs(600);

/// A part of the pipeline that says how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The buffer on disk.
    Buffer,
    /// Where dead letters are kept.
    DeadLetters,
    /// The Lease.
    Lease,
    /// The modules of the stages.
    Modules,
    /// The saved position.
    Position,
    /// The sink.
    Sink,
    /// The source.
    Source,
}

impl Part {
    /// Its name in `/readyz`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Buffer => "buffer",
            Part::DeadLetters => "dead letters",
            Part::Lease => "lease",
            Part::Modules => "modules",
            Part::Position => "position",
            Part::Sink => "sink",
            Part::Source => "source",
        }
    }

    /// Whether only a leader needs it.
    fn is_of_leaders(self) -> bool {
        matches!(self, Part::Source | Part::Sink)
    }
}

/// A task of that name.
impl AsRef<str> for Part {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

/// What a part of the pipeline says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// All is well.
    Ready,
    /// All is well, or will be without help; the text is shown by `?verbose`.
    Note(String),
    /// Not ready; the text says why and what to do.
    NotReady(String),
}

/// Shared by all parts; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    conditions: BTreeMap<Part, Condition>,
    /// Another replica leads.
    is_following: bool,
    tasks: BTreeMap<String, Instant>,
}

/// What the probes answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the probe passes.
    pub ok: bool,
    /// One line a part: name, `ok` or `not ok`, and why.
    pub lines: Vec<String>,
}

impl Health {
    /// Says how a part is.
    pub(crate) fn set(&self, part: Part, condition: Condition) {
        self.lock().conditions.insert(part, condition);
    }

    /// Says whether another replica leads: then what the source and the sink say is for later, and
    /// fails no probe.
    pub(crate) fn follow(&self, is_following: bool) {
        self.lock().is_following = is_following;
    }

    /// Says that a task has made progress (or has retried, or is waiting with nothing to do).
    pub(crate) fn progress(&self, task: impl AsRef<str>) {
        let task = task.as_ref();
        let mut state = self.lock();
        let now = Instant::now();
        match state.tasks.get_mut(task) {
            Some(at) => *at = now,
            None => {
                state.tasks.insert(task.to_owned(), now);
            }
        }
    }

    /// Says that a task has ended in good order: it can no longer stall.
    pub(crate) fn finished(&self, task: impl AsRef<str>) {
        self.lock().tasks.remove(task.as_ref());
    }

    /// `/readyz`
    pub fn readiness(&self) -> Report {
        let state = self.lock();
        let mut ok = true;
        let mut line = |(part, condition): (&Part, &Condition)| {
            let name = part.name();
            let line = match condition {
                Condition::Ready => format!("{name}: ok"),
                Condition::Note(note) => format!("{name}: ok ({note})"),
                Condition::NotReady(why) if state.is_following && part.is_of_leaders() => {
                    format!("{name}: ok (another replica leads; here: {why})")
                }
                Condition::NotReady(why) => {
                    ok = false;
                    format!("{name}: not ok: {why}")
                }
            };
            // What a server says is in it, too.
            text::one_line(line, LINE_BYTES_MAX)
        };
        let lines = state.conditions.iter().map(&mut line);
        let lines = lines.collect();
        Report { ok, lines }
    }

    /// `/livez`
    pub(crate) fn liveness(&self, now: Instant) -> Report {
        let state = self.lock();
        let mut ok = true;
        let lines = state.tasks.iter().map(|(task, at)| {
            let age = now.saturating_duration_since(*at);
            if age < STALL_AFTER {
                format!("{task}: ok")
            } else {
                ok = false;
                format!("{task}: not ok: no progress for {} s", age.as_secs())
            }
        });
        let lines = lines.collect();
        Report { ok, lines }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_a_person_fails_readiness() {
        let health = Health::default();
        health.set(Part::Modules, Condition::Ready);
        health.set(Part::Sink, Condition::Note("OpenSearch is not reachable".into()));
        assert!(health.readiness().ok);
        health.set(Part::Sink, Condition::NotReady("401: check sink.password".into()));
        assert_eq!(
            health.readiness(),
            Report {
                ok: false,
                lines: vec!["modules: ok".into(), "sink: not ok: 401: check sink.password".into()]
            }
        );
    }

    #[test]
    fn whatever_a_server_says_of_itself_a_part_has_one_line() {
        let health = Health::default();
        let why = format!("403: no\nsink: ok\r\u{1b}[2K\u{85}{}", "x".repeat(1 << 20));
        for condition in [Condition::Note(why.clone()), Condition::NotReady(why)] {
            health.set(Part::Source, condition);
            let lines = health.readiness().lines;
            assert!(!lines[0].contains(text::is_harmful) && lines[0].contains("403: no"));
            assert!(lines[0].len() <= LINE_BYTES_MAX + 3, "{}", lines[0].len());
        }
    }

    #[test]
    fn a_follower_is_ready_without_a_source_or_a_sink() {
        let health = Health::default();
        health.set(Part::Source, Condition::NotReady("starting".into()));
        health.follow(true);
        let report = health.readiness();
        assert_eq!(
            (report.ok, report.lines[0].as_str()),
            (true, "source: ok (another replica leads; here: starting)")
        );
        health.set(Part::Lease, Condition::NotReady("403".into()));
        assert!(!health.readiness().ok);
        health.set(Part::Lease, Condition::Ready);
        health.follow(false);
        assert!(!health.readiness().ok);
    }

    #[test]
    fn a_task_without_progress_fails_liveness_until_it_moves_or_ends() {
        let health = Health::default();
        health.progress("worker-0");
        let later = Instant::now() + STALL_AFTER;
        assert!(health.liveness(Instant::now()).ok);
        assert!(!health.liveness(later).ok);
        health.finished("worker-0");
        assert!(health.liveness(later).ok);
    }
}
