//! Reading an edited event's tree, and writing it as JSON.

use super::node::{MANAGED_FIELDS, NONE, Node, Text, Value};
use super::tree::Tree;
use crate::event::head::Original;
use crate::event::pointer::array_index;
use crate::event::trusted::same_text;

impl Tree {
    /// A node. The indices come from the tree itself.
    pub(in crate::event) fn node(&self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    /// The bytes of a text.
    pub(in crate::event) fn bytes<'t>(&'t self, of: Original<'t>, text: Text) -> &'t [u8] {
        let whole = if text.is_source() { of.bytes } else { &self.text };
        &whole[text.range()]
    }

    /// The children of an opened container, in their order.
    pub(in crate::event) fn children(&self, parent: u32) -> impl Iterator<Item = u32> + '_ {
        let some = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(some(self.first(parent)), move |at| some(self.node(*at).next))
    }

    /// The member or element that `step` names, of an opened container; of a repeated key the last.
    pub(in crate::event) fn child(&self, of: Original<'_>, parent: u32, step: &str) -> Option<u32> {
        match self.node(parent).value {
            Value::Object(_) => {
                let same = |at: &u32| same_text(self.bytes(of, self.node(*at).key), step);
                self.children(parent).filter(same).last()
            }
            Value::Array(_) => array_index(step).and_then(|index| self.children(parent).nth(index)),
            Value::Text(_) => None,
        }
    }

    /// Appends a node's value as JSON. Depth is bounded: `DEPTH_MAX` holds for edited events too.
    pub(in crate::event) fn write(&self, of: Original<'_>, at: u32, out: &mut Vec<u8>) {
        self.write_without(of, at, None, out);
    }

    /// Appends `metadata` as documents have it, without managedFields.
    pub(in crate::event) fn write_metadata(&self, of: Original<'_>, at: u32, out: &mut Vec<u8>) {
        self.write_without(of, at, Some(MANAGED_FIELDS), out);
    }

    fn write_without(&self, of: Original<'_>, at: u32, without: Option<&str>, out: &mut Vec<u8>) {
        let is_object = match self.node(at).value {
            Value::Text(text) => return out.extend_from_slice(self.bytes(of, text)),
            Value::Object(_) => true,
            Value::Array(_) => false,
        };
        out.push(if is_object { b'{' } else { b'[' });
        let mut first = true;
        for child in self.children(at) {
            let key = self.bytes(of, self.node(child).key);
            if without.is_some_and(|without| same_text(key, without)) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            if is_object {
                out.push(b'"');
                out.extend_from_slice(key);
                out.extend_from_slice(b"\":");
            }
            self.write_without(of, child, None, out);
        }
        out.push(if is_object { b'}' } else { b']' });
    }
}
