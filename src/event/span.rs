//! Where a text stands in an event.

use std::ops::Range;

/// Part of an event's bytes, relative to the event's first byte. The default is "absent".
///
/// Of a JSON string it covers the characters between the quotes, with their escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    /// Length; the top bit says that the text has escapes.
    len: u32,
}

const ESCAPED: u32 = 1 << 31;

impl Span {
    /// A span without escapes.
    pub(crate) fn plain(start: usize, end: usize) -> Span {
        // Events are at most EVENT_BYTES_MAX bytes, far below 2^31.
        Span { start: start as u32, len: (end - start) as u32 }
    }

    /// A string's span whose text has `\` escapes.
    pub(crate) fn escaped(start: usize, end: usize) -> Span {
        Span { start: start as u32, len: (end - start) as u32 | ESCAPED }
    }

    /// The bytes of the event that this covers.
    pub fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len()
    }

    /// Length in bytes, escapes as written.
    pub(crate) fn len(self) -> usize {
        (self.len & !ESCAPED) as usize
    }

    /// Nothing there: an absent member, or an empty string.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the text has `\` escapes and must be decoded.
    pub(crate) fn has_escapes(self) -> bool {
        self.len & ESCAPED != 0
    }
}
