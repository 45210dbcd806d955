//! For tests: an event as a plain JSON tree, the rules of editing written down a second time and as
//! simply as possible, and generated events and edits.

mod generate;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::edits::{EditError, Edits};
use super::head::{Head, Member, Original};
use super::parse::{Parsed, parse};
use super::pointer::Pointer;
use super::span::Span;
use super::trusted::Children;
pub(super) use generate::{edits, events, pointers};

/// A parsed event.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(super) bytes: Vec<u8>,
    members: Vec<Member>,
    pub(super) head: Head,
}

impl Fixture {
    /// Parses a valid event.
    pub(crate) fn parse(text: &str) -> Fixture {
        let (mut bytes, mut members) = (text.as_bytes().to_vec(), Vec::new());
        match parse(&mut bytes, &mut members) {
            Parsed::Event { len, head, needs_rewrite: false } if len == bytes.len() => {
                Fixture { bytes, members, head }
            }
            other => panic!("not one event: {other:?} in {text}"),
        }
    }

    /// Takes the root members of any JSON object: an edited event may be none.
    pub(super) fn parse_loosely(text: &str) -> Fixture {
        let bytes = text.as_bytes().to_vec();
        let members = Children::new(&bytes, 0).map(|(key, value)| Member {
            key: Span::plain(key.start, key.end),
            value: Span::plain(value.start, value.end),
        });
        let members = members.collect();
        Fixture { bytes, members, head: Head::default() }
    }

    pub(crate) fn of(&self) -> Original<'_> {
        Original { bytes: &self.bytes, head: &self.head, members: &self.members }
    }
}

/// JSON as parsers understand it: members without order, the last of a name. Numbers keep their
/// text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Model {
    /// A number, `true`, `false` or `null`, as written.
    Plain(String),
    Text(String),
    Array(Vec<Model>),
    Object(BTreeMap<String, Model>),
}

impl Model {
    pub(super) fn parse(json: &str) -> Model {
        Model::try_parse(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    fn try_parse(json: &str) -> serde_json::Result<Model> {
        let raw: Box<RawValue> = serde_json::from_str(json)?;
        Ok(match raw.get().as_bytes()[0] {
            b'{' => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json)?;
                let parsed =
                    members.into_iter().map(|(key, raw)| Ok((key, Model::try_parse(raw.get())?)));
                Model::Object(parsed.collect::<serde_json::Result<_>>()?)
            }
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(json)?;
                Model::Array(
                    items
                        .iter()
                        .map(|raw| Model::try_parse(raw.get()))
                        .collect::<Result<_, _>>()?,
                )
            }
            b'"' => Model::Text(serde_json::from_str(json)?),
            _ => Model::Plain(raw.get().to_owned()),
        })
    }

    pub(super) fn members(&mut self) -> &mut BTreeMap<String, Model> {
        match self {
            Model::Object(members) => members,
            other => panic!("no object: {other:?}"),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Model::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value at a pointer.
    pub(super) fn at(&self, pointer: &str) -> Option<&Model> {
        let mut node = self;
        for step in steps(pointer)? {
            node = match node {
                Model::Object(members) => members.get(&step)?,
                Model::Array(items) => items.get(index(&step)?)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// Applies an edit, and answers whether it is allowed. One that is not changes nothing.
    pub(super) fn edit(&mut self, edit: &Edit) -> bool {
        let Some(steps) = steps(&edit.pointer).filter(|steps| !steps.is_empty()) else {
            return false;
        };
        if Pointer::parse(&edit.pointer).unwrap().protected().is_some() {
            return false;
        }
        let mut edited = self.clone();
        let allowed =
            edit.value().is_some_and(|value| edited.apply(&steps, edit.verb, value).is_some());
        if allowed {
            *self = edited;
        }
        allowed
    }

    fn apply(&mut self, steps: &[String], verb: Verb, value: Model) -> Option<()> {
        let (step, rest) = steps.split_first()?;
        let child = match self {
            Model::Object(members) => {
                if verb == Verb::Remove && (rest.is_empty() || !members.contains_key(step)) {
                    members.remove(step);
                    return Some(());
                }
                members.entry(step.clone()).or_insert(Model::Plain("absent".to_owned()))
            }
            Model::Array(items) => {
                let at = if step == "-" { items.len() } else { index(step)? };
                if verb == Verb::Remove && (rest.is_empty() || at >= items.len()) {
                    if at < items.len() {
                        items.remove(at);
                    }
                    return Some(());
                }
                if at == items.len() {
                    items.push(Model::Plain("absent".to_owned()));
                }
                items.get_mut(at)?
            }
            _ => return None,
        };
        let absent = *child == Model::Plain("absent".to_owned());
        if !rest.is_empty() {
            if absent {
                *child = Model::Object(BTreeMap::new());
            }
            return child.apply(rest, verb, value);
        }
        match (verb, child) {
            (Verb::Append, Model::Array(items)) => items.push(value),
            (Verb::Append, child) if absent => *child = Model::Array(vec![value]),
            (Verb::Append, _) => return None,
            (_, child) => *child = value,
        }
        Some(())
    }
}

fn steps(pointer: &str) -> Option<Vec<String>> {
    Some(Pointer::parse(pointer).ok()?.steps().map(String::from).collect())
}

fn index(step: &str) -> Option<usize> {
    let index: usize = step.parse().ok()?;
    (index.to_string() == step).then_some(index)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verb {
    Set,
    Append,
    Remove,
}

/// What a module may bring.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Text(String),
    Bool(bool),
    Integer(i64),
    Float(f64),
    Json(String),
}

/// One edit that a module may try.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) pointer: String,
    verb: Verb,
    payload: Payload,
}

impl Edit {
    pub(super) fn try_on(&self, edits: &mut Edits, of: Original<'_>) -> Result<(), EditError> {
        let at = &self.pointer;
        match (self.verb, &self.payload) {
            (Verb::Remove, _) => edits.remove(of, at),
            (Verb::Set, Payload::Text(text)) => edits.set_string(of, at, text),
            (Verb::Set, Payload::Bool(value)) => edits.set_bool(of, at, *value),
            (Verb::Set, Payload::Integer(value)) => edits.set_integer(of, at, *value),
            (Verb::Set, Payload::Float(value)) => edits.set_float(of, at, *value),
            (Verb::Set, Payload::Json(json)) => edits.set_json(of, at, json),
            (Verb::Append, Payload::Json(json)) => edits.append_json(of, at, json),
            (Verb::Append, Payload::Text(text)) => edits.append_string(of, at, text),
            (Verb::Append, other) => edits.append_json(of, at, &serde_json_text(other)),
        }
    }

    /// `None` for what is no value.
    fn value(&self) -> Option<Model> {
        if self.verb == Verb::Remove {
            return Some(Model::Plain(String::new()));
        }
        match &self.payload {
            Payload::Json(json) => Model::try_parse(json).ok(),
            Payload::Text(text) => Some(Model::Text(text.clone())),
            Payload::Float(value) if !value.is_finite() => None,
            other => Some(Model::Plain(serde_json_text(other))),
        }
    }
}

fn serde_json_text(payload: &Payload) -> String {
    match payload {
        Payload::Bool(value) => value.to_string(),
        Payload::Integer(value) => value.to_string(),
        Payload::Float(value) if value.is_finite() => serde_json::to_string(value).unwrap(),
        other => format!("{other:?}"),
    }
}
