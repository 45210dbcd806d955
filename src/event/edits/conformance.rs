//! The host's run of `tests/conformance/edits.json`, at the level of [`Edits`] and [`EventView`]:
//! the same file is run by the SDK's in-memory event and by a guest in the host.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;
use crate::event::document::Documents;
use crate::event::encode::{EncodeSettings, encode};
use crate::event::head::EventType;
use crate::event::model::Fixture;
use crate::event::view::{EventView, Field};
use crate::event::words::{Search, Words};

const FILE: &str = include_str!("../../../tests/conformance/edits.json");

#[derive(Deserialize)]
struct File {
    event: Box<RawValue>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    event: Option<Box<RawValue>>,
    steps: Vec<Step>,
    end: Option<String>,
    #[serde(default)]
    document: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Step {
    op: String,
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    value: Value,
    times: Option<usize>,
    value_times: Option<usize>,
    #[serde(default)]
    expect: Value,
    expect_json: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    pointer: String,
    text: Option<String>,
    json: Option<Value>,
    #[serde(default)]
    absent: bool,
}

#[test]
fn every_case_of_the_conformance_file_holds() {
    let file: File = serde_json::from_str(FILE).unwrap();
    assert!(file.cases.len() > 40, "only {} cases", file.cases.len());
    for case in &file.cases {
        run(case, case.event.as_ref().unwrap_or(&file.event).get());
    }
}

fn run(case: &Case, event: &str) {
    let event = Fixture::parse(event);
    let mut edits = Edits::default();
    for step in &case.steps {
        for _ in 0..step.times.unwrap_or(1) {
            take(step, &case.name, &event, &mut edits);
        }
    }
    match case.end.as_deref() {
        None => edits.commit(),
        Some("discard" | "error") => {
            edits.rollback();
            assert!(edits.is_empty(), "{}", case.name);
        }
        Some(other) => panic!("unknown end {other}"),
    }
    // What `get` says and what the document holds must be the same.
    let mut out = Documents::default();
    let view = EventView { of: event.of(), edits: &edits };
    encode(view, b"", &[], &EncodeSettings::default(), &mut out);
    let document = Fixture::parse_loosely(std::str::from_utf8(out.body(&out.docs[0])).unwrap());
    let unedited = Edits::default();
    for member in &case.document {
        check(member, &case.name, view);
        check(member, &case.name, EventView { of: document.of(), edits: &unedited });
    }
}

fn check(member: &Member, name: &str, view: EventView<'_>) {
    let found = view.get(&member.pointer).0;
    let place = format!("{name}: {}", member.pointer);
    match (&member.text, &member.json) {
        _ if member.absent => assert_eq!(found, None, "{place}"),
        (Some(text), _) => assert_eq!(found.as_deref(), Some(text.as_str()), "{place}"),
        (_, Some(json)) => assert_eq!(&parsed(found.as_deref()), json, "{place}"),
        _ => panic!("{place} expects nothing"),
    }
}

fn parsed(json: Option<&str>) -> Value {
    serde_json::from_str(json.unwrap_or("\"nothing was found\"")).unwrap()
}

fn take(step: &Step, name: &str, event: &Fixture, edits: &mut Edits) {
    let place = format!("{name}: {} {}", step.op, step.pointer);
    match edit(step, event, edits) {
        Some(result) => {
            let answer = if result.is_ok() { "ok" } else { "refused" };
            assert_eq!(step.expect, answer, "{place}: {result:?}");
        }
        None => {
            let answer = read(step, EventView { of: event.of(), edits });
            match &step.expect_json {
                Some(json) => assert_eq!(&parsed(answer.as_str()), json, "{place}"),
                None => assert_eq!(answer, step.expect, "{place}"),
            }
        }
    }
}

/// Makes an edit; `None` for an unknown operation.
fn edit(step: &Step, event: &Fixture, edits: &mut Edits) -> Option<Result<(), EditError>> {
    let (of, at) = (event.of(), step.pointer.as_str());
    let text = step.value.as_str().unwrap_or_default().repeat(step.value_times.unwrap_or(1));
    Some(match step.op.as_str() {
        "set-string" => edits.set_string(of, at, &text),
        "set-bool" => edits.set_bool(of, at, step.value.as_bool().unwrap()),
        "set-integer" => edits.set_integer(of, at, step.value.as_i64().unwrap()),
        "set-float" => {
            let value = step.value.as_f64().or_else(|| text.parse().ok());
            edits.set_float(of, at, value.unwrap())
        }
        "set-json" => edits.set_json(of, at, &text),
        "append-string" => edits.append_string(of, at, &text),
        "add-string" => edits.add_string(of, at, &text),
        "append-json" => edits.append_json(of, at, &text),
        "remove" => edits.remove(of, at),
        _ => return None,
    })
}

fn read(step: &Step, view: EventView<'_>) -> Value {
    let texts = BTreeMap::from([
        ("type-text", Field::Type),
        ("reason", Field::Reason),
        ("message", Field::Message),
        ("action", Field::Action),
        ("namespace", Field::Namespace),
        ("name", Field::Name),
        ("uid", Field::Uid),
        ("component", Field::Component),
        ("host", Field::Host),
        ("regarding-kind", Field::RegardingKind),
        ("regarding-namespace", Field::RegardingNamespace),
        ("regarding-name", Field::RegardingName),
        ("regarding-uid", Field::RegardingUid),
        ("regarding-api-version", Field::RegardingApiVersion),
        ("regarding-field-path", Field::RegardingFieldPath),
    ]);
    match step.op.as_str() {
        "type" => match view.event_type() {
            EventType::Normal => "normal".into(),
            EventType::Warning => "warning".into(),
            EventType::Other => "other".into(),
        },
        "count" => view.count().into(),
        "first-seen" => view.first_seen().into(),
        "last-seen" => view.last_seen().into(),
        "get" => view.get(&step.pointer).0.into(),
        "mentioned" => {
            let words: Vec<String> = serde_json::from_value(step.value.clone()).unwrap();
            view.mentions(&Words::new(&words).unwrap(), &mut Search::default()).into()
        }
        op => view.text(texts[op]).into(),
    }
}
