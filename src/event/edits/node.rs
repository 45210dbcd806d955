//! What the tree is made of: texts, values, nodes.

use std::ops::Range;

/// The root's node.
pub(in crate::event) const ROOT: u32 = 0;
/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// The member of `metadata` that documents go without.
pub(super) const MANAGED_FIELDS: &str = "managedFields";

/// A piece of JSON text: of the event's bytes, or of the tree's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::event) struct Text {
    start: u32,
    /// Length; the top bit says that it is the tree's own text.
    len: u32,
}

const OWN: u32 = 1 << 31;

impl Text {
    pub(super) fn source(start: usize, len: usize) -> Text {
        // Events and values are at most a few MiB, far below 2^31.
        Text { start: start as u32, len: len as u32 }
    }

    pub(super) fn own(start: usize, len: usize) -> Text {
        Text { start: start as u32, len: len as u32 | OWN }
    }

    /// A part of this text.
    pub(super) fn part(self, range: &Range<usize>) -> Text {
        Text { start: self.start + range.start as u32, len: range.len() as u32 | self.len & OWN }
    }

    /// Length in bytes.
    pub(in crate::event) fn len(self) -> usize {
        (self.len & !OWN) as usize
    }

    /// Whether this is the event's own text.
    pub(in crate::event) fn is_source(self) -> bool {
        self.len & OWN == 0
    }

    /// Where in the text that it is part of.
    pub(in crate::event) fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len()
    }
}

/// A value: text that nobody opened, or an opened container with its first child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event) enum Value {
    /// The text of any one value.
    Text(Text),
    /// An opened object.
    Object(u32),
    /// An opened array.
    Array(u32),
}

/// A member of an object, or an element of an array.
#[derive(Clone, Copy, Debug)]
pub(in crate::event) struct Node {
    /// The key as it stands between its quotes; nothing for an element.
    pub(in crate::event) key: Text,
    /// The value.
    pub(in crate::event) value: Value,
    /// The next child of the same container, or `NONE`.
    pub(super) next: u32,
}
