//! The opened parts of an event: nodes in one vector, linked by index, so that undoing is writing
//! old nodes back and cutting the vectors off.
//!
//! Invariant: node 0 is the root object, and while anything is edited nodes 1.. are its original
//! members in their order, linked or not.

use super::node::{MANAGED_FIELDS, NONE, Node, ROOT, Text, Value};
use crate::event::head::Original;
use crate::event::pointer::{Pointer, array_index};
use crate::event::trusted::{Children, decode, same_text, string_content};

/// What weir itself writes into a document, in bytes, as far as a limit on its size can know it.
pub(super) const OWN_MEMBERS_BYTES: usize = 256;

/// `clear` keeps this many nodes' and bytes' memory; an event that needed more gives the rest back.
const KEPT_NODES: usize = 4096;
const KEPT_BYTES: usize = 256 << 10;

/// How many nodes the edits of an event usually make.
const NEW_NODES: usize = 16;

/// What an edit does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb {
    Set,
    Append,
    /// Appends a string that is not there.
    Add,
    Remove,
}

/// The opened parts of one event.
#[derive(Clone, Debug, Default)]
pub(in crate::event) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) text: Vec<u8>,
    /// Nodes as they were, oldest first.
    undo: Vec<(u32, Node)>,
    /// How much longer than the original the document is.
    grown: i64,
}

/// A state of the tree to go back to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Savepoint {
    nodes: usize,
    text: usize,
    undo: usize,
    grown: i64,
}

/// A child that was found, and the one before it (`NONE`: it is the first).
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    node: u32,
}

/// What stands where a step leads.
enum Step {
    Found(Link),
    /// Nothing; a new child would go behind this one (`NONE`: it would be the first).
    Missing {
        last: u32,
    },
    /// Nothing, and no child can be made there.
    PastEnd,
}

impl Tree {
    /// Bytes outside of itself that a copy takes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&self.nodes[..]) + size_of_val(&self.undo[..]) + self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Bytes that are allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        let node = size_of::<Node>();
        self.nodes.capacity() * node
            + self.undo.capacity() * (node + size_of::<u32>())
            + self.text.capacity()
    }

    pub(super) fn clear(&mut self) {
        self.revert(Savepoint::default());
        self.nodes.shrink_to(KEPT_NODES);
        self.undo.shrink_to(KEPT_NODES);
        self.text.shrink_to(KEPT_BYTES);
    }

    pub(super) fn savepoint(&self) -> Savepoint {
        Savepoint {
            nodes: self.nodes.len(),
            text: self.text.len(),
            undo: self.undo.len(),
            grown: self.grown,
        }
    }

    pub(super) fn forget_undo(&mut self) {
        self.undo.clear();
    }

    pub(super) fn revert(&mut self, to: Savepoint) {
        // Newest first, so that of a node that changed twice the oldest form remains.
        for (at, node) in self.undo.drain(to.undo.min(self.undo.len())..).rev() {
            self.nodes[at as usize] = node;
        }
        self.nodes.truncate(to.nodes);
        self.text.truncate(to.text);
        self.grown = to.grown;
    }

    /// The length of the document in bytes: exact but for what weir itself writes, which is
    /// estimated, and one byte for each opened container; never too small by more than the
    /// former.
    pub(in crate::event) fn size(&self, of: Original<'_>) -> usize {
        let original = of.bytes.len() - of.head.managed_fields.len() + OWN_MEMBERS_BYTES;
        original.saturating_add_signed(self.grown as isize)
    }

    /// Applies one edit with a stored value; answers whether it changed anything.
    pub(super) fn apply(
        &mut self,
        of: Original<'_>,
        pointer: Pointer<'_>,
        verb: Verb,
        value: Text,
    ) -> Result<bool, &'static str> {
        self.open_root(of);
        let create = !matches!(verb, Verb::Remove);
        let mut parent = NONE;
        let mut link = Link { before: NONE, node: ROOT };
        let mut created = false;
        for step in pointer.steps() {
            self.open(of, link.node)?;
            parent = link.node;
            match self.step(of, parent, &step)? {
                Step::Found(found) => link = found,
                Step::Missing { .. } | Step::PastEnd if !create => return Ok(false),
                Step::PastEnd => return Err("the index is past the array's end"),
                Step::Missing { last } => {
                    let key = self.store_key(parent, &step);
                    let node = self.insert(parent, last, key, Value::Object(NONE));
                    link = Link { before: last, node };
                    created = true;
                }
            }
        }
        match verb {
            Verb::Set => self.replace(link.node, Value::Text(value)),
            Verb::Append => self.append(of, link.node, created, value)?,
            Verb::Add if !created && self.has_string(of, link.node, value)? => return Ok(false),
            Verb::Add => self.append(of, link.node, created, value)?,
            Verb::Remove => self.unlink(parent, link),
        }
        Ok(true)
    }

    /// Whether an element of the array means the same string as `value`.
    fn has_string(&mut self, of: Original<'_>, at: u32, value: Text) -> Result<bool, &'static str> {
        self.open_array(of, at)?;
        let own = decode(string_content(self.bytes(of, value)).unwrap_or_default());
        Ok(self.children(at).any(|child| match self.node(child).value {
            Value::Text(text) => {
                let content = string_content(self.bytes(of, text));
                content.is_some_and(|content| same_text(content, &own))
            }
            _ => false,
        }))
    }

    fn open_array(&mut self, of: Original<'_>, at: u32) -> Result<(), &'static str> {
        const NOT_AN_ARRAY: &str = "it is not an array, so nothing can be appended";
        self.open(of, at).map_err(|_| NOT_AN_ARRAY)?;
        match self.node(at).value {
            Value::Array(_) => Ok(()),
            _ => Err(NOT_AN_ARRAY),
        }
    }

    fn append(
        &mut self,
        of: Original<'_>,
        at: u32,
        created: bool,
        value: Text,
    ) -> Result<(), &'static str> {
        if created {
            self.replace(at, Value::Array(NONE));
        }
        self.open_array(of, at)?;
        let last = self.children(at).last().unwrap_or(NONE);
        self.insert(at, last, Text::default(), Value::Text(value));
        Ok(())
    }

    fn open_root(&mut self, of: Original<'_>) {
        if !self.nodes.is_empty() {
            return;
        }
        let first = if of.members.is_empty() { NONE } else { ROOT + 1 };
        self.nodes.reserve(1 + of.members.len() + NEW_NODES);
        self.nodes.push(Node { key: Text::default(), value: Value::Object(first), next: NONE });
        self.nodes.extend(of.members.iter().zip(ROOT + 2..).map(|(member, next)| {
            let key = Text::source(member.key.range().start, member.key.len());
            let value = Text::source(member.value.range().start, member.value.len());
            Node { key, value: Value::Text(value), next }
        }));
        // The root itself is never undone: it is cut off with the vector.
        if let Some(last) = self.nodes.last_mut() {
            last.next = NONE;
        }
    }

    /// Makes nodes of a container's children, if it is still text. Scalars are an error.
    fn open(&mut self, of: Original<'_>, at: u32) -> Result<(), &'static str> {
        let Value::Text(text) = self.node(at).value else {
            return Ok(());
        };
        let whole = if text.is_source() { of.bytes } else { &self.text };
        let json = &whole[text.range()];
        let is_object = match json.first() {
            Some(b'{') => true,
            Some(b'[') => false,
            _ => return Err("a string, number, boolean or null stands in the way"),
        };
        let managed = of.head.managed_fields;
        // Only `metadata` itself is opened around its managedFields: nothing inside those can be
        // edited.
        let has_managed = text.is_source()
            && !managed.is_empty()
            && text.range().contains(&managed.range().start);
        let mut size = 2;
        let mut raw_size = text.len();
        let first = self.nodes.len() as u32;
        for (key, value) in Children::new(json, 0) {
            let node = Node {
                key: text.part(&key),
                value: Value::Text(text.part(&value)),
                next: self.nodes.len() as u32 + 1,
            };
            if has_managed && same_text(&json[key.clone()], MANAGED_FIELDS) {
                // Part of neither: the document goes without.
                raw_size -= managed.len();
            } else {
                size += value.len() + if is_object { key.len() + 4 } else { 1 };
            }
            self.nodes.push(node);
        }
        let first = if self.nodes.len() as u32 == first { NONE } else { first };
        if first != NONE
            && let Some(last) = self.nodes.last_mut()
        {
            last.next = NONE;
        }
        self.grown += size as i64 - raw_size as i64;
        self.put(at, |node| {
            node.value = if is_object { Value::Object(first) } else { Value::Array(first) }
        });
        Ok(())
    }

    /// Looks for a child of an opened container. Of a key that stands there more than once the last
    /// is taken, and the others are removed: an edit goes through here.
    fn step(&mut self, of: Original<'_>, parent: u32, step: &str) -> Result<Step, &'static str> {
        if matches!(self.node(parent).value, Value::Array(_)) {
            return self.element(parent, step);
        }
        let mut found: Option<Link> = None;
        let mut before = NONE;
        let mut at = self.first(parent);
        loop {
            let same;
            (before, same) = self.next_named(of, before, at, step);
            let Some(node) = same else {
                return Ok(found.map_or(Step::Missing { last: before }, Step::Found));
            };
            if let Some(earlier) = found {
                self.unlink(parent, earlier);
                if before == earlier.node {
                    before = earlier.before;
                }
            }
            found = Some(Link { before, node });
            before = node;
            at = self.node(node).next;
        }
    }

    /// The first member from `at` on whose key means `name`, and the one before it: `before` where
    /// it is the first; the last one where there is none.
    #[inline(never)] // So that the loop has the registers: each edit goes through all members.
    fn next_named(
        &self,
        of: Original<'_>,
        mut before: u32,
        mut at: u32,
        name: &str,
    ) -> (u32, Option<u32>) {
        let (source, own, nodes) = (of.bytes, &self.text[..], &self.nodes[..]);
        while let Some(node) = nodes.get(at as usize) {
            let key = if node.key.is_source() { source } else { own };
            if node.key.len() >= name.len() && same_text(&key[node.key.range()], name) {
                return (before, Some(at));
            }
            (before, at) = (at, node.next);
        }
        (before, None)
    }

    fn element(&self, parent: u32, step: &str) -> Result<Step, &'static str> {
        let index = match step {
            "-" => None,
            _ => Some(
                array_index(step)
                    .ok_or("an array's index is a number without leading zeros, or `-`")?,
            ),
        };
        let mut before = NONE;
        let mut len = 0;
        for node in self.children(parent) {
            if index == Some(len) {
                return Ok(Step::Found(Link { before, node }));
            }
            before = node;
            len += 1;
        }
        match index {
            Some(index) if index > len => Ok(Step::PastEnd),
            _ => Ok(Step::Missing { last: before }),
        }
    }

    /// Appends the key of a new child to the own text; nothing for an element.
    fn store_key(&mut self, parent: u32, step: &str) -> Text {
        if matches!(self.node(parent).value, Value::Array(_)) {
            return Text::default();
        }
        let quoted = self.store_string(step);
        Text::own(quoted.range().start + 1, quoted.len() - 2)
    }

    fn insert(&mut self, parent: u32, before: u32, key: Text, value: Value) -> u32 {
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { key, value, next: NONE });
        self.link(parent, before, node);
        self.grown += self.member_size(parent, node);
        node
    }

    fn unlink(&mut self, parent: u32, link: Link) {
        self.grown -= self.member_size(parent, link.node);
        let next = self.node(link.node).next;
        self.link(parent, link.before, next);
    }

    /// Makes `next` follow `before`, or the first child of `parent`.
    fn link(&mut self, parent: u32, before: u32, next: u32) {
        if before != NONE {
            return self.put(before, |node| node.next = next);
        }
        self.put(parent, |node| {
            node.value = match node.value {
                Value::Array(_) => Value::Array(next),
                _ => Value::Object(next),
            };
        });
    }

    fn replace(&mut self, at: u32, value: Value) {
        self.grown -= self.value_size(self.node(at).value);
        self.put(at, |node| node.value = value);
        self.grown += self.value_size(value);
    }

    /// The one way to change a node.
    fn put(&mut self, at: u32, change: impl FnOnce(&mut Node)) {
        let node = &mut self.nodes[at as usize];
        self.undo.push((at, *node));
        change(node);
    }

    fn member_size(&self, parent: u32, at: u32) -> i64 {
        let node = self.node(at);
        let is_object = matches!(self.node(parent).value, Value::Object(_));
        // Quotes, colon and comma; or the comma alone.
        let around = if is_object { node.key.len() as i64 + 4 } else { 1 };
        around + self.value_size(node.value)
    }

    fn value_size(&self, value: Value) -> i64 {
        match value {
            Value::Text(text) => text.len() as i64,
            Value::Object(first) | Value::Array(first) => {
                let is_object = matches!(value, Value::Object(_));
                let mut size = 2;
                let mut at = first;
                while at != NONE {
                    let node = self.node(at);
                    size += self.value_size(node.value)
                        + if is_object { node.key.len() as i64 + 4 } else { 1 };
                    at = node.next;
                }
                size
            }
        }
    }

    pub(super) fn first(&self, parent: u32) -> u32 {
        match self.node(parent).value {
            Value::Object(first) | Value::Array(first) => first,
            Value::Text(_) => NONE,
        }
    }
}
