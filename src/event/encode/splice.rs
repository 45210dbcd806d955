//! Copies an event's root members, in as few pieces as its gaps allow.

use crate::event::edits::{Original, ROOT, Tree, Value};
use crate::event::trusted::same_text;
use crate::event::view::EventView;

/// Appends the root members that weir does not write itself, each run of them behind a comma.
pub(super) fn write_members(event: EventView<'_>, cluster: bool, out: &mut Vec<u8>) {
    let mut splice = Splice { of: event.of, run: 0..0, out };
    if event.edits.is_empty() {
        for at in 0..event.of.members.len() {
            if !is_own(splice.key(at), cluster) {
                splice.member(at);
            }
        }
    } else {
        splice.edited(event.edits.tree(), cluster);
    }
    splice.flush();
}

/// Whether weir writes a member of this name itself.
#[inline]
fn is_own(key: &[u8], cluster: bool) -> bool {
    const OWN: [&str; 4] = ["@timestamp", "weir", "apiVersion", "kind"];
    // Most keys are longer or shorter than all of them.
    if !matches!(key.len(), 4 | 10 | 11) && !key.contains(&b'\\') {
        return false;
    }
    OWN.iter().any(|own| same_text(key, own)) || (cluster && same_text(key, "clusterName"))
}

struct Splice<'s> {
    of: Original<'s>,
    /// Root members that follow each other and are not yet copied, by their indices.
    run: std::ops::Range<usize>,
    out: &'s mut Vec<u8>,
}

impl Splice<'_> {
    fn key(&self, at: usize) -> &[u8] {
        &self.of.bytes[self.of.members[at].key.range()]
    }

    /// Takes an original member as it is.
    #[inline]
    fn member(&mut self, at: usize) {
        if self.run.end != at || self.run.is_empty() {
            self.flush();
            self.run = at..at;
        }
        self.run.end = at + 1;
    }

    /// Copies the run: from its first key's quote to its last value's end, but for managedFields.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let Some((first, last)) = self.of.members.get(run).and_then(|run| run.first().zip(run.last())) else {
            return;
        };
        let range = first.key.range().start - 1..last.value.range().end;
        self.out.push(b',');
        let cut = self.of.head.managed_fields;
        if !cut.is_empty() && range.contains(&cut.range().start) {
            self.out.extend_from_slice(&self.of.bytes[range.start..cut.range().start]);
            self.out.extend_from_slice(&self.of.bytes[cut.range().end..range.end]);
        } else {
            self.out.extend_from_slice(&self.of.bytes[range]);
        }
    }

    fn edited(&mut self, tree: &Tree, cluster: bool) {
        for node in tree.children(ROOT) {
            let Value::Text(text) = tree.node(node).value else {
                self.write(tree, node);
                continue;
            };
            let key = tree.bytes(self.of, tree.node(node).key);
            if !text.is_source() {
                self.write(tree, node);
            } else if !is_own(key, cluster) {
                // Nodes 1.. are the original's members.
                self.member(node as usize - 1);
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
