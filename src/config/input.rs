//! The configuration's text while it is read, and what has been found wrong with it so far.
//!
//! Invariant: what a mistake costs does not depend on how many there are, and only so many are kept
//! as are shown: the first ones of the file.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Diagnostics, Location, SHOWN_MAX};
use super::lines::Lines;

/// One file being read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    file: &'a Path,
    lines: Lines<'a>,
    /// The first mistakes of the file, by byte offset.
    kept: BTreeSet<(usize, String)>,
    /// How many there are.
    errors: usize,
    /// Where they are.
    wrong: HashSet<usize>,
    /// Where texts are that hold a variable.
    variables: HashSet<usize>,
}

impl<'a> Input<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Input<'a> {
        Input {
            file,
            lines: Lines::new(text),
            kept: BTreeSet::new(),
            errors: 0,
            wrong: HashSet::new(),
            variables: HashSet::new(),
        }
    }

    /// Notes what is wrong at a byte offset.
    pub(super) fn error(&mut self, at: usize, text: impl fmt::Display) {
        self.error_with(at, || text.to_string());
    }

    /// The same; `text` is only asked for if it may be shown.
    pub(super) fn error_with(&mut self, at: usize, text: impl FnOnce() -> String) {
        self.errors += 1;
        self.wrong.insert(at);
        let is_full = self.kept.len() == SHOWN_MAX;
        if is_full && self.kept.last().is_some_and(|(last, _)| at > *last) {
            return;
        }
        if !self.kept.insert((at, text())) {
            // Told before.
            self.errors -= 1;
        } else if is_full {
            self.kept.pop_last();
        }
    }

    /// Notes a text that holds a variable: what else may be wrong with it follows from that.
    pub(super) fn variable(&mut self, at: usize, text: String) {
        self.variables.insert(at);
        self.error(at, text);
    }

    /// Whether the text at a byte offset holds a variable.
    pub(super) fn holds_variable(&self, at: usize) -> bool {
        self.variables.contains(&at)
    }

    /// Everything that has been noted; `None` when nothing has.
    pub(super) fn into_diagnostics(self) -> Option<Diagnostics> {
        let more = self.errors - self.kept.len();
        let of = |(at, text): &(usize, String)| self.location(*at).error(text);
        let shown: Vec<Diagnostic> = self.kept.iter().map(of).collect();
        Diagnostics::of(shown).map(|diagnostics| diagnostics.and_more(more))
    }

    /// How many diagnostics have been noted.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether something wrong at a byte offset has been noted.
    pub(super) fn is_wrong(&self, at: usize) -> bool {
        self.wrong.contains(&at)
    }

    /// The line and column of a byte offset.
    pub(super) fn location(&self, at: usize) -> Location {
        let (line, column) = self.lines.position(at);
        Location { file: self.file.to_owned(), line, column }
    }

    /// The folder that the configuration's relative paths are relative to.
    pub(super) fn folder(&self) -> PathBuf {
        match self.file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// A path of the configuration, as it is to be opened.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(text)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_many_mistakes_only_the_first_ones_of_the_file_are_put_in_words() {
        let text = "x".repeat(100_000);
        let mut input = Input::new(Path::new("p.toml"), &text);
        let worded = Cell::new(0);
        for at in 0..100_000 {
            input.error_with(at, || {
                worded.set(worded.get() + 1);
                "no".to_owned()
            });
        }
        assert_eq!(worded.get(), SHOWN_MAX);
        assert!(input.is_wrong(99_999));
        let shown = input.into_diagnostics().unwrap().to_string();
        assert_eq!(shown.lines().count(), SHOWN_MAX + 1);
        assert!(shown.ends_with("\np.toml: and 99900 more errors: mend these first"), "{shown}");
    }

    proptest! {
        #[test]
        fn whatever_the_order_in_which_they_are_found_the_first_are_shown_and_all_counted(
            offsets in prop::collection::vec(0usize..1000, 1..400),
        ) {
            let text = "x".repeat(1000);
            let mut input = Input::new(Path::new("p.toml"), &text);
            offsets.iter().enumerate().for_each(|(n, at)| input.error(*at, format!("{n:03}")));
            let diagnostics = input.into_diagnostics().unwrap();
            let mut expected: Vec<_> =
                offsets.iter().enumerate().map(|(n, at)| (at + 1, format!("{n:03}"))).collect();
            expected.sort();
            let shown: Vec<_> = diagnostics
                .iter()
                .map(|it| (it.location.column, it.text.clone()))
                .collect();
            prop_assert_eq!(&shown[..], &expected[..expected.len().min(SHOWN_MAX)]);
            let more = expected.len() - shown.len();
            let says_so = diagnostics.to_string().contains(&format!("and {more} more error"));
            prop_assert_eq!(says_so, more > 0);
        }
    }
}
