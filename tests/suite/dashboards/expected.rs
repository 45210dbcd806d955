//! What a visualization must show, computed from the events that weir read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::about::{About, numbered};
use super::objects::Object;
use super::request::{Time, is_metric, width};

/// A visualization or a search, what it is about, and how many versions of how many events of the
/// recordings that are.
pub(super) struct Panel {
    pub(super) id: &'static str,
    pub(super) about: About,
    pub(super) versions: usize,
    pub(super) events: usize,
}

/// A row of a table, or a bar: the values that lead to it, and its numbers in the order of the
/// visualization's metrics. No number: none of the documents has the field.
pub(super) type Row = (Vec<String>, Vec<Option<f64>>);

/// The events that a panel is about.
pub(super) fn about(events: &[Value], about: About, time: Time) -> Vec<&Value> {
    let is_in = |event: &&Value| (time.from..=time.to).contains(&observed(event));
    events.iter().filter(|event| about(event)).filter(is_in).collect()
}

pub(super) fn distinct(events: &[&Value]) -> usize {
    events.iter().map(|event| event["metadata"]["uid"].as_str()).collect::<BTreeSet<_>>().len()
}

/// All rows of a visualization over these events.
pub(super) fn rows(object: &Object, events: &[&Value], time: Time) -> Vec<Row> {
    let aggs = object.aggregations();
    let (metrics, buckets): (Vec<_>, Vec<_>) = aggs.iter().partition(|agg| is_metric(agg));
    let mut rows = Vec::new();
    split(&buckets, &metrics, events, time, &mut Vec::new(), &mut rows);
    rows
}

fn split(
    buckets: &[&Value],
    metrics: &[&Value],
    events: &[&Value],
    time: Time,
    values: &mut Vec<String>,
    rows: &mut Vec<Row>,
) {
    let Some((bucket, inner)) = buckets.split_first() else {
        rows.push((values.clone(), numbers(metrics, events)));
        return;
    };
    for (value, events) in groups(bucket, metrics, events, time) {
        values.push(value);
        split(inner, metrics, &events, time, values, rows);
        values.pop();
    }
}

/// The documents of each value of a bucket aggregation, in the order of its answer.
fn groups<'a>(
    bucket: &Value,
    metrics: &[&Value],
    events: &[&'a Value],
    time: Time,
) -> Vec<(String, Vec<&'a Value>)> {
    let params = &bucket["params"];
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    match bucket["type"].as_str().unwrap() {
        "terms" => {
            for event in events {
                if let Some(value) = value(event, params["field"].as_str().unwrap()) {
                    groups.entry(value).or_default().push(event);
                }
            }
            let mut groups: Vec<_> = groups.into_iter().collect();
            // The most first, those of as much by their names; what has no number is last.
            let number = |events: &[&Value]| numbers(&metrics[..1], events)[0].unwrap_or(-1.0);
            groups.sort_by(|a, b| number(&b.1).total_cmp(&number(&a.1)));
            groups.truncate(params["size"].as_u64().unwrap() as usize);
            groups
        }
        "date_histogram" => {
            for event in events {
                let bar = observed(event) / width(time) * width(time);
                groups.entry(bar.to_string()).or_default().push(event);
            }
            groups.into_iter().collect()
        }
        "filters" => {
            let filters = params["filters"].as_array().unwrap().iter();
            let labels = filters.map(|filter| filter["label"].as_str().unwrap().to_owned());
            labels
                .map(|label| {
                    let about = numbered(&label);
                    (label, events.iter().copied().filter(|event| about(event)).collect())
                })
                .collect()
        }
        other => panic!("buckets by {other}"),
    }
}

fn numbers(metrics: &[&Value], events: &[&Value]) -> Vec<Option<f64>> {
    let number = |metric: &&Value| match metric["params"]["field"].as_str().unwrap() {
        "metadata.uid.keyword" => Some(distinct(events) as f64),
        "count" => {
            let counts = events.iter().filter_map(|event| event["count"].as_f64());
            counts.reduce(f64::max)
        }
        "@timestamp" => events.iter().map(|event| observed(event) as f64).reduce(f64::max),
        other => panic!("a number of {other}"),
    };
    metrics.iter().map(number).collect()
}

/// The value of a field, as it stands in the event.
fn value(event: &Value, field: &str) -> Option<String> {
    let pointer = format!("/{}", field.strip_suffix(".keyword").unwrap().replace('.', "/"));
    event.pointer(&pointer)?.as_str().map(str::to_owned)
}

/// When it was observed, in milliseconds since the epoch.
pub(super) fn observed(event: &Value) -> u64 {
    let text = event["@timestamp"].as_str().unwrap();
    let time: jiff::Timestamp = text.parse().unwrap();
    time.as_millisecond() as u64
}

/// The rows that OpenSearch answered.
pub(super) fn answered(object: &Object, answer: &Value) -> Vec<Row> {
    let aggs = object.aggregations();
    let (metrics, buckets): (Vec<_>, Vec<_>) = aggs.iter().partition(|agg| is_metric(agg));
    let mut rows = Vec::new();
    read(&buckets, &metrics, &answer["aggregations"], &mut Vec::new(), &mut rows);
    rows
}

fn read(
    buckets: &[&Value],
    metrics: &[&Value],
    answer: &Value,
    values: &mut Vec<String>,
    rows: &mut Vec<Row>,
) {
    let Some((bucket, inner)) = buckets.split_first() else {
        let numbers = metrics.iter().map(|m| answer[m["id"].as_str().unwrap()]["value"].as_f64());
        rows.push((values.clone(), numbers.collect()));
        return;
    };
    let of = &answer[bucket["id"].as_str().unwrap()]["buckets"];
    let named: Vec<(String, &Value)> = match of {
        Value::Array(list) => list.iter().map(|bucket| (key(bucket), bucket)).collect(),
        Value::Object(map) => map.iter().map(|(name, bucket)| (name.clone(), bucket)).collect(),
        other => panic!("buckets are {other}"),
    };
    for (value, bucket) in named {
        values.push(value);
        read(inner, metrics, bucket, values, rows);
        values.pop();
    }
}

fn key(bucket: &Value) -> String {
    match &bucket["key"] {
        Value::String(text) => text.clone(),
        number => json!(number).to_string(),
    }
}
