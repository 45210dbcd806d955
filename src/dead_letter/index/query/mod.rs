//! Makes the requests to an index of letters, and reads its answers. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::entry::{Entry, Owner};
use super::interface::{Found, Query, Stub, Usage, Writing};
use crate::dead_letter::kept::{LetterId, Version};
use crate::opensearch::{Answer, Class, Unavailable, classify, what_it_is};

/// Letters of one page: their ids alone.
const PAGE_MAX: usize = 500;

/// Whether an item's answer means that there is nothing left to do for it.
pub(super) type IsSettled = fn(&Answer) -> bool;

/// Those of the owner, and what more is asked.
fn filter(owner: &Owner, more: Vec<Value>) -> Value {
    let mut filter = vec![json!({ "term": { "pipeline": owner.pipeline } })];
    filter.extend(more);
    match &owner.cluster {
        Some(cluster) => filter.push(json!({ "term": { "cluster": cluster } })),
        None => {
            filter.push(json!({ "bool": { "must_not": { "exists": { "field": "cluster" } } } }))
        }
    }
    json!({ "bool": { "filter": filter } })
}

fn of_ids(ids: &[LetterId]) -> Value {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    json!({ "ids": { "values": ids } })
}

pub(super) fn usage(owner: &Owner) -> Value {
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": filter(owner, Vec::new()),
        "aggs": {
            "bytes": { "sum": { "field": "bytes" } },
            "newest": { "max": { "field": "@timestamp" } },
        },
    })
}

pub(super) fn parse_usage(body: &[u8]) -> Result<Usage, String> {
    #[derive(Deserialize)]
    struct Answer {
        aggregations: Aggregations,
    }
    #[derive(Deserialize)]
    struct Aggregations {
        bytes: Number,
        newest: Number,
    }
    #[derive(Deserialize)]
    struct Number {
        value: Option<f64>,
    }
    let Answer { aggregations } =
        serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let bytes = aggregations.bytes.value.unwrap_or_default() as u64;
    Ok(Usage { bytes, newest: aggregations.newest.value.map(|time| time as i64) })
}

pub(super) fn page(owner: &Owner, query: &Query, behind: Option<&Stub>) -> Value {
    let mut more = Vec::new();
    more.extend(query.ids.as_deref().map(of_ids));
    more.extend(query.until.map(
        |time| json!({ "range": { "@timestamp": { "lte": time, "format": "epoch_millis" } } }),
    ));
    let mut body = json!({
        "size": PAGE_MAX,
        "track_total_hits": false,
        "_source": false,
        "docvalue_fields": ["bytes"],
        "query": filter(owner, more),
        "sort": [{ "@timestamp": "asc" }, { "id": "asc" }],
    });
    if let Some(Stub { time, id, .. }) = behind {
        body["search_after"] = json!([time, id.to_string()]);
    }
    body
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Search<T> {
    hits: Hits<T>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Hits<T> {
    hits: Vec<T>,
}

pub(super) fn parse_page(body: &[u8]) -> Result<Vec<Stub>, String> {
    #[derive(Deserialize)]
    struct Hit {
        sort: (i64, String),
        #[serde(default)]
        fields: Fields,
    }
    #[derive(Default, Deserialize)]
    struct Fields {
        #[serde(default)]
        bytes: Vec<u64>,
    }
    let Search::<Hit> { hits } =
        serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let stub = |hit: Hit| {
        let (time, id) = hit.sort;
        let id = id.parse().map_err(|_| unusable(format!("`{id}` is not the id of a letter")))?;
        Ok(Stub { id, time, bytes: hit.fields.bytes.first().copied().unwrap_or_default() })
    };
    hits.hits.into_iter().map(stub).collect()
}

pub(super) fn read(owner: &Owner, ids: &[LetterId]) -> Value {
    json!({
        "size": ids.len(),
        "track_total_hits": false,
        "seq_no_primary_term": true,
        "query": filter(owner, vec![of_ids(ids)]),
    })
}

pub(super) fn parse_found(body: &[u8]) -> Result<Vec<Found>, String> {
    #[derive(Deserialize)]
    struct Hit<'a> {
        _id: String,
        _seq_no: u64,
        _primary_term: u64,
        #[serde(borrow)]
        _source: &'a RawValue,
    }
    let Search::<Hit<'_>> { hits } =
        serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    let found = |hit: Hit<'_>| {
        let id = hit
            ._id
            .parse()
            .map_err(|_| unusable(format!("`{}` is not the id of a letter", hit._id)))?;
        let version = Version { seq_no: hit._seq_no, primary_term: hit._primary_term };
        Ok(Found { id, version, source: hit._source.get().as_bytes().to_vec() })
    };
    hits.hits.into_iter().map(found).collect()
}

fn unusable(why: impl std::fmt::Display) -> String {
    format!("the answer cannot be used: {why}")
}

fn unreadable(body: &[u8], error: &serde_json::Error) -> String {
    unusable(what_it_is(body, error))
}

/// Whether this is the mapping of the index itself, and one that letters can be looked for with.
pub(super) fn check_mapping(body: &[u8], index: &str) -> Result<(), String> {
    // What cannot be read says nothing.
    let Ok(found) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
    let Some(mapping) = found.get(index) else {
        return Err(format!(
            "`{index}` is an alias or a data stream: a letter's id keeps it from being stored \
             twice in one index only: name an index in dead_letter.index"
        ));
    };
    let kind =
        |field: &str| mapping["mappings"]["properties"][field]["type"].as_str().unwrap_or_default();
    if [("id", "keyword"), ("pipeline", "keyword"), ("bytes", "long"), ("@timestamp", "date")]
        .iter()
        .all(|(field, expected)| kind(field) == *expected)
    {
        return Ok(());
    }
    Err(format!(
        "`{index}` does not have the mapping that weir gives an index of letters: remove it, or \
         name one in dead_letter.index that weir can make"
    ))
}

pub(super) fn write_body(index: &str, entries: &[Entry], writing: Writing) -> Vec<u8> {
    let operation = match writing {
        Writing::Create => "create",
        Writing::Replace => "index",
    };
    let mut body = Vec::new();
    for entry in entries {
        // The characters of an index name need no escape: `config` lets no other through.
        let action =
            format!("{{\"{operation}\":{{\"_index\":\"{index}\",\"_id\":\"{}\"}}}}\n", entry.id);
        body.extend_from_slice(action.as_bytes());
        body.extend_from_slice(&entry.body);
        body.push(b'\n');
    }
    body
}

pub(super) fn remove_body(index: &str, letters: &[(LetterId, Version)]) -> Vec<u8> {
    let action = |(id, version): &(LetterId, Version)| {
        let Version { seq_no, primary_term } = version;
        format!(
            "{{\"delete\":{{\"_index\":\"{index}\",\"_id\":\"{id}\",\"if_seq_no\":{seq_no},\
             \"if_primary_term\":{primary_term}}}}}\n"
        )
    };
    letters.iter().map(action).collect::<String>().into_bytes()
}

/// Stored now, or before.
pub(super) fn is_written(answer: &Answer) -> bool {
    matches!(classify(answer.status, answer.error.as_ref()), Class::Stored | Class::Conflict)
}

/// Gone, or written anew since it was read.
pub(super) fn is_removed(answer: &Answer) -> bool {
    matches!(answer.status, 200..=299 | 409) || (answer.status == 404 && answer.error.is_none())
}

/// What a request came to. Of several errors, one that needs a person is answered before any that
/// will pass.
pub(super) fn outcome(answers: &[Answer], is_settled: IsSettled) -> Result<(), Unavailable> {
    let mut outage = None;
    for answer in answers.iter().filter(|answer| !is_settled(answer)) {
        let error = answer.error.as_ref().map(ToString::to_string).unwrap_or_default();
        let text = format!("status {}: {error}", answer.status);
        match (classify(answer.status, answer.error.as_ref()), answer.status) {
            (Class::Pressure(_), _) => outage = Some(Unavailable::Outage(text)),
            (_, 403) => {
                return Err(Unavailable::Refused(format!(
                    "{text}: the user needs the right to write to it"
                )));
            }
            _ => return Err(Unavailable::Refused(text)),
        }
    }
    outage.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
