//! The configuration's text while it is read, and what has been found wrong with it so far.

use std::fmt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Location};

/// One file being read.
#[derive(Debug)]
pub(super) struct Input<'a> {
    file: &'a Path,
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Input<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Input<'a> {
        Input { file, text, diagnostics: Vec::new() }
    }

    /// Notes what is wrong at a byte offset.
    pub(super) fn error(&mut self, at: usize, text: impl fmt::Display) {
        self.diagnostics.push(self.location(at).error(text));
    }

    /// Everything that has been noted, in the order in which it was found.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// How many diagnostics have been noted.
    pub(super) fn errors(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether something wrong at a byte offset has been noted.
    pub(super) fn is_wrong(&self, at: usize) -> bool {
        let location = self.location(at);
        self.diagnostics.iter().any(|diagnostic| diagnostic.location == location)
    }

    /// The line and column of a byte offset.
    pub(super) fn location(&self, at: usize) -> Location {
        Location::new(self.file, self.text, at)
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
