//! Dashboards that were made for the index of kubernetes-event-exporter, on an index that weir
//! fills: what works as before, and what docs/opensearch.md#dashboards-of-kubernetes-event-exporter
//! says does not.
//!
//! `exporter.ndjson` has what such dashboards are made of: `lastTimestamp` as the time field,
//! `type.keyword`, `metadata.namespace.keyword`, a phrase search on `type`, and their columns.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::about::warnings;
use super::documents::{ALL, Loaded, filled, loaded};
use super::objects::{self, Object, find, text};
use super::request;

fn exporters() -> Vec<Object> {
    objects::read(&text("tests/suite/dashboards/exporter.ndjson"))
}

/// What an object of theirs gets from an index of weir's.
async fn ask(id: &str) -> Value {
    ask_index(loaded(), id).await
}

async fn ask_index(index: &Loaded, id: &str) -> Value {
    let objects = exporters();
    let body = request::body(find(&objects, id), find(&objects, "kube-events"), ALL);
    index.ask(body).await
}

/// The events that such a dashboard can see at all.
fn with_last_timestamp() -> impl Iterator<Item = &'static Value> {
    loaded().events.iter().filter(|event| event["lastTimestamp"].is_string())
}

/// How many documents each bucket has.
fn counts(answer: &Value) -> BTreeMap<String, u64> {
    let buckets = answer["aggregations"]["2"]["buckets"].as_array().unwrap();
    let count = |bucket: &Value| {
        (bucket["key"].as_str().unwrap().to_owned(), bucket["doc_count"].as_u64().unwrap())
    };
    buckets.iter().map(count).collect()
}

fn counted<'a>(values: impl Iterator<Item = &'a Value>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn events_by_type_are_those_that_have_a_last_timestamp() {
    let expected = counted(with_last_timestamp().map(|event| &event["type"]));
    assert_eq!(counts(&ask("kube-events-by-type").await), expected);
    assert!(expected["Warning"] > 100 && expected["Normal"] > 50, "{expected:?}");
}

#[tokio::test]
async fn a_phrase_finds_warnings_by_namespace() {
    let of = with_last_timestamp().filter(|event| warnings(event));
    let expected = counted(of.map(|event| &event["metadata"]["namespace"]));
    assert_eq!(counts(&ask("kube-events-warnings-by-namespace").await), expected);
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["data", "default", "ml", "shop"]);
}

#[tokio::test]
async fn the_columns_of_a_search_are_there() {
    let answer = ask("kube-events-warnings").await;
    let expected = with_last_timestamp().filter(|event| warnings(event)).count();
    let hits = answer["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), expected);
    let objects = exporters();
    let columns = &find(&objects, "kube-events-warnings").attributes["columns"];
    for column in columns.as_array().unwrap() {
        let pointer = format!("/_source/{}", column.as_str().unwrap().replace('.', "/"));
        assert!(hits.iter().all(|hit| hit.pointer(&pointer).is_some()), "{column}");
    }
}

/// What the page says does not work.
#[tokio::test]
async fn by_last_timestamp_the_schedulers_events_are_not_found_and_by_ours_they_are() {
    let objects = exporters();
    let reason = json!({ "match_phrase": { "reason": "FailedScheduling" } });
    let mut body =
        request::body(find(&objects, "kube-events-by-type"), find(&objects, "kube-events"), ALL);
    body["query"]["bool"]["filter"].as_array_mut().unwrap().push(reason.clone());
    assert_eq!(loaded().ask(body).await["hits"]["total"]["value"], 0);
    let ours = objects::ours();
    let mut body = request::body(find(&ours, "weir-all"), find(&ours, "weir-events"), ALL);
    body["query"]["bool"]["filter"].as_array_mut().unwrap().push(reason);
    assert_eq!(loaded().ask(body).await["hits"]["total"]["value"], 15);
}

/// What the page says to do about it, besides: then such a dashboard sees every event.
#[tokio::test]
async fn with_last_timestamp_filled_their_dashboards_see_every_event() {
    let expected = counted(filled().events.iter().map(|event| &event["type"]));
    assert_eq!(counts(&ask_index(filled(), "kube-events-by-type").await), expected);
    assert_ne!(expected, counted(with_last_timestamp().map(|event| &event["type"])));
}
