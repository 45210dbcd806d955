//! Grafana's dashboard of weir's metrics, made from `deploy/grafana/weir.toml`.

use serde::Deserialize;
use serde_json::{Value, json};

/// A dashboard's grid has as many columns.
const COLUMNS: usize = 24;
/// Panels in a row: numbers are small.
const NUMBERS_A_ROW: usize = 6;
const PANELS_A_ROW: usize = 2;
/// What `@` stands for. A label that a scrape does not give is the empty one, which `.*` matches.
const SELECTOR: &str = r#"cluster=~"$cluster",namespace=~"$namespace",pod=~"$pod""#;
const VARIABLES: [(&str, &str, &str); 3] = [
    ("cluster", "Cluster", "label_values(weir_build_info, cluster)"),
    ("namespace", "Namespace", r#"label_values(weir_build_info{cluster=~"$cluster"}, namespace)"#),
    (
        "pod",
        "Pod",
        r#"label_values(weir_build_info{cluster=~"$cluster",namespace=~"$namespace"}, pod)"#,
    ),
];

/// What `weir.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    uid: String,
    title: String,
    row: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: String,
    panel: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Panel {
    title: String,
    help: String,
    #[serde(rename = "as", default)]
    form: Form,
    #[serde(default = "short")]
    unit: String,
    query: Vec<Query>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Lines,
    Stacked,
    Number,
    Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    expr: String,
    #[serde(default)]
    legend: String,
}

fn short() -> String {
    "short".to_owned()
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Source, toml::de::Error> {
        toml::from_str(text)
    }

    /// The file that Grafana imports.
    pub(crate) fn dashboard(&self) -> String {
        let dashboard = json!({
            "uid": self.uid,
            "title": self.title,
            "description": "weir's own metrics: what came in, what became of it, and what waits.",
            "tags": ["kubernetes", "weir"],
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": { "from": "now-1h", "to": "now" },
            "timezone": "",
            "templating": { "list": variables() },
            "annotations": { "list": [] },
            "panels": self.panels(),
        });
        format!("{dashboard:#}\n")
    }

    fn panels(&self) -> Vec<Value> {
        let (mut panels, mut y) = (Vec::new(), 0);
        for row in &self.row {
            let place = json!({ "x": 0, "y": y, "w": COLUMNS, "h": 1 });
            panels.push(json!({
                "id": panels.len() + 1, "type": "row", "title": row.title, "gridPos": place,
                "collapsed": false, "panels": [],
            }));
            y += 1;
            let is_of_numbers = row.panel.iter().all(|panel| panel.form == Form::Number);
            let (in_row, height) =
                if is_of_numbers { (NUMBERS_A_ROW, 4) } else { (PANELS_A_ROW, 8) };
            let width = COLUMNS / in_row;
            for panels_of_line in row.panel.chunks(in_row) {
                for (column, panel) in panels_of_line.iter().enumerate() {
                    let place = json!({ "x": column * width, "y": y, "w": width, "h": height });
                    panels.push(panel.json(panels.len() + 1, place));
                }
                y += height;
            }
        }
        panels
    }
}

fn variables() -> Vec<Value> {
    let mut variables = vec![json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
        "refresh": 1, "hide": 0, "multi": false, "includeAll": false,
    })];
    variables.extend(VARIABLES.iter().map(|(name, label, query)| {
        json!({
            "name": name, "label": label, "type": "query", "datasource": datasource(),
            "query": { "query": query, "refId": name }, "definition": query,
            "refresh": 2, "sort": 1, "hide": 0, "multi": true, "includeAll": true,
            "allValue": ".*", "current": { "text": ["All"], "value": ["$__all"] },
        })
    }));
    variables
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

impl Panel {
    fn json(&self, id: usize, place: Value) -> Value {
        let is_table = self.form == Form::Table;
        let is_instant = is_table || self.form == Form::Number;
        let target = |(index, query): (usize, &Query)| {
            json!({
                "refId": char::from(b'A' + index as u8).to_string(),
                "datasource": datasource(),
                "expr": query.expr.trim().replace('@', SELECTOR),
                "legendFormat": query.legend,
                "instant": is_instant,
                "range": !is_instant,
                "format": if is_table { "table" } else { "time_series" },
            })
        };
        let mut panel = json!({
            "id": id,
            "type": self.form.kind(),
            "title": self.title,
            "description": self.help,
            "datasource": datasource(),
            "gridPos": place,
            "targets": self.query.iter().enumerate().map(target).collect::<Vec<_>>(),
            "fieldConfig": { "defaults": self.defaults(), "overrides": [] },
            "options": self.form.options(),
        });
        if is_table {
            panel["transformations"] = json!([
                { "id": "organize", "options": { "excludeByName": { "Time": true } } },
            ]);
        }
        panel
    }

    fn defaults(&self) -> Value {
        let mut defaults = json!({ "unit": self.unit, "min": 0 });
        let stacking = if self.form == Form::Stacked { "normal" } else { "none" };
        if matches!(self.form, Form::Lines | Form::Stacked) {
            defaults["custom"] = json!({
                "drawStyle": "line", "lineWidth": 1, "showPoints": "never",
                "fillOpacity": if self.form == Form::Stacked { 25 } else { 0 },
                "stacking": { "mode": stacking, "group": "A" },
            });
        }
        defaults
    }
}

impl Form {
    fn kind(self) -> &'static str {
        match self {
            Form::Lines | Form::Stacked => "timeseries",
            Form::Number => "stat",
            Form::Table => "table",
        }
    }

    fn options(self) -> Value {
        match self {
            Form::Lines | Form::Stacked => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Form::Number => json!({
                "colorMode": "none", "graphMode": "none", "textMode": "auto",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            }),
            Form::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
        }
    }
}
