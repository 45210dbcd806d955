//! The index pattern: which indices, their fields, and the links that values of fields are.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::object;

/// The indices that everything here asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pattern {
    pub(super) id: String,
    /// Names of indices, with `*`.
    pub(super) title: String,
    /// The field that the time filter is about.
    pub(super) time: String,
    fields: Fields,
}

/// Fields by their type in weir's index template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    date: Vec<String>,
    long: Vec<String>,
    text: Vec<String>,
    keyword: Vec<String>,
}

/// Values of these fields lead to a dashboard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    fields: Vec<String>,
    dashboard: String,
    /// The dashboard shows only what has the value in this field.
    filter: Option<String>,
}

impl Pattern {
    pub(super) fn object(&self, links: &[Link]) -> Value {
        let attributes = json!({
            "title": self.title,
            "timeFieldName": self.time,
            "fields": Value::from(self.fields.specs()).to_string(),
            "fieldFormatMap": Value::from(formats(links)).to_string(),
        });
        object("index-pattern", &self.id, attributes, Vec::new())
    }
}

impl Fields {
    /// As Dashboards keeps them.
    fn specs(&self) -> Vec<Value> {
        let mut specs: Vec<Value> =
            [("_id", "string", "_id", true), ("_index", "string", "_index", true)]
                .into_iter()
                .chain([("_source", "_source", "_source", false)])
                .map(|(name, kind, of, is_searchable)| spec(name, kind, of, is_searchable, false))
                .collect();
        for (fields, kind, of) in [(&self.date, "date", "date"), (&self.long, "number", "long")] {
            specs.extend(fields.iter().map(|name| spec(name, kind, of, true, true)));
        }
        for (fields, of) in [(&self.text, "text"), (&self.keyword, "keyword")] {
            for name in fields {
                specs.push(spec(name, "string", of, true, of == "keyword"));
                let mut sub = spec(&format!("{name}.keyword"), "string", "keyword", true, true);
                sub["subType"] = json!({ "multi": { "parent": name } });
                specs.push(sub);
            }
        }
        specs
    }
}

/// A field: how Dashboards and how OpenSearch call its type, and whether there are values of it to
/// aggregate.
fn spec(name: &str, kind: &str, of: &str, is_searchable: bool, has_values: bool) -> Value {
    // OpenSearch can group by where a document is, and by nothing else of its own fields.
    let is_aggregatable = has_values || ["_id", "_index"].contains(&name);
    json!({
        "name": name,
        "type": kind,
        "esTypes": [of],
        "count": 0,
        "scripted": false,
        "searchable": is_searchable,
        "aggregatable": is_aggregatable,
        "readFromDocValues": has_values,
    })
}

/// The formats of fields whose values are links.
fn formats(links: &[Link]) -> Map<String, Value> {
    let mut formats = Map::new();
    for link in links {
        let format = json!({ "id": "url", "params": {
            "type": "a",
            "urlTemplate": url(link),
            "labelTemplate": "{{value}}",
            "openLinkInCurrentTab": true,
        } });
        formats.extend(link.fields.iter().map(|field| (field.clone(), format.clone())));
    }
    formats
}

/// Relative to Dashboards' own `/app/`, whatever path it is served under.
fn url(link: &Link) -> String {
    let dashboard = format!("../app/dashboards#/view/{}", link.dashboard);
    match &link.filter {
        None => dashboard,
        Some(field) => {
            format!("{dashboard}?_a=(query:(language:lucene,query:'{field}:%22{{{{value}}}}%22'))")
        }
    }
}
