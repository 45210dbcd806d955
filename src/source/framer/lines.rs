//! Offsets in the input as people read them: line and column.
//!
//! Constraint: line breaks are counted once, when a chunk is left or when a location is asked for,
//! at the speed of memchr; and before an event's own line breaks are made spaces.

use memchr::{memchr_iter, memrchr};

/// A location in the input. Both numbers count from 1; the column counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Which line.
    pub line: u64,
    /// Which byte of it.
    pub column: u64,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Counts the lines of an input that is held in part.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// Position in the input of the first byte that is held.
    base: u64,
    /// Up to where line breaks were counted, in what is held.
    counted: usize,
    line: u64,
    /// Position in the input at which the line begins.
    line_start: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { base: 0, counted: 0, line: 1, line_start: 0 }
    }
}

impl Lines {
    /// Counts what stands before `end`.
    pub(super) fn count(&mut self, held: &[u8], end: usize) {
        let Some(next) = held.get(self.counted..end) else { return };
        if let Some(last) = memrchr(b'\n', next) {
            self.line += memchr_iter(b'\n', next).count() as u64;
            self.line_start = self.base + (self.counted + last + 1) as u64;
        }
        self.counted = end;
    }

    /// Counts what stands before `end`, which is then no longer held.
    pub(super) fn release(&mut self, held: &[u8], end: usize) {
        self.count(held, end);
        self.base += end as u64;
        self.counted = self.counted.saturating_sub(end);
    }

    /// Where `at` stands, which is not before what was counted.
    pub(super) fn location(&self, held: &[u8], at: usize) -> Location {
        let mut lines = self.clone();
        lines.count(held, at);
        let column = (self.base + at as u64).saturating_sub(lines.line_start) + 1;
        Location { line: lines.line, column }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_location_is_that_of_counting_from_the_start(text in "[a\n]{1,40}", cut: prop::sample::Index, at: prop::sample::Index) {
            let (cut, at) = (cut.index(text.len()), at.index(text.len()));
            let (cut, at) = (cut.min(at), cut.max(at));
            let mut lines = Lines::default();
            lines.release(text.as_bytes(), cut);
            let location = lines.location(&text.as_bytes()[cut..], at - cut);
            let before = &text[..at];
            prop_assert_eq!(location.line, before.matches('\n').count() as u64 + 1);
            prop_assert_eq!(location.column, (at - before.rfind('\n').map_or(0, |last| last + 1)) as u64 + 1);
        }
    }
}
