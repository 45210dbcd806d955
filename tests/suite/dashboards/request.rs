//! The request that OpenSearch Dashboards makes of a saved object. Pure.
//!
//! After its own sources, 2.19 and 3.x alike: `search_source.ts` and `build_opensearch_query.ts`
//! for the body and the query, `agg_configs.ts` and the aggregations' `write` for `aggs`,
//! `time_buckets.ts` and `calc_auto_interval.ts` for the width of a bar, all of
//! <https://github.com/opensearch-project/OpenSearch-Dashboards/tree/main/src/plugins/data/common>.

use serde_json::{Map, Value, json};

use super::objects::Object;

/// `histogram:barTarget`, as it is unless somebody changes it.
const BARS: u64 = 50;
/// `discover:sampleSize`, likewise.
const ROWS: u64 = 500;

/// What the time filter of a dashboard shows, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The body that a visualization or a search in a dashboard sends to `_search`.
pub(super) fn body(object: &Object, pattern: &Object, time: Time) -> Value {
    let time_field = pattern.attributes["timeFieldName"].as_str().unwrap();
    let mut body = json!({
        "query": query(&object.search_source(), time_field, time),
        "stored_fields": ["*"],
        "script_fields": {},
        "docvalue_fields": dates(pattern),
        "_source": { "excludes": [] },
    });
    if object.kind == "visualization" {
        body["size"] = json!(0);
        body["aggs"] = aggregations(&object.aggregations(), time);
        return body;
    }
    body["size"] = json!(ROWS);
    body["version"] = json!(true);
    body["sort"] = Value::from(sort(&object.attributes["sort"]));
    body["highlight"] = json!({
        "pre_tags": ["@opensearch-dashboards-highlighted-field@"],
        "post_tags": ["@/opensearch-dashboards-highlighted-field@"],
        "fields": { "*": {} },
        "fragment_size": 2_147_483_647,
    });
    body
}

/// The same in a dashboard whose query is not empty, such as one that a link leads to.
pub(super) fn within(mut body: Value, query: &str) -> Value {
    body["query"]["bool"]["must"].as_array_mut().unwrap().push(lucene(query));
    body
}

fn sort(saved: &Value) -> Vec<Value> {
    let by = |pair: &Value| {
        let field = pair[0].as_str().unwrap();
        json!({ field: { "order": pair[1], "unmapped_type": "boolean" } })
    };
    saved.as_array().unwrap().iter().map(by).collect()
}

/// Fields of dates are asked for in a form of Dashboards' own.
fn dates(pattern: &Object) -> Vec<Value> {
    let fields = pattern.json("/fields");
    let dates = fields.as_array().unwrap().iter().filter(|field| field["type"] == "date");
    dates.map(|field| json!({ "field": field["name"], "format": "date_time" })).collect()
}

/// The object's query and filters, the dashboard's, which is empty, and the time's.
fn query(source: &Value, time_field: &str, time: Time) -> Value {
    let mut must = vec![json!({ "match_all": {} })];
    let mut filter = source["filter"].as_array().unwrap().clone();
    let language = source["query"]["language"].as_str().unwrap();
    let text = source["query"]["query"].as_str().unwrap();
    match language {
        "lucene" => must.push(lucene(text)),
        "kuery" => filter.push(phrase(text)),
        other => panic!("a query in {other}"),
    }
    filter.push(json!({ "range": { time_field: {
        "gte": time.from, "lte": time.to, "format": "epoch_millis",
    } } }));
    json!({ "bool": { "must": must, "filter": filter, "should": [], "must_not": [] } })
}

fn lucene(query: &str) -> Value {
    if query.trim().is_empty() {
        return json!({ "match_all": {} });
    }
    // The options are the setting `query:queryString:options`.
    json!({ "query_string": { "query": query, "analyze_wildcard": true, "time_zone": "UTC" } })
}

/// Of Dashboards' own language only what the saved objects here have: nothing, or `FIELD : "TEXT"`.
fn phrase(query: &str) -> Value {
    if query.is_empty() {
        return json!({ "match_all": {} });
    }
    let (field, text) = query.split_once(':').unwrap();
    let phrase = json!({ "match_phrase": { field.trim(): text.trim().trim_matches('"') } });
    json!({ "bool": { "should": [phrase], "minimum_should_match": 1 } })
}

/// `aggs`: buckets one within the other, in their order, and the metrics within the last of them.
pub(super) fn aggregations(saved: &[Value], time: Time) -> Value {
    let (metrics, buckets): (Vec<_>, Vec<_>) = saved.iter().partition(|agg| is_metric(agg));
    let mut inner = Map::new();
    for metric in &metrics {
        if metric["type"] != "count" {
            inner.insert(id(metric), json!({ name(metric): { "field": field(metric) } }));
        }
    }
    for bucket in buckets.iter().rev() {
        let mut dsl = Map::new();
        dsl.insert(name(bucket), params(bucket, time));
        // What values are ordered by is there, whatever else is.
        if let Some(order) = ordered_by(bucket, &metrics) {
            inner.entry(id(order)).or_insert(json!({ name(order): { "field": field(order) } }));
        }
        dsl.insert("aggs".to_owned(), Value::Object(std::mem::take(&mut inner)));
        inner.insert(id(bucket), Value::Object(dsl));
    }
    Value::Object(inner)
}

fn ordered_by<'a>(bucket: &Value, metrics: &[&'a Value]) -> Option<&'a Value> {
    let by = bucket["params"].get("orderBy")?;
    metrics.iter().find(|metric| metric["id"] == *by && metric["type"] != "count").copied()
}

fn params(bucket: &Value, time: Time) -> Value {
    let params = &bucket["params"];
    match bucket["type"].as_str().unwrap() {
        "terms" => {
            let order = params["orderBy"].as_str().unwrap();
            json!({
                "field": params["field"], "size": params["size"],
                "order": { order: params["order"] },
            })
        }
        "date_histogram" => {
            assert_eq!(params["interval"], "auto");
            let mut histogram = json!({
                "field": params["field"], "time_zone": "UTC",
                "min_doc_count": params["min_doc_count"],
            });
            let (unit, width) = interval(time);
            histogram[unit] = json!(width);
            histogram
        }
        "filters" => {
            let filters = params["filters"].as_array().unwrap().iter().map(|filter| {
                let must = lucene(filter["input"]["query"].as_str().unwrap());
                let query = json!({ "must": [must], "filter": [], "should": [], "must_not": [] });
                (filter["label"].as_str().unwrap().to_owned(), json!({ "bool": query }))
            });
            json!({ "filters": filters.collect::<Map<_, _>>() })
        }
        other => panic!("buckets by {other}"),
    }
}

/// The width of a bar, as OpenSearch is told it: one hour and one day are units of the calendar.
fn interval(time: Time) -> (&'static str, String) {
    let seconds = width(time) / 1000;
    let (value, unit) = match seconds {
        ..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "m"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    let is_of_calendar = value == 1 && unit != "s";
    (if is_of_calendar { "calendar_interval" } else { "fixed_interval" }, format!("{value}{unit}"))
}

/// The width of a bar, in milliseconds: that of the first bound which is not above the time that
/// each of the bars would have.
pub(super) fn width(time: Time) -> u64 {
    const SECOND: u64 = 1000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const BOUNDS: [(u64, u64); 13] = [
        (7 * DAY, 7 * DAY),
        (24 * HOUR, DAY),
        (6 * HOUR, 12 * HOUR),
        (2 * HOUR, 3 * HOUR),
        (45 * MINUTE, HOUR),
        (20 * MINUTE, 30 * MINUTE),
        (9 * MINUTE, 10 * MINUTE),
        (3 * MINUTE, 5 * MINUTE),
        (45 * SECOND, MINUTE),
        (15 * SECOND, 30 * SECOND),
        (7500, 10 * SECOND),
        (5 * SECOND, 5 * SECOND),
        (500, SECOND),
    ];
    let each = (time.to - time.from) / BARS;
    BOUNDS.iter().find(|(bound, _)| *bound <= each).expect("half a minute at least").1
}

pub(super) fn is_metric(agg: &Value) -> bool {
    agg["schema"] == "metric"
}

fn id(agg: &Value) -> String {
    agg["id"].as_str().unwrap().to_owned()
}

fn name(agg: &Value) -> String {
    agg["type"].as_str().unwrap().to_owned()
}

fn field(agg: &Value) -> Value {
    agg["params"]["field"].clone()
}

#[test]
fn the_width_of_a_bar_is_the_one_that_dashboards_takes() {
    let of = |minutes: u64| interval(Time { from: 0, to: minutes * 60_000 });
    assert_eq!(of(10), ("fixed_interval", "10s".to_owned()));
    assert_eq!(of(15), ("fixed_interval", "30s".to_owned()));
    assert_eq!(of(60), ("calendar_interval", "1m".to_owned()));
    assert_eq!(of(24 * 60), ("fixed_interval", "30m".to_owned()));
    assert_eq!(of(7 * 24 * 60), ("fixed_interval", "3h".to_owned()));
}
