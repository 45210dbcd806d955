//! Generated events, pointers and edits.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Edit, Payload, Verb};
use crate::event::testing::{Json, styles, values};

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
pub(in crate::event) fn pointers() -> impl Strategy<Value = String> {
    let some = prop::collection::vec(select(&STEPS[..]), 1..4)
        .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect());
    let bad = select(&["", "a", "/a~", "/~2/b"][..]).prop_map(str::to_owned);
    prop_oneof![12 => some, 1 => bad, 1 => "(/\\PC{0,3}){1,3}".boxed()]
}

/// Edits of every kind.
pub(in crate::event) fn edits() -> impl Strategy<Value = Edit> {
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

/// Texts that are times, and texts that are not.
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
fn object(
    members: Vec<(&'static str, BoxedStrategy<Json>)>,
) -> impl Strategy<Value = Vec<(String, Json)>> {
    let maybe = |(key, value): (&'static str, BoxedStrategy<Json>)| {
        prop::option::weighted(0.7, value.prop_map(move |value| (key.to_owned(), value)))
    };
    let members: Vec<_> = members.into_iter().map(maybe).collect();
    members.prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle()
}

fn managed_fields() -> impl Strategy<Value = Json> {
    let entry = object(vec![
        ("time", times().boxed()),
        ("manager", texts().boxed()),
        ("fieldsV1", values().boxed()),
    ]);
    prop_oneof![
        prop::collection::vec(entry.prop_map(Json::Object), 0..3).prop_map(Json::Array),
        values()
    ]
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
pub(in crate::event) fn events() -> impl Strategy<Value = String> {
    let involved = object(vec![
        ("kind", texts().boxed()),
        ("name", texts().boxed()),
        ("fieldPath", texts().boxed()),
        ("a", values().boxed()),
    ]);
    let source = object(vec![
        ("component", texts().boxed()),
        ("host", texts().boxed()),
        ("b", values().boxed()),
    ]);
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
