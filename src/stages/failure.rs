//! How calls fail, and when that is logged.
//!
//! Invariant: at most one line about each kind of failure in [`LOG_INTERVAL`], and every failure is
//! counted by some line sooner or later.

use std::time::{Duration, Instant};

use crate::log_limit::{LogLimiter, Rate};

/// Between two log lines about one kind of failure of one stage.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How a call failed: the `kind` label of `weir_stage_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The guest trapped: a panic, a wrong access, too deep a recursion.
    Trap,
    /// It used its CPU time.
    Timeout,
    /// It trapped after its memory was refused to grow.
    Memory,
    /// It dropped, counted or asked with a number that it did not declare. The call goes on.
    Misuse,
    /// `process` answered an error.
    Error,
    /// It was not called: the breaker is open.
    Breaker,
}

impl FailureKind {
    pub(super) const ALL: [FailureKind; 6] = [
        FailureKind::Trap,
        FailureKind::Timeout,
        FailureKind::Memory,
        FailureKind::Misuse,
        FailureKind::Error,
        FailureKind::Breaker,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            FailureKind::Trap => "trap",
            FailureKind::Timeout => "timeout",
            FailureKind::Memory => "memory",
            FailureKind::Misuse => "misuse",
            FailureKind::Error => "error",
            FailureKind::Breaker => "breaker",
        }
    }
}

/// What has been logged of each kind of failure.
#[derive(Debug)]
pub(super) struct FailureLog([Entry; FailureKind::ALL.len()]);

#[derive(Clone, Copy, Debug)]
struct Entry {
    limiter: LogLimiter<Instant>,
    has_line: bool,
}

impl Default for FailureLog {
    fn default() -> FailureLog {
        let limiter = LogLimiter::new(Rate { burst: 1, interval: LOG_INTERVAL });
        FailureLog([Entry { limiter, has_line: false }; FailureKind::ALL.len()])
    }
}

/// What a line says besides the failure itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether it is the first one about its kind.
    pub(super) is_first: bool,
    /// Failures since the line before.
    pub(super) unsaid: u64,
}

impl FailureLog {
    /// The line to write about a failure now, if there is to be one.
    pub(super) fn line(&mut self, kind: FailureKind, now: Instant) -> Option<Line> {
        let entry = &mut self.0[kind as usize];
        let unsaid = entry.limiter.admit(1, now)?;
        let is_first = !std::mem::replace(&mut entry.has_line, true);
        Some(Line { is_first, unsaid })
    }

    /// How many failures of each kind no line has counted. From now on they count as logged.
    pub(super) fn take_rest(&mut self) -> impl Iterator<Item = (FailureKind, u64)> {
        let rest = FailureKind::ALL.into_iter().zip(&mut self.0);
        rest.map(|(kind, entry)| (kind, entry.limiter.take_suppressed()))
            .filter(|(_, unsaid)| *unsaid > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_failure_is_in_a_lines_number_and_lines_are_rare(
            gaps in prop::collection::vec(0u64..7_000, 1..100),
        ) {
            let (mut log, mut now) = (FailureLog::default(), Instant::now());
            let (mut said, mut last) = (0, None);
            for gap_ms in &gaps {
                now += Duration::from_millis(*gap_ms);
                let Some(line) = log.line(FailureKind::Trap, now) else { continue };
                prop_assert_eq!(line.is_first, last.is_none());
                prop_assert!(last.is_none_or(|last| now - last >= LOG_INTERVAL));
                (said, last) = (said + 1 + line.unsaid, Some(now));
            }
            said += log.take_rest().map(|(_, unsaid)| unsaid).sum::<u64>();
            prop_assert_eq!(said, gaps.len() as u64);
            prop_assert_eq!(log.take_rest().count(), 0);
        }
    }
}
