//! Every value is used, and every used value is declared.

use std::collections::BTreeSet;

use serde_json::Value;

use super::generated::{Entry, entries};
use super::{chart, features, read, template};

/// All templates, and what the values' own templates may name.
fn templates() -> String {
    let mut text = String::new();
    let mut folders = vec![chart().join("templates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                text += &read(path);
            }
        }
    }
    text
}

/// Each `.Values.a.b` of a text, as `a.b`.
fn used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices(".Values.") {
        let rest = &text[at + ".Values.".len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
        used.insert(rest[..end].trim_end_matches('.').to_owned());
    }
    used
}

#[test]
fn what_is_rendered_depends_on_the_values_alone() {
    let templates = templates();
    let is_comment = |action: &str| action.trim_start_matches(['-', ' ']).starts_with("/*");
    for function in
        ["lookup \"", "rand", "uuidv4", "genCA", "genS", "genP", "now ", "now)", "toToml"]
    {
        let found = templates.lines().find(|line| {
            line.split("{{").skip(1).any(|action| !is_comment(action) && action.contains(function))
        });
        assert_eq!(found, None, "{function}");
    }
}

#[test]
fn every_used_value_is_declared() {
    let entries = entries();
    let used = used(&templates());
    assert!(used.len() > 100, "only {} values are used", used.len());
    for path in used {
        let is_declared = entries.iter().any(|entry| {
            let within =
                |whole: &str, part: &str| part == whole || part.starts_with(&format!("{whole}."));
            // A leaf or, for what takes a section whole, what is above leaves; or something in what
            // is the user's own.
            within(&path, &entry.path) || (entry.is_open() && within(&entry.path, &path))
        });
        assert!(is_declared, "a template uses .Values.{path}, which values.yaml does not declare");
    }
}

/// Another value of the same kind, which the schema allows.
fn another(entry: &Entry) -> Value {
    if let Some(words) = entry.schema["enum"].as_array() {
        let other = words.iter().find(|word| **word != entry.default && **word != "");
        return other.unwrap().clone();
    }
    let object = serde_json::json!({"other": "value"});
    match (&entry.default, entry.path.as_str()) {
        (Value::Bool(is), _) => (!is).into(),
        (Value::Number(number), _) => (number.as_u64().unwrap() + 1).into(),
        (_, "image.digest") => format!("sha256:{:064}", 1).into(),
        (_, "buffer.disk" | "buffer.memory") => "1GiB".into(),
        (_, "emptyDir.sizeLimit" | "persistence.size") => "9Gi".into(),
        (_, "lease.duration" | "lookup.timeout") => "9s".into(),
        (_, "opensearch.aws.region") => "eu-west-9".into(),
        (_, "config") => "name = 'other'".into(),
        (_, "podDisruptionBudget.minAvailable") => 1.into(),
        (Value::String(_), _) => "other".into(),
        (Value::Array(_), "opensearch.hosts") => serde_json::json!(["https://other:1"]),
        (Value::Array(_), "stages") => {
            serde_json::json!([{"name": "other", "module": "other.wasm"}])
        }
        (Value::Array(_), "extraObjects") => serde_json::json!([{"kind": "Other"}]),
        (Value::Array(_), path) if path.ends_with("Ports") => serde_json::json!([1]),
        (Value::Array(_), path) if path.ends_with("amilies") => serde_json::json!(["IPv6"]),
        (Value::Array(_), "extraEnv" | "extraEnvFrom") => serde_json::json!([object]),
        (Value::Array(_), _) => match &entry.schema["items"]["type"] {
            Value::String(kind) if kind == "object" => serde_json::json!([object]),
            _ => serde_json::json!(["other"]),
        },
        (Value::Object(_), "modules") => serde_json::json!({"other": {"configMap": {"name": "x"}}}),
        (Value::Object(_), _) => object,
        (Value::Null, path) => panic!("{path} has no default"),
    }
}

#[test]
fn a_change_of_any_value_changes_what_is_rendered() {
    let features = features();
    let rendered: Vec<_> =
        features.iter().map(|(_, file)| template(&["--values", file]).unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut unused = Vec::new();
    let entries = entries();
    for (index, entry) in entries.iter().enumerate() {
        let mut values = another(entry);
        for key in entry.path.rsplit('.') {
            values = Value::Object([(key.to_owned(), values)].into_iter().collect());
        }
        let file = folder.path().join(format!("{index}.json"));
        std::fs::write(&file, values.to_string()).unwrap();
        let file = file.to_str().unwrap();
        // First those that are about it.
        let section = entry.path.rsplit('.').nth(1).unwrap_or(&entry.path);
        let mut all: Vec<_> = features.iter().zip(&rendered).collect();
        all.sort_by_key(|((_, feature), _)| !read(feature).contains(section));
        let changes = |((_, feature), before): &(&(String, String), &String)| {
            template(&["--values", feature, "--values", file]).is_ok_and(|now| now != **before)
        };
        if !all.iter().any(changes) {
            unused.push(entry.path.clone());
        }
    }
    assert!(unused.is_empty(), "values that change nothing in any of ci/: {unused:?}");
}
