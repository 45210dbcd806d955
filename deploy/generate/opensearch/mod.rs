//! Saved objects of OpenSearch Dashboards and monitors of OpenSearch Alerting, made from
//! `deploy/opensearch/dashboards.toml`.
//!
//! Only index patterns, visualizations with aggregations, searches and dashboards are made: each
//! sends OpenSearch a request that a test can send as well. So links between dashboards are formats
//! of fields, and no text panels.

mod dashboard;
mod monitors;
mod pattern;
mod visualization;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// The forms that the objects have: Dashboards migrates from older ones, as it does with its own
/// exports, which carry the same numbers.
const FORMS: [(&str, &str); 4] = [
    ("index-pattern", "7.6.0"),
    ("visualization", "7.10.0"),
    ("search", "7.9.3"),
    ("dashboard", "7.9.3"),
];

/// What `dashboards.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pattern: pattern::Pattern,
    link: Vec<pattern::Link>,
    query: BTreeMap<String, String>,
    chart: Vec<visualization::Chart>,
    search: Vec<Search>,
    dashboard: Vec<dashboard::Dashboard>,
    monitor: Vec<monitors::Monitor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    id: String,
    title: String,
    help: String,
    query: Option<String>,
    columns: Vec<String>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Source, toml::de::Error> {
        toml::from_str(text)
    }

    /// The file that Dashboards imports: an object a line, what is referred to first.
    pub(crate) fn dashboards(&self) -> Result<String, String> {
        let mut objects = vec![self.pattern.object(&self.link)];
        for chart in &self.chart {
            objects.push(self.visualization(chart)?);
        }
        for search in &self.search {
            objects.push(self.search(search)?);
        }
        for dashboard in &self.dashboard {
            objects.push(dashboard.object(|id| self.panel(id))?);
        }
        Ok(objects.iter().map(|object| format!("{object}\n")).collect())
    }

    /// Each monitor's file, without `.json`, and its text.
    pub(crate) fn monitors(&self) -> Result<Vec<(String, String)>, String> {
        let monitor = |monitor: &monitors::Monitor| {
            let query = self.query(Some(&monitor.query))?;
            let body = monitor.body(&self.pattern, &query);
            Ok((monitor.file.clone(), format!("{body:#}\n")))
        };
        self.monitor.iter().map(monitor).collect()
    }

    /// The text of a named query on one line; of none, the empty one, which finds everything.
    fn query(&self, name: Option<&str>) -> Result<String, String> {
        let Some(name) = name else { return Ok(String::new()) };
        let text = self.query.get(name).ok_or_else(|| {
            format!("there is no query `{name}`: [query] has {:?}", self.query.keys())
        })?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn visualization(&self, chart: &visualization::Chart) -> Result<Value, String> {
        let state = chart.state(&self.pattern.time, |name| self.query(Some(name)))?;
        let query = self.query(chart.query.as_deref())?;
        let attributes = json!({
            "title": chart.title,
            "description": chart.help,
            "visState": state.to_string(),
            "uiStateJSON": "{}",
            "version": 1,
            "kibanaSavedObjectMeta": { "searchSourceJSON": search_source(&query, false) },
        });
        Ok(self.on_pattern("visualization", &chart.id, attributes))
    }

    fn search(&self, search: &Search) -> Result<Value, String> {
        let query = self.query(search.query.as_deref())?;
        let attributes = json!({
            "title": search.title,
            "description": search.help,
            "hits": 0,
            "columns": search.columns,
            "sort": [[self.pattern.time, "desc"]],
            "version": 1,
            "kibanaSavedObjectMeta": { "searchSourceJSON": search_source(&query, true) },
        });
        Ok(self.on_pattern("search", &search.id, attributes))
    }

    /// An object that asks the indices of the pattern.
    fn on_pattern(&self, kind: &str, id: &str, attributes: Value) -> Value {
        let reference =
            json!({ "name": INDEX_REFERENCE, "type": "index-pattern", "id": self.pattern.id });
        object(kind, id, attributes, vec![reference])
    }

    /// What kind of object it is, and what stands above it instead of its title. Only of a
    /// visualization the description is shown, as a tooltip, so a search says its help there.
    fn panel(&self, id: &str) -> Option<(&'static str, Option<String>)> {
        if self.chart.iter().any(|chart| chart.id == id) {
            return Some(("visualization", None));
        }
        let search = self.search.iter().find(|search| search.id == id)?;
        Some(("search", Some(format!("{}. {}", search.title, search.help))))
    }
}

const INDEX_REFERENCE: &str = "kibanaSavedObjectMeta.searchSourceJSON.index";

/// What an object asks for, but for its aggregations and the time.
fn search_source(query: &str, is_of_documents: bool) -> String {
    let mut source = json!({
        "query": { "query": query, "language": "lucene" },
        "filter": [],
        "indexRefName": INDEX_REFERENCE,
    });
    if is_of_documents {
        source["highlightAll"] = json!(true);
        source["version"] = json!(true);
    }
    source.to_string()
}

/// A saved object.
fn object(kind: &str, id: &str, attributes: Value, references: Vec<Value>) -> Value {
    let form: BTreeMap<_, _> = FORMS.into_iter().filter(|(of, _)| *of == kind).collect();
    json!({
        "id": id,
        "type": kind,
        "attributes": attributes,
        "references": references,
        "migrationVersion": form,
    })
}
