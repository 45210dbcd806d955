//! What happened last: kept only where somebody will read it.

use std::collections::{BTreeMap, VecDeque};

use super::clock::{SECOND, Time};

/// Lines that are kept.
const LINES_MAX: usize = 4_000;

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Trace {
    is_on: bool,
    lines: VecDeque<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl Trace {
    pub(super) fn new(is_on: bool) -> Trace {
        Trace { is_on, lines: VecDeque::new(), counts: BTreeMap::new() }
    }

    pub(super) fn say(&mut self, now: Time, line: impl FnOnce() -> String) {
        if !self.is_on {
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        let mut line = line();
        line.truncate(line.floor_char_boundary(400));
        self.lines.push_back(format!("{:>10.6} {line}", now as f64 / SECOND as f64));
    }

    /// Counts a step.
    pub(super) fn count(&mut self, what: &'static str) {
        if self.is_on {
            *self.counts.entry(what).or_default() += 1;
        }
    }

    pub(super) fn text(&self) -> String {
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        format!("{lines}steps: {:?}", self.counts)
    }
}
