//! Charts: what Dashboards draws of aggregations.

use serde::Deserialize;
use serde_json::{Value, json};

/// A visualization.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chart {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) help: String,
    /// The name of what it is about; all events without.
    pub(super) query: Option<String>,
    #[serde(rename = "as")]
    form: Form,
    #[serde(default)]
    by: Vec<By>,
    #[serde(default = "events")]
    show: Vec<Metric>,
    #[serde(default)]
    numbers: Vec<Number>,
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// Bars over time.
    Bars,
    /// A horizontal bar for each value.
    Rows,
    Table,
    /// A number for each query.
    Numbers,
}

/// Values of a field: the first `size` of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    field: String,
    label: String,
    size: u32,
}

/// What is shown of the documents of each value.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Metric {
    /// How many events they are versions of.
    Events,
    /// The highest `count`.
    Count,
    /// When the last one was observed.
    Last,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    label: String,
    query: String,
}

fn events() -> Vec<Metric> {
    vec![Metric::Events]
}

impl Chart {
    /// `visState`. `query` is the text of a named query.
    pub(super) fn state(
        &self,
        time: &str,
        query: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Value, String> {
        let first = self.show.first().copied().unwrap_or(Metric::Events);
        let (kind, params) = match self.form {
            Form::Bars => ("histogram", bars("histogram", "bottom", "left", first)),
            Form::Rows => ("horizontal_bar", bars("histogram", "left", "bottom", first)),
            Form::Table => ("table", table()),
            Form::Numbers => ("metric", numbers()),
        };
        let mut aggs = Vec::new();
        for metric in &self.show {
            aggs.push(metric.agg(aggs.len() + 1, time));
        }
        if let Form::Numbers = self.form {
            let mut filters = Vec::new();
            for Number { label, query: name } in &self.numbers {
                let input = json!({ "query": query(name)?, "language": "lucene" });
                filters.push(json!({ "input": input, "label": label }));
            }
            aggs.push(agg(aggs.len() + 1, "filters", "group", json!({ "filters": filters })));
        }
        for (place, by) in self.by.iter().enumerate() {
            let schema = match self.form {
                Form::Table => "bucket",
                Form::Rows if place == 0 => "segment",
                Form::Bars | Form::Rows | Form::Numbers => "group",
            };
            aggs.push(agg(aggs.len() + 1, "terms", schema, by.params()));
        }
        // Behind the values, so that those are the first ones of all the time, and not of each bar.
        if let Form::Bars = self.form {
            aggs.push(agg(
                aggs.len() + 1,
                "date_histogram",
                "segment",
                json!({
                    "field": time,
                    "interval": "auto",
                    "min_doc_count": 1,
                    "extended_bounds": {},
                    "useNormalizedOpenSearchInterval": true,
                    "drop_partials": false,
                }),
            ));
        }
        Ok(json!({ "title": self.title, "type": kind, "params": params, "aggs": aggs }))
    }
}

impl By {
    fn params(&self) -> Value {
        json!({
            "field": self.field,
            "customLabel": self.label,
            "orderBy": "1",
            "order": "desc",
            "size": self.size,
            "otherBucket": false,
            "missingBucket": false,
        })
    }
}

impl Metric {
    fn label(self) -> &'static str {
        match self {
            Metric::Events => "Events",
            Metric::Count => "Highest count",
            Metric::Last => "Last observed",
        }
    }

    fn agg(self, id: usize, time: &str) -> Value {
        let (kind, field) = match self {
            Metric::Events => ("cardinality", "metadata.uid.keyword"),
            Metric::Count => ("max", "count"),
            Metric::Last => ("max", time),
        };
        agg(id, kind, "metric", json!({ "field": field, "customLabel": self.label() }))
    }
}

fn agg(id: usize, kind: &str, schema: &str, params: Value) -> Value {
    json!({
        "id": id.to_string(), "enabled": true, "type": kind, "schema": schema, "params": params,
    })
}

/// A bar chart's looks: where its values and what they are of stand.
fn bars(form: &str, categories: &str, values: &str, metric: Metric) -> Value {
    let label = metric.label();
    json!({
        "type": form,
        "grid": { "categoryLines": false },
        "categoryAxes": [{
            "id": "CategoryAxis-1", "type": "category", "position": categories, "show": true,
            "scale": { "type": "linear" },
            "labels": { "show": true, "filter": true, "truncate": 100 },
            "style": {}, "title": {},
        }],
        "valueAxes": [{
            "id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": values,
            "show": true, "scale": { "type": "linear", "mode": "normal" },
            "labels": { "show": true, "rotate": 0, "filter": false, "truncate": 100 },
            "style": {}, "title": { "text": label },
        }],
        "seriesParams": [{
            "show": true, "type": "histogram", "mode": "stacked", "valueAxis": "ValueAxis-1",
            "data": { "id": "1", "label": label },
            "drawLinesBetweenPoints": true, "lineWidth": 2, "showCircles": true,
        }],
        "addTooltip": true,
        "addLegend": true,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": false,
        "labels": { "show": false },
        "thresholdLine":
            { "show": false, "value": 10, "width": 1, "style": "full", "color": "#E7664C" },
    })
}

fn table() -> Value {
    json!({
        "perPage": 10,
        "showPartialRows": false,
        "showMetricsAtAllLevels": false,
        "showTotal": false,
        "totalFunc": "sum",
        "percentageCol": "",
        "sort": { "columnIndex": null, "direction": null },
    })
}

fn numbers() -> Value {
    json!({
        "addTooltip": true,
        "addLegend": false,
        "type": "metric",
        "metric": {
            "percentageMode": false, "useRanges": false, "colorSchema": "Green to Red",
            "metricColorMode": "None", "colorsRange": [{ "from": 0, "to": 10000 }],
            "labels": { "show": true }, "invertColors": false,
            "style": {
                "bgFill": "#000", "bgColor": false, "labelColor": false, "subText": "",
                "fontSize": 32,
            },
        },
    })
}
