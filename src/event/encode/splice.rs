//! Copies an event's root members, in as few pieces as its gaps allow.

use std::ops::Range;

use crate::event::edits::{ROOT, Tree, Value};
use crate::event::head::Original;
use crate::event::json::decode_bytes;
use crate::event::origin::Pieces;
use crate::event::span::Span;
use crate::event::trusted::same_text;
use crate::event::view::EventView;

/// Which members weir writes itself, of those that it does not always.
#[derive(Clone, Copy)]
pub(super) struct Own {
    pub(super) cluster: bool,
    pub(super) last_timestamp: bool,
}

/// Appends the root members that weir does not write itself, each run of them behind a comma, to
/// the document that begins at `start`. Notes in `pieces` what is copied as it is.
#[inline]
pub(super) fn write_members(
    event: EventView<'_>,
    own: Own,
    start: usize,
    pieces: Option<&mut Pieces>,
    out: &mut Vec<u8>,
) {
    let mut splice = Splice { of: event.of, own, run: 0..0, start, out, pieces };
    if event.edits.is_empty() {
        for at in 0..event.of.members.len() {
            splice.member(at);
        }
    } else {
        splice.edited(event.edits.tree());
    }
    splice.flush();
}

struct Splice<'s> {
    of: Original<'s>,
    own: Own,
    /// Root members that follow each other and are not yet copied, by their indices.
    run: Range<usize>,
    /// Where the document begins in `out`.
    start: usize,
    out: &'s mut Vec<u8>,
    pieces: Option<&'s mut Pieces>,
}

impl Splice<'_> {
    /// Takes an original member as it is, unless weir writes one of this name itself.
    #[inline]
    fn member(&mut self, at: usize) {
        if self.is_own(self.of.members[at].key) {
            return;
        }
        if self.run.end != at || self.run.is_empty() {
            self.flush();
            self.run = at..at;
        }
        self.run.end = at + 1;
    }

    /// Whether weir writes the member of this key itself.
    #[inline]
    fn is_own(&self, key: Span) -> bool {
        // Most members of an event are of another length.
        if !matches!(key.len(), 4 | 10 | 11 | 13) && !key.has_escapes() {
            return false;
        }
        match &*decode_bytes(self.of.bytes, key) {
            b"@timestamp" | b"weir" | b"apiVersion" | b"kind" => true,
            b"clusterName" => self.own.cluster,
            b"lastTimestamp" => self.own.last_timestamp,
            _ => false,
        }
    }

    /// Copies the run: from its first key's quote to its last value's end, but for managedFields.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let Some((first, last)) =
            self.of.members.get(run).and_then(|run| run.first().zip(run.last()))
        else {
            return;
        };
        let range = first.key.range().start - 1..last.value.range().end;
        self.out.push(b',');
        let cut = self.of.head.managed_fields;
        if !cut.is_empty() && range.contains(&cut.range().start) {
            self.copy(range.start..cut.range().start);
            self.copy(cut.range().end..range.end);
        } else {
            self.copy(range);
        }
    }

    #[inline]
    fn copy(&mut self, range: Range<usize>) {
        if let Some(pieces) = &mut self.pieces {
            pieces.note(range.clone(), self.out.len() - self.start);
        }
        self.out.extend_from_slice(&self.of.bytes[range]);
    }

    fn edited(&mut self, tree: &Tree) {
        for node in tree.children(ROOT) {
            match tree.node(node).value {
                // Nodes 1.. are the original's members.
                Value::Text(text) if text.is_source() => self.member(node as usize - 1),
                _ => self.write(tree, node),
            }
        }
    }

    /// Writes an edited or new member. weir's own members cannot be edited.
    fn write(&mut self, tree: &Tree, node: u32) {
        self.flush();
        let key = tree.bytes(self.of, tree.node(node).key);
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key);
        self.out.extend_from_slice(b"\":");
        if same_text(key, "metadata") {
            tree.write_metadata(self.of, node, self.out);
        } else {
            tree.write(self.of, node, self.out);
        }
    }
}
