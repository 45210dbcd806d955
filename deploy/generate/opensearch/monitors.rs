//! Monitors of OpenSearch Alerting: a query, how often it is asked, and what makes it an alert.

use serde::Deserialize;
use serde_json::{Value, json};

use super::pattern::Pattern;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Monitor {
    /// Of the file, without `.json`.
    pub(super) file: String,
    name: String,
    /// The name of what it looks for.
    pub(super) query: String,
    /// Minutes from one look to the next.
    every: u32,
    /// Minutes that a look reaches back.
    window: u32,
    /// 1 is the highest.
    severity: u32,
}

/// How many of the newest documents come with the result, for the text of a notification.
const SHOWN: u32 = 5;

impl Monitor {
    /// The body of `POST _plugins/_alerting/monitors`
    /// (<https://docs.opensearch.org/latest/observing-your-data/alerting/api/>).
    pub(super) fn body(&self, pattern: &Pattern, query: &str) -> Value {
        let time = json!({ &pattern.time: {
            "gte": format!("{{{{period_end}}}}||-{}m", self.window),
            "lte": "{{period_end}}",
            "format": "epoch_millis",
        } });
        let search = json!({
            "size": SHOWN,
            "sort": [{ &pattern.time: { "order": "desc" } }],
            "track_total_hits": true,
            "_source": ["clusterName", "metadata.namespace", "involvedObject", "reason", "message"],
            "query": { "bool": { "filter": [
                { "range": time },
                { "query_string": { "query": query } },
            ] } },
        });
        let condition =
            json!({ "source": "ctx.results[0].hits.total.value > 0", "lang": "painless" });
        json!({
            "type": "monitor",
            "monitor_type": "query_level_monitor",
            "name": self.name,
            "enabled": true,
            "schedule": { "period": { "interval": self.every, "unit": "MINUTES" } },
            "inputs": [{ "search": { "indices": [pattern.title], "query": search } }],
            "triggers": [{ "query_level_trigger": {
                "name": self.name,
                "severity": self.severity.to_string(),
                "condition": { "script": condition },
                "actions": [],
            } }],
        })
    }
}
