//! Dashboards: which panels, and where.

use serde::Deserialize;
use serde_json::{Value, json};

use super::object;

/// A dashboard's grid has as many columns.
const COLUMNS: u64 = 48;
/// How far back a dashboard looks when it is opened.
const SINCE: &str = "now-24h";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dashboard {
    id: String,
    title: String,
    help: String,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    height: u64,
    panels: Vec<String>,
}

impl Dashboard {
    /// `panel` answers what kind of object an id is, and what stands above it instead of its title.
    pub(super) fn object(
        &self,
        panel: impl Fn(&str) -> Option<(&'static str, Option<String>)>,
    ) -> Result<Value, String> {
        let (mut panels, mut references) = (Vec::new(), Vec::new());
        let mut y = 0;
        for row in &self.rows {
            let width = COLUMNS / row.panels.len().max(1) as u64;
            for (x, id) in (0..).step_by(width as usize).zip(&row.panels) {
                let (kind, title) = panel(id)
                    .ok_or_else(|| format!("dashboard `{}`: there is no panel `{id}`", self.id))?;
                let (index, name) = (panels.len() + 1, format!("panel_{}", panels.len()));
                references.push(json!({ "name": name, "type": kind, "id": id }));
                let mut placed = json!({
                    "version": "2.7.0",
                    "gridData":
                        { "x": x, "y": y, "w": width, "h": row.height, "i": index.to_string() },
                    "panelIndex": index.to_string(),
                    "embeddableConfig": {},
                    "panelRefName": name,
                });
                if let Some(title) = title {
                    placed["embeddableConfig"]["title"] = json!(title);
                    placed["title"] = json!(title);
                }
                panels.push(placed);
            }
            y += row.height;
        }
        let attributes = json!({
            "title": self.title,
            "description": self.help,
            "hits": 0,
            "panelsJSON": Value::from(panels).to_string(),
            "optionsJSON": json!({ "hidePanelTitles": false, "useMargins": true }).to_string(),
            "version": 1,
            "timeRestore": true,
            "timeFrom": SINCE,
            "timeTo": "now",
            "refreshInterval": { "pause": true, "value": 0 },
            "kibanaSavedObjectMeta": { "searchSourceJSON": json!({
                "query": { "query": "", "language": "lucene" },
                "filter": [],
            }).to_string() },
        });
        Ok(object("dashboard", &self.id, attributes, references))
    }
}
