//! A validating JSON scanner that does not allocate: positions and spans only.

use super::head::Span;

/// Why a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// The bytes ended inside a value: more may follow.
    End,
    /// Not JSON, at this position.
    Syntax {
        /// Position in the scanned slice.
        at: usize,
        /// What was expected or wrong.
        what: &'static str,
    },
    /// Deeper than `DEPTH_MAX`, at this position.
    Depth {
        /// Position in the scanned slice.
        at: usize,
    },
}

/// Walks over JSON text. Structure, escapes, numbers and control characters are checked;
/// UTF-8 is not (check the whole event's bytes at once: that is far cheaper).
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at position `at` of `bytes`.
    pub fn new(bytes: &'a [u8], at: usize) -> Scanner<'a> {
        Scanner { bytes, at }
    }

    /// Where it stands.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Skips spaces, tabs and line breaks, and answers the next byte without taking it.
    pub fn peek(&mut self) -> Result<u8, ScanError> {
        todo!()
    }

    /// Skips white space and takes exactly `byte`; `what` names it in the error.
    pub fn take(&mut self, _byte: u8, _what: &'static str) -> Result<(), ScanError> {
        todo!()
    }

    /// Takes a string (the scanner stands at its quote, white space before it is skipped).
    pub fn string(&mut self) -> Result<Span, ScanError> {
        todo!()
    }

    /// Takes any one value, checked, and answers the span of its text.
    pub fn value(&mut self) -> Result<Span, ScanError> {
        let _ = self.bytes;
        todo!()
    }
}
