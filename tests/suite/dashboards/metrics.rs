//! What Grafana's dashboard and the rules for Prometheus name exists in weir, and each alert has
//! its page and its test. What Prometheus makes of it: `prometheus`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use weir::internals::ledger::Ledger;
use weir::internals::metrics::Metrics;

use super::objects::text;
use crate::support::repository;

pub(super) const RULES: &str = "deploy/prometheus/weir.rules.yaml";
const RULES_TEST: &str = "deploy/prometheus/weir.test.yaml";
const PAGES: &str = "https://github.com/weir-events/weir/blob/main/docs/runbooks/";

/// The expressions of Grafana's panels, with every variable's `All`.
pub(super) fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/weir.json")).unwrap();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let mut expression = target["expr"].as_str().unwrap().to_owned();
            for (variable, value) in [
                ("$__rate_interval", "1m"),
                ("$__range", "1h"),
                ("$cluster", ".*"),
                ("$namespace", ".*"),
                ("$pod", ".*"),
            ] {
                expression = expression.replace(variable, value);
            }
            assert!(!expression.contains('$'), "a variable that nobody sets: {expression}");
            expressions.push((panel["title"].as_str().unwrap().to_owned(), expression));
        }
    }
    expressions
}

/// An alert.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Alert {
    pub(super) alert: String,
    pub(super) expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

#[derive(serde::Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

pub(super) fn alerts() -> Vec<Alert> {
    let rules: Groups = serde_saphyr::from_str(&text(RULES)).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// All families that a weir has, with the labels of each.
fn families() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = Metrics::new(&Ledger::default()).unwrap();
    // The labels are those of the doc comments, which stand beside each family.
    let source = text("src/metrics.rs");
    let mut families = BTreeMap::new();
    for documented in source.split("/// `weir_").skip(1) {
        let name = format!("weir_{}", documented.split(['`', '{']).next().unwrap());
        let labels = documented.split('`').next().unwrap().split_once('{');
        let labels = labels.map_or("", |(_, labels)| labels.trim_end_matches('}'));
        let labels = labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned);
        families.insert(name, labels.collect());
    }
    let of_ledger = [
        ("received", ""),
        ("recovered", ""),
        ("replayed", ""),
        ("delivered", "result"),
        ("filtered", "stage reason"),
        ("dead_lettered", "where reason"),
    ];
    for (name, labels) in of_ledger {
        let labels = labels.split_whitespace().map(str::to_owned).collect();
        families.insert(format!("weir_events_{name}_total"), labels);
    }
    families.insert("weir_events_in_flight".to_owned(), BTreeSet::new());
    // What has samples from the start is really there, the process's own as well.
    for line in metrics.render().lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        families.entry(name.to_owned()).or_insert_with(|| BTreeSet::from(["version".to_owned()]));
    }
    families
}

/// The names of metrics in an expression, each with what stands in the braces behind it.
fn selectors(expression: &str) -> Vec<(String, String)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for prefix in ["weir_", "process_"] {
        for (at, _) in expression.match_indices(prefix) {
            if expression[..at].ends_with(is_of_name) {
                continue;
            }
            let rest = &expression[at..];
            let name = &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())];
            let behind = &rest[name.len()..];
            let braces = behind.strip_prefix('{').and_then(|b| b.split_once('}'));
            found.push((name.to_owned(), braces.map_or(String::new(), |(b, _)| b.to_owned())));
        }
    }
    found
}

/// All expressions, by where they stand.
fn expressions() -> Vec<(String, String)> {
    let mut all = panels();
    all.extend(alerts().into_iter().map(|alert| (alert.alert, alert.expr)));
    all
}

#[test]
fn every_metric_that_is_named_exists() {
    let families = families();
    let mut named = BTreeSet::new();
    for (place, expression) in expressions() {
        for (name, _) in selectors(&expression) {
            let of_histogram = ["_bucket", "_sum", "_count"].into_iter();
            let family = of_histogram.filter_map(|end| name.strip_suffix(end)).next();
            let family = family.unwrap_or(&name).to_owned();
            assert!(families.contains_key(&family), "{place}: there is no {name}");
            named.insert(family);
        }
    }
    // And the other way round: nothing that weir counts is left out of the dashboard.
    let left_out: Vec<_> = families
        .keys()
        .filter(|name| name.starts_with("weir_") && !named.contains(*name))
        .collect();
    assert!(left_out.is_empty(), "no panel and no alert has {left_out:?}");
}

#[test]
fn every_label_and_every_value_of_one_that_is_selected_exists() {
    let families = families();
    let code = sources();
    let of_scrape = ["cluster", "namespace", "pod", "job", "instance"];
    let mut values = 0;
    for (place, expression) in expressions() {
        for (name, braces) in selectors(&expression) {
            for matcher in braces.split("\",").filter(|matcher| !matcher.is_empty()) {
                let (label, value) = matcher.split_once('=').unwrap();
                let label = label.trim_end_matches('!');
                if of_scrape.contains(&label) {
                    continue;
                }
                assert!(families[&name].contains(label), "{place}: {name} has no label {label}");
                for value in value.trim_matches(['~', '"']).split('|') {
                    let is_there = code.contains(&format!("\"{value}\""));
                    assert!(is_there, "{place}: {label} is never {value}");
                    values += 1;
                }
            }
        }
    }
    assert!(values > 15, "only {values} values of labels were found: are they looked for?");
}

fn sources() -> String {
    let (mut code, mut folders) = (String::new(), vec![repository().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    code
}

#[test]
fn every_alert_has_a_page_a_severity_and_a_test() {
    let table = text("docs/runbooks/README.md");
    let test = text(RULES_TEST);
    let mut pages = BTreeSet::from(["README.md".to_owned()]);
    for Alert { alert, labels, annotations, .. } in alerts() {
        let severity = labels["severity"].as_str();
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}: {severity}");
        assert!(!annotations["summary"].is_empty() && !annotations["description"].is_empty());
        assert_eq!(annotations["runbook_url"], format!("{PAGES}{alert}.md"));
        let page = text(&format!("docs/runbooks/{alert}.md"));
        assert!(page.starts_with(&format!("# {alert}\n")), "{alert}: another title");
        for part in ["**At stake:**", "**Look:**", "**Do:**"] {
            assert!(page.contains(part), "{alert}: its page has no {part}");
        }
        let row = format!("| [{alert}]({alert}.md) | {severity} | ");
        assert!(table.contains(&row), "docs/runbooks/README.md has no row: {row}");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        let silent = format!("alertname: {alert}\n        exp_alerts: []");
        assert!(test.contains(&fires) && test.contains(&silent), "{alert} is not tested both ways");
        assert!(pages.insert(format!("{alert}.md")), "{alert} is there twice");
    }
    let folder = std::fs::read_dir(repository().join("docs/runbooks")).unwrap();
    let there: BTreeSet<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, pages);
}

#[test]
fn no_alert_adds_up_several_pipelines_or_clusters() {
    for Alert { alert, expr, .. } in alerts() {
        assert!(!expr.contains("sum(") && !expr.contains("sum ("), "{alert}: {expr}");
        for grouping in ["by (", "on ("] {
            for labels in expr.split(grouping).skip(1) {
                assert!(
                    labels.starts_with("cluster, job, namespace"),
                    "{alert}: {grouping}{labels}"
                );
            }
        }
    }
}

#[test]
fn every_panel_of_grafana_has_help_and_a_place_of_its_own() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/weir.json")).unwrap();
    let mut cells = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
        let at = |of: &str| panel["gridPos"][of].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{title} lies upon another");
            }
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&Value> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names, ["datasource", "cluster", "namespace", "pod"]);
}
