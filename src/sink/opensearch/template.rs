//! The index template: how weir's documents are mapped. Pure.
//!
//! Constraints: dashboards that were made for dynamic mapping go on working (`type.keyword`, phrase
//! search on `type`); no event can be refused for a value that does not parse, nor explode the
//! mapping with its labels.
//!
//! - What people search and aggregate is `text` with a `.keyword`, as dynamic mapping makes it.
//! - Names, ids and whatever weir and modules add are keywords, with a `.keyword` of the same
//!   content.
//! - Labels are one `flat_object` field each (OpenSearch 2.7 and later): `metadata.labels.app:web`
//!   finds, dots in a label's name are harmless, `.keyword` and aggregations do not work on them.
//!   Annotations may be longer than a term may be (32,766 bytes), which would refuse the document:
//!   they are stored, and not searched.
//! - `ignore_malformed`: a date or a number that is none is stored and not indexed.

use serde_json::{Value, json};

use crate::sink::settings::IndexPattern;

/// Increased with each change of the template.
const VERSION: u32 = 2;
/// Above the 0 to 100 that people give theirs; a more specific one can still be put above it.
const PRIORITY: u32 = 150;
/// As dynamic mapping has it.
const TEXT_KEYWORD_CHARS_MAX: u32 = 256;
/// Four bytes a character at most: far below the 32,766 bytes of a term.
const KEYWORD_CHARS_MAX: u32 = 1024;
/// Modules may add fields, and an event may bring unknown ones; OpenSearch's own default.
const FIELDS_MAX: u32 = 1000;

/// The template's name: `weir-kube-events` for `kube-events-{yyyy.MM.dd}`.
pub(super) fn name(pattern: &IndexPattern) -> String {
    let index = format!("{}{}", pattern.prefix, pattern.suffix);
    format!("weir-{}", index.trim_matches(['-', '.', '_']))
}

/// The body of `PUT _index_template/NAME`
/// (<https://docs.opensearch.org/latest/im-plugin/index-templates/>), of indices or of a data stream.
pub(super) fn body(pattern: &IndexPattern, is_stream: bool) -> Value {
    let date = if pattern.date.is_some() { "*" } else { "" };
    let mut body = json!({
        "index_patterns": [format!("{}{date}{}", pattern.prefix, pattern.suffix)],
        "priority": PRIORITY,
        "version": VERSION,
        "_meta": { "description": "Kubernetes events, installed by weir" },
        "template": {
            "settings": {
                "index.mapping.total_fields.limit": FIELDS_MAX,
                "index.mapping.ignore_malformed": true,
            },
            "mappings": mappings(),
        },
    });
    if is_stream {
        // Its time field is `@timestamp`, which every document has.
        body["data_stream"] = json!({});
    }
    body
}

fn mappings() -> Value {
    json!({
        "date_detection": false,
        "numeric_detection": false,
        "dynamic_templates": [
            { "strings": { "match_mapping_type": "string", "mapping": keyword() } },
        ],
        "properties": {
            "@timestamp": date(),
            "clusterName": keyword(),
            "apiVersion": keyword(),
            "kind": keyword(),
            "type": text(),
            "reason": text(),
            "message": text(),
            "action": text(),
            "count": { "type": "long" },
            "firstTimestamp": date(),
            "lastTimestamp": date(),
            "eventTime": date(),
            "reportingComponent": text(),
            "reportingInstance": text(),
            "source": { "properties": { "component": text(), "host": text() } },
            "series": { "properties": { "count": { "type": "long" }, "lastObservedTime": date() } },
            "metadata": { "properties": {
                "name": text(),
                "namespace": text(),
                "uid": keyword(),
                "resourceVersion": keyword(),
                "creationTimestamp": date(),
                "labels": labels(),
                "annotations": annotations(),
            } },
            "involvedObject": object(),
            "related": object(),
            "weir": { "properties": {
                "timestamp": keyword(),
                "errors": { "properties": { "stage": keyword(), "kind": keyword() } },
            } },
        },
    })
}

/// An ObjectReference, and what `[lookup]` puts into it.
fn object() -> Value {
    json!({ "properties": {
        "apiVersion": keyword(),
        "kind": text(),
        "namespace": text(),
        "name": text(),
        "uid": keyword(),
        "resourceVersion": keyword(),
        "fieldPath": text(),
        "labels": labels(),
        "annotations": annotations(),
        "ownerReferences": { "properties": {
            "apiVersion": keyword(),
            "kind": keyword(),
            "name": keyword(),
            "uid": keyword(),
            "controller": { "type": "boolean" },
        } },
    } })
}

fn text() -> Value {
    json!({
        "type": "text",
        "fields": { "keyword": { "type": "keyword", "ignore_above": TEXT_KEYWORD_CHARS_MAX } },
    })
}

fn keyword() -> Value {
    json!({
        "type": "keyword",
        "ignore_above": KEYWORD_CHARS_MAX,
        "fields": { "keyword": { "type": "keyword", "ignore_above": KEYWORD_CHARS_MAX } },
    })
}

fn date() -> Value {
    json!({ "type": "date" })
}

fn labels() -> Value {
    json!({ "type": "flat_object" })
}

fn annotations() -> Value {
    json!({ "type": "object", "enabled": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::DateFormat;

    fn pattern(prefix: &str, date: Option<DateFormat>, suffix: &str) -> IndexPattern {
        IndexPattern { prefix: prefix.into(), date, suffix: suffix.into() }
    }

    #[test]
    fn it_is_named_after_the_index_and_matches_all_its_dates_and_nothing_else() {
        let cases = [
            (
                pattern("kube-events-", Some(DateFormat::Day), ""),
                "weir-kube-events",
                "kube-events-*",
            ),
            (pattern("", Some(DateFormat::Year), "-events"), "weir-events", "*-events"),
            (pattern("kube-events", None, ""), "weir-kube-events", "kube-events"),
        ];
        for (pattern, expected, index) in cases {
            assert_eq!(name(&pattern), expected);
            assert_eq!(body(&pattern, false)["index_patterns"], json!([index]));
        }
    }
}
