//! Reading an event as edited so far: what getters, `get` and `match` answer.
//!
//! Constraints: nothing is allocated but for text with escapes, and an event that nobody edited is
//! read from its head. After an edit only the root member that was opened is read from the tree.

use std::borrow::Cow;

use super::edits::{Edits, ROOT, Value};
use super::head::{EventType, Original};
use super::json::decode_bytes;
use super::pointer::Pointer;
use super::span::Span;
use super::time::{Micros, parse_event_time};
use super::trusted;

#[cfg(test)]
mod tests;

/// An event and the edits made to it.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The event.
    pub of: Original<'a>,
    /// Its edits, pending ones included.
    pub edits: &'a Edits,
}

impl<'a> EventView<'a> {
    /// `/type`
    pub(crate) fn event_type(&self) -> EventType {
        if self.edits.is_empty() {
            return self.of.head.event_type;
        }
        match self.content(Field::Type) {
            b"Normal" => EventType::Normal,
            b"Warning" => EventType::Warning,
            other if other.contains(&b'\\') => match &*trusted::decode(other) {
                "Normal" => EventType::Normal,
                "Warning" => EventType::Warning,
                _ => EventType::Other,
            },
            _ => EventType::Other,
        }
    }

    /// A member of the head as decoded text; `""` when absent, null or no string. Borrowed unless
    /// it has escapes.
    pub fn text(&self, field: Field) -> Cow<'a, str> {
        trusted::decode(self.content(field))
    }

    /// Whether `test` holds for a member of the head: for its decoded text in UTF-8, which is empty
    /// when it is absent, null or no string. Allocates only for one with escapes.
    pub(crate) fn text_is(&self, field: Field, test: impl FnOnce(&[u8]) -> bool) -> bool {
        let content = self.content(field);
        match memchr::memchr(b'\\', content) {
            None => test(content),
            Some(_) => test(trusted::decode(content).as_bytes()),
        }
    }

    /// `/series/count`, else `/count`, else 1. What is no number from 0 to 2³²−1 counts as absent.
    pub(crate) fn count(&self) -> u32 {
        let head = self.of.head;
        // A series cannot be edited.
        if let Some(count) = head.series_count {
            return count;
        }
        let count = match self.edited("count") {
            Edited::No => head.count,
            Edited::Absent => None,
            Edited::Node(node) => {
                self.text_of(node).and_then(|json| std::str::from_utf8(json).ok()?.parse().ok())
            }
        };
        count.unwrap_or(1)
    }

    /// As `wit/event.wit` defines it. No time can be edited.
    pub(crate) fn first_seen(&self) -> Option<Micros> {
        let head = self.of.head;
        self.first_time([head.first_timestamp, head.event_time, head.creation_timestamp])
    }

    /// As `wit/event.wit` defines it. No time can be edited.
    pub(crate) fn last_seen(&self) -> Option<Micros> {
        let head = self.of.head;
        self.first_time([
            head.series_last_observed,
            head.last_timestamp,
            head.event_time,
            head.first_timestamp,
            head.creation_timestamp,
        ])
    }

    /// The JSON text at a pointer, and how many bytes were scanned to find and copy it.
    /// The second number counts also when nothing is found.
    pub(crate) fn get(&self, pointer: &str) -> (Option<Cow<'a, str>>, usize) {
        let mut scanned = pointer.len();
        let Ok(pointer) = Pointer::parse(pointer) else {
            return (None, scanned);
        };
        let json = match self.edits.is_empty() {
            true => self.get_original(pointer, &mut scanned),
            false => self.get_edited(pointer, &mut scanned),
        };
        (json, scanned)
    }

    fn first_time<const N: usize>(&self, spans: [Span; N]) -> Option<Micros> {
        spans.into_iter().find_map(|span| time_at(self.of, span)).map(|(_, micros)| micros)
    }

    /// A member of the head as it stands between its quotes.
    pub(super) fn content(&self, field: Field) -> &'a [u8] {
        if field == Field::Component {
            let component = self.member("source", Some("component"), self.of.head.component);
            if !component.is_empty() {
                return component;
            }
            return self.member("reportingComponent", None, self.of.head.reporting_component);
        }
        let (root, inner, span) = field.location(self.of);
        self.member(root, inner, span)
    }

    #[inline]
    fn member(&self, root: &str, inner: Option<&str>, span: Span) -> &'a [u8] {
        let node = match self.edited(root) {
            Edited::No => return &self.of.bytes[span.range()],
            Edited::Absent => None,
            Edited::Node(node) => match inner {
                None => Some(node),
                // `source` itself can be replaced: then there is nothing inside that was opened.
                Some(inner) => match self.text_of(node) {
                    Some(json) => return inner_content(json, inner),
                    None => self.edits.tree().child(self.of, node, inner),
                },
            },
        };
        node.and_then(|node| self.text_of(node))
            .and_then(trusted::string_content)
            .unwrap_or_default()
    }

    /// Whether a root member was edited, and where it is then.
    #[inline]
    fn edited(&self, root: &str) -> Edited {
        if self.edits.is_empty() {
            return Edited::No;
        }
        let tree = self.edits.tree();
        match tree.child(self.of, ROOT, root) {
            None => Edited::Absent,
            Some(node) => match tree.node(node).value {
                Value::Text(text) if text.is_source() => Edited::No,
                _ => Edited::Node(node),
            },
        }
    }

    /// A node's JSON, unless it is an opened container.
    fn text_of(&self, node: u32) -> Option<&'a [u8]> {
        let tree = self.edits.tree();
        match tree.node(node).value {
            Value::Text(text) => Some(tree.bytes(self.of, text)),
            _ => None,
        }
    }

    fn get_original(&self, pointer: Pointer<'_>, scanned: &mut usize) -> Option<Cow<'a, str>> {
        let mut steps = pointer.steps();
        let Some(root) = steps.next() else {
            *scanned += self.of.bytes.len();
            return Some(trusted::utf8(self.of.bytes));
        };
        *scanned += self.of.members.iter().map(|member| 1 + member.key.len()).sum::<usize>();
        let member = self
            .of
            .members
            .iter()
            .find(|m| trusted::same_text(&self.of.bytes[m.key.range()], &root))?;
        self.get_inside(&self.of.bytes[member.value.range()], steps, scanned)
    }

    fn get_edited(&self, pointer: Pointer<'_>, scanned: &mut usize) -> Option<Cow<'a, str>> {
        let tree = self.edits.tree();
        let mut node = ROOT;
        let mut steps = pointer.steps();
        loop {
            if let Some(json) = self.text_of(node) {
                return self.get_inside(json, steps, scanned);
            }
            let Some(step) = steps.next() else { break };
            *scanned +=
                tree.children(node).map(|child| 1 + tree.node(child).key.len()).sum::<usize>();
            node = tree.child(self.of, node, &step)?;
        }
        let mut json = Vec::with_capacity(128);
        tree.write(self.of, node, &mut json);
        *scanned += json.len();
        let text = String::from_utf8(json);
        Some(Cow::Owned(
            text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ))
    }

    fn get_inside<'p>(
        &self,
        json: &'a [u8],
        steps: impl Iterator<Item = Cow<'p, str>>,
        scanned: &mut usize,
    ) -> Option<Cow<'a, str>> {
        let range = trusted::find(json, steps, scanned)?;
        *scanned += range.len();
        Some(trusted::utf8(&json[range]))
    }
}

/// A root member after the edits.
enum Edited {
    /// As in the original: the head is right about it.
    No,
    /// Not there.
    Absent,
    /// At this node of the tree.
    Node(u32),
}

/// The content of the string member `key` of an object that nobody opened.
fn inner_content<'j>(json: &'j [u8], key: &str) -> &'j [u8] {
    let value = trusted::find(json, std::iter::once(Cow::Borrowed(key)), &mut 0);
    value.and_then(|range| trusted::string_content(&json[range])).unwrap_or_default()
}

/// The time that a head's span holds, with its decoded text.
#[inline]
pub(super) fn time_at(of: Original<'_>, span: Span) -> Option<(Cow<'_, [u8]>, Micros)> {
    if span.is_empty() {
        return None;
    }
    let text = decode_bytes(of.bytes, span);
    let micros = parse_event_time(&text)?;
    Some((text, micros))
}

/// The string members that getters and `match` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `/type`
    Type,
    /// `/reason`
    Reason,
    /// `/message`
    Message,
    /// `/action`
    Action,
    /// `/metadata/namespace`
    Namespace,
    /// `/metadata/name`
    Name,
    /// `/metadata/uid`
    Uid,
    /// `/source/component`, or `/reportingComponent` where that is empty
    Component,
    /// `/source/host`
    Host,
    /// `/involvedObject/kind`
    RegardingKind,
    /// `/involvedObject/namespace`
    RegardingNamespace,
    /// `/involvedObject/name`
    RegardingName,
    /// `/involvedObject/uid`
    RegardingUid,
    /// `/involvedObject/apiVersion`
    RegardingApiVersion,
    /// `/involvedObject/fieldPath`
    RegardingFieldPath,
}

impl Field {
    /// Its root member, the member inside, and its span in the head.
    #[inline]
    fn location(self, of: Original<'_>) -> (&'static str, Option<&'static str>, Span) {
        let head = of.head;
        match self {
            Field::Type => ("type", None, head.type_text),
            Field::Reason => ("reason", None, head.reason),
            Field::Message => ("message", None, head.message),
            Field::Action => ("action", None, head.action),
            Field::Namespace => ("metadata", Some("namespace"), head.namespace),
            Field::Name => ("metadata", Some("name"), head.name),
            Field::Uid => ("metadata", Some("uid"), head.uid),
            Field::Component => ("source", Some("component"), head.component),
            Field::Host => ("source", Some("host"), head.host),
            Field::RegardingKind => ("involvedObject", Some("kind"), head.regarding_kind),
            Field::RegardingNamespace => {
                ("involvedObject", Some("namespace"), head.regarding_namespace)
            }
            Field::RegardingName => ("involvedObject", Some("name"), head.regarding_name),
            Field::RegardingUid => ("involvedObject", Some("uid"), head.regarding_uid),
            Field::RegardingApiVersion => {
                ("involvedObject", Some("apiVersion"), head.regarding_api_version)
            }
            Field::RegardingFieldPath => {
                ("involvedObject", Some("fieldPath"), head.regarding_field_path)
            }
        }
    }
}
