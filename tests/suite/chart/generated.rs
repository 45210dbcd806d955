//! What is made of other files, held against them: `values.schema.json` and the README's table of
//! `values.yaml`; the kustomize base and `install.yaml` of the chart; the chart's copies of the
//! alert rules and the dashboard. `CHART_UPDATE=1 cargo test --locked --test suite
//! chart::generated` writes them anew.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{chart, objects, read, template_as};
use crate::support::repository;

/// Set: what is made is written, instead of compared.
const UPDATE: &str = "CHART_UPDATE";

/// A value that `values.yaml` declares with a text of its own.
#[derive(Debug)]
pub(super) struct Entry {
    /// `opensearch.hosts`
    pub(super) path: String,
    /// What stands behind `--`.
    text: String,
    pub(super) default: Value,
    /// Its JSON Schema.
    pub(super) schema: Value,
}

impl Entry {
    /// Whether its members are the user's own, or Kubernetes'.
    pub(super) fn is_open(&self) -> bool {
        self.default.is_object()
    }
}

/// All values, in the order of the file.
pub(super) fn entries() -> Vec<Entry> {
    let text = read(chart().join("values.yaml"));
    let defaults: Value = serde_saphyr::from_str(&text).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    // The keys that lead to this line, and how many of them are within a value that is documented.
    let (mut path, mut documented): (Vec<&str>, Option<usize>) = (Vec::new(), None);
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        if let Some(said) = content.strip_prefix('#') {
            comment.push(said.strip_prefix(' ').unwrap_or(said));
            continue;
        }
        let comment = std::mem::take(&mut comment);
        let Some(key) = content.split_once(':').map(|(key, _)| key) else { continue };
        let depth = (line.len() - content.len()) / 2;
        if content.starts_with("- ") || documented.is_some_and(|above| depth > above) {
            continue;
        }
        documented = None;
        path.truncate(depth);
        path.push(key);
        let default = path.iter().fold(&defaults, |value, key| &value[*key]);
        if comment.iter().any(|line| line.starts_with("-- ")) {
            documented = Some(depth);
            entries.push(entry(path.join("."), &comment, default.clone()));
        } else {
            let is_section = default.as_object().is_some_and(|members| !members.is_empty());
            assert!(is_section, "{} has no text behind `# --`", path.join("."));
        }
    }
    entries
}

fn entry(path: String, comment: &[&str], default: Value) -> Entry {
    let (mut texts, mut more) = (Vec::new(), None);
    for line in comment {
        match line.strip_prefix("@schema ") {
            Some(schema) => more = Some(schema),
            None => texts.push(line.strip_prefix("-- ").unwrap_or(line)),
        }
    }
    let kind = match &default {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => panic!("{path} has no default"),
    };
    let text = texts.join(" ");
    let mut schema = json!({"type": kind, "description": text});
    if let Some(more) = more {
        let more: Map<String, Value> = serde_json::from_str(more)
            .unwrap_or_else(|error| panic!("@schema of {path} is no JSON: {error}"));
        if more.contains_key("enum") {
            schema.as_object_mut().unwrap().remove("type");
        }
        schema.as_object_mut().unwrap().extend(more);
    }
    let says_what_is_in_it = ["items", "additionalProperties", "enum"];
    let is_whole = !matches!(kind, "array" | "object")
        || says_what_is_in_it.iter().any(|key| !schema[key].is_null());
    assert!(is_whole, "@schema of {path} does not say what is in it");
    Entry { path, text, default, schema }
}

/// An object that has these members and no other.
fn closed() -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {}})
}

fn schema() -> Value {
    let mut root = closed();
    for entry in entries() {
        let mut keys: Vec<&str> = entry.path.split('.').collect();
        let name = keys.pop().unwrap();
        let mut at = &mut root;
        for key in keys {
            let next = &mut at["properties"][key];
            if next.is_null() {
                *next = closed();
            }
            at = next;
        }
        at["properties"][name] = entry.schema;
    }
    root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    root["title"] = "Values of the chart weir".into();
    // Of a parent chart: what all its charts are told, and the condition of the dependency.
    root["properties"]["global"]["additionalProperties"] = true.into();
    root["properties"]["enabled"] = json!({
        "type": "boolean",
        "description": "Whether a parent chart includes this one; it is not looked at here.",
    });
    root
}

/// The README's table.
fn table() -> String {
    let mut table = "| value | default | |\n|---|---|---|\n".to_owned();
    for Entry { path, text, default, .. } in entries() {
        let default = default.to_string().replace('|', "\\|");
        let text = text.replace('|', "\\|");
        table += &format!("| `{path}` | `{default}` | {text} |\n");
    }
    table
}

/// Holds a file against what it is made of, or writes it.
fn is_or_becomes(file: &Path, expected: &str) {
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(file, expected).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    let name = file.strip_prefix(repository()).unwrap().display();
    let differs = found.lines().zip(expected.lines()).position(|(found, made)| found != made);
    assert!(
        found == expected,
        "{name} is not what it is made of (from line {}): run `{UPDATE}=1 cargo test --locked --test \
         suite chart::generated`",
        differs.unwrap_or(found.lines().count().min(expected.lines().count())) + 1
    );
}

#[test]
fn the_schema_is_that_of_the_values() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    is_or_becomes(&chart().join("values.schema.json"), &text);
}

#[test]
fn the_readme_has_the_table_of_the_values() {
    let file = chart().join("README.md");
    let (begin, end) = ("<!-- values: made from values.yaml -->\n", "<!-- /values -->");
    let readme = read(&file);
    let (before, rest) = readme.split_once(begin).expect("the README has a table");
    let (_, after) = rest.split_once(end).expect("the README's table ends");
    is_or_becomes(&file, &format!("{before}{begin}{}{end}{after}", table()));
}

/// A rendering for people without Helm: nobody looks after it but they.
fn without_helm(arguments: &[&str]) -> String {
    let values = repository().join("deploy/kustomize/values.yaml");
    // Of the oldest Kubernetes that the chart is for: newer ones take it, too.
    let base = ["--no-hooks", "--kube-version=1.25.0", "--values", values.to_str().unwrap()];
    // The schema may just be written anew, by the test beside this one.
    let base = [&base[..], &["--skip-schema-validation"]].concat();
    let text = template_as("weir", "weir", &[&base[..], arguments].concat()).unwrap();
    let is_helms = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("helm.sh/chart: ") || line.starts_with("app.kubernetes.io/managed-by: ")
    };
    let lines = text.lines().filter(|line| !is_helms(line)).map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn the_kustomize_base_is_what_the_chart_renders() {
    let base = repository().join("deploy/kustomize/base");
    let made = without_helm(&["--set=existingConfigMap=weir"]);
    let head = "# Rendered from deploy/helm/weir: not to be edited here.\n";
    is_or_becomes(&base.join("weir.yaml"), &format!("{head}{made}"));
    // What the ConfigMap would hold, which kustomize makes itself, with a name that rolls the pods.
    let whole = objects(&without_helm(&[]));
    let map = super::of_kind(&whole, "ConfigMap")[0];
    let text = map["data"]["pipeline.toml"].as_str().unwrap();
    is_or_becomes(&base.join("pipeline.toml"), text);
}

#[test]
fn install_yaml_is_what_the_chart_renders() {
    let made = without_helm(&[]);
    let head = read(repository().join("deploy/kustomize/install-head.yaml"));
    is_or_becomes(&repository().join("deploy/install.yaml"), &format!("{head}{made}"));
}

#[test]
fn the_charts_copies_are_the_files_that_they_are_copies_of() {
    for (copy, of) in [
        ("files/weir.rules.yaml", "deploy/prometheus/weir.rules.yaml"),
        ("files/weir.json", "deploy/grafana/weir.json"),
    ] {
        is_or_becomes(&chart().join(copy), &read(repository().join(of)));
    }
}

#[test]
fn the_charts_versions_are_those_of_weir() {
    let chart: Value = serde_saphyr::from_str(&read(chart().join("Chart.yaml"))).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let images = chart["annotations"]["artifacthub.io/images"].as_str().unwrap();
    let image = format!("ghcr.io/weir-events/weir:{}\n", env!("CARGO_PKG_VERSION"));
    assert!(images.ends_with(&image), "{images}");
}
