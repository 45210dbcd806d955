//! For tests: an event as a plain JSON tree, the rules of editing written down a second time and as simply as
//! possible, and generated events and edits.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;

use super::edits::{EditError, Edits, Original};
use super::head::{Head, Member, Span};
use super::parse::{Parsed, parse};
use super::pointer::Pointer;
use super::testing::{Json, styles, values};
use super::trusted::Children;

/// A parsed event.
#[derive(Debug)]
pub(super) struct Fixture {
    pub(super) bytes: Vec<u8>,
    members: Vec<Member>,
    pub(super) head: Head,
}

impl Fixture {
    /// Parses a valid event.
    pub(super) fn parse(text: &str) -> Fixture {
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

    pub(super) fn of(&self) -> Original<'_> {
        Original { bytes: &self.bytes, head: &self.head, members: &self.members }
    }
}

/// JSON as parsers understand it: members without order, the last of a name. Numbers keep their text.
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
                let parsed = members.into_iter().map(|(key, raw)| Ok((key, Model::try_parse(raw.get())?)));
                Model::Object(parsed.collect::<serde_json::Result<_>>()?)
            }
            b'[' => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(json)?;
                Model::Array(items.iter().map(|raw| Model::try_parse(raw.get())).collect::<Result<_, _>>()?)
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
        let allowed = edit.value().is_some_and(|value| edited.apply(&steps, edit.verb, value).is_some());
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

const STEPS: [&str; 24] = [
    "metadata",
    "labels",
    "annotations",
    "involvedObject",
    "source",
    "component",
    "reason",
    "message",
    "type",
    "count",
    "tags",
    "list",
    "a",
    "b",
    "",
    "0",
    "1",
    "2",
    "-",
    "01",
    "a~1b",
    "m~0n",
    "kind",
    "weir",
];

/// Pointers, most of them to something, some of them bad.
pub(super) fn pointers() -> impl Strategy<Value = String> {
    let some = prop::collection::vec(select(&STEPS[..]), 1..4)
        .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect());
    prop_oneof![12 => some, 1 => select(&["", "a", "/a~", "/~2/b"][..]).prop_map(str::to_owned), 1 => "(/\\PC{0,3}){1,3}".boxed()]
}

/// Edits of every kind.
pub(super) fn edits() -> impl Strategy<Value = Edit> {
    let json = (values(), styles()).prop_map(|(value, mut style)| value.write(&mut style));
    let payload = prop_oneof![
        1 => any::<String>().prop_map(Payload::Text),
        1 => any::<bool>().prop_map(Payload::Bool),
        1 => any::<i64>().prop_map(Payload::Integer),
        1 => prop::num::f64::ANY.prop_map(Payload::Float),
        4 => json.prop_map(Payload::Json),
        1 => "\\PC{0,4}".prop_map(Payload::Json),
    ];
    let verb = prop_oneof![4 => Just(Verb::Set), 3 => Just(Verb::Append), 2 => Just(Verb::Remove)];
    (pointers(), verb, payload).prop_map(|(pointer, verb, payload)| Edit { pointer, verb, payload })
}

/// Times that are read, and what is none.
fn times() -> impl Strategy<Value = Json> {
    let texts = [
        "2024-05-01T10:00:00Z",
        "2024-05-01T10:00:00.123456Z",
        "2024-05-01T12:00:00+02:00",
        "2024-05-01t10:00:00.5z",
        "2024-05-02T09:59:59.1234567891Z",
        "2024-05-03T00:00:00Z",
        "1999-01-01T00:00:00-23:00",
        "2016-12-31T23:59:60Z",
        "",
        "yesterday",
        "2024-02-30T00:00:00Z",
    ];
    prop_oneof![2 => Just(Json::Null), 8 => select(texts.to_vec()).prop_map(Json::text)]
}

fn texts() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        Just(Json::text("Normal")),
        "[a-zA-Z\"\\\\é😀-]{0,9}".prop_map(Json::String)
    ]
}

/// Members that are there or not, in any order.
fn object(members: Vec<(&'static str, BoxedStrategy<Json>)>) -> impl Strategy<Value = Vec<(String, Json)>> {
    let maybe = |(key, value): (&'static str, BoxedStrategy<Json>)| {
        prop::option::weighted(0.7, value.prop_map(move |value| (key.to_owned(), value)))
    };
    let members: Vec<_> = members.into_iter().map(maybe).collect();
    members.prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle()
}

fn managed_fields() -> impl Strategy<Value = Json> {
    let entry =
        object(vec![("time", times().boxed()), ("manager", texts().boxed()), ("fieldsV1", values().boxed())]);
    prop_oneof![prop::collection::vec(entry.prop_map(Json::Object), 0..3).prop_map(Json::Array), values()]
}

fn metadata() -> impl Strategy<Value = Json> {
    let members = vec![
        ("name", texts().boxed()),
        ("namespace", texts().boxed()),
        ("uid", texts().boxed()),
        ("resourceVersion", texts().boxed()),
        ("creationTimestamp", times().boxed()),
        ("managedFields", managed_fields().boxed()),
        ("labels", values().boxed()),
        ("weir", values().boxed()),
    ];
    object(members).prop_map(Json::Object)
}

fn series() -> impl Strategy<Value = Json> {
    let count = any::<u32>().prop_map(|count| Json::Number(count.to_string()));
    let series = object(vec![("count", count.boxed()), ("lastObservedTime", times().boxed())]);
    prop_oneof![Just(Json::Null), series.prop_map(Json::Object)]
}

/// Valid core/v1 events of every shape and spelling, hostile ones among them.
pub(super) fn events() -> impl Strategy<Value = String> {
    let involved = object(vec![
        ("kind", texts().boxed()),
        ("name", texts().boxed()),
        ("fieldPath", texts().boxed()),
        ("a", values().boxed()),
    ]);
    let source =
        object(vec![("component", texts().boxed()), ("host", texts().boxed()), ("b", values().boxed())]);
    let known = object(vec![
        ("apiVersion", Just(Json::text("v1")).boxed()),
        ("kind", Just(Json::text("Event")).boxed()),
        ("metadata", metadata().boxed()),
        ("reason", texts().boxed()),
        ("message", texts().boxed()),
        ("type", texts().boxed()),
        ("action", texts().boxed()),
        ("count", any::<u32>().prop_map(|count| Json::Number(count.to_string())).boxed()),
        ("source", source.prop_map(Json::Object).boxed()),
        ("reportingComponent", texts().boxed()),
        ("firstTimestamp", times().boxed()),
        ("lastTimestamp", times().boxed()),
        ("eventTime", times().boxed()),
        ("series", series().boxed()),
        ("@timestamp", values().boxed()),
        ("clusterName", values().boxed()),
        ("weir", values().boxed()),
        ("tags", values().boxed()),
        ("list", values().boxed()),
        ("managedFields", values().boxed()),
        ("", values().boxed()),
        ("a", values().boxed()),
        ("b", values().boxed()),
        ("kin", values().boxed()),
    ]);
    let all = (known, involved).prop_map(|(mut members, involved)| {
        members.push(("involvedObject".to_owned(), Json::Object(involved)));
        members
    });
    (all.prop_shuffle(), styles())
        .prop_map(|(members, mut style)| Json::Object(members).write(&mut style).trim().to_owned())
}
