//! Templates and policies in a form in which two that mean the same are equal, however OpenSearch
//! writes them: settings nested or with dots, numbers as text, and what it adds by itself. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::text;

/// What stands there, by its path.
pub(super) type Flat = BTreeMap<String, String>;

/// Of a value of somebody else's.
const SHOWN_BYTES_MAX: usize = 200;
/// As much of a digest as tells apart what people write.
const DIGEST_CHARS: usize = 32;
/// What OpenSearch adds to an action of a policy, by the end of its path.
const DEFAULTS_OF_ACTIONS: [(&str, &str); 5] = [
    (".retry.count", "3"),
    (".retry.backoff", "exponential"),
    (".retry.delay", "1m"),
    (".rollover.copy_alias", "false"),
    (".rollover.prevent_empty_rollover", "false"),
];

/// An index template, without what says who installed it.
pub(super) fn of_template(template: &Value) -> Flat {
    const SETTINGS: &str = "template.settings.";
    let mut flat = Flat::new();
    for (path, value) in flatten(template) {
        let key = match path.strip_prefix(SETTINGS) {
            Some(key) if !key.starts_with("index.") => format!("{SETTINGS}index.{key}"),
            _ => path,
        };
        let is_ours = key == "version" || key == "_meta" || key.starts_with("_meta.");
        let is_empty = value == "{}" && key != "data_stream";
        match key.as_str() {
            _ if is_ours || is_empty => {}
            // The field that it is anyway.
            "data_stream.timestamp_field.name" if value == "@timestamp" => {
                flat.insert("data_stream".to_owned(), "{}".to_owned());
            }
            _ => {
                flat.insert(key, value);
            }
        }
    }
    flat
}

/// A policy, without what OpenSearch keeps in it and what says who installed it.
pub(super) fn of_policy(policy: &Value) -> Flat {
    let mut flat = flatten(policy);
    flat.retain(|path, value| {
        let is_kept_there = matches!(
            path.as_str(),
            "policy_id" | "last_updated_time" | "schema_version" | "description" | "user"
        ) || path.starts_with("user.")
            || (path.starts_with("ism_template") && path.ends_with(".last_updated_time"));
        let is_default = DEFAULTS_OF_ACTIONS
            .iter()
            .any(|(end, default)| path.ends_with(end) && value == default);
        !is_kept_there && !is_default
    });
    flat
}

/// What tells that nobody has changed it since.
pub(super) fn digest(flat: &Flat) -> String {
    let mut hash = Sha256::new();
    for part in flat.iter().flat_map(|(path, value)| [path, value]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut text: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(DIGEST_CHARS);
    text
}

fn flatten(value: &Value) -> Flat {
    let mut flat = Flat::new();
    put(String::new(), value, &mut flat);
    flat
}

fn put(path: String, value: &Value, flat: &mut Flat) {
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Object(members) if members.is_empty() => {
            flat.insert(path, "{}".to_owned());
        }
        Value::Object(members) => {
            for (key, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                put(format!("{path}{dot}{key}"), member, flat);
            }
        }
        Value::Array(items) if items.iter().all(is_scalar) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            flat.insert(path, items.join(", "));
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                put(format!("{path}[{number}]"), item, flat);
            }
        }
        value => {
            flat.insert(path, scalar(value));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Where one differs from what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    path: String,
    found: Option<String>,
    wanted: Option<String>,
}

/// All of them, by path.
pub(super) fn differences(found: &Flat, wanted: &Flat) -> Vec<Difference> {
    let paths: std::collections::BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let of = |path: &String| Difference {
        path: path.clone(),
        found: found.get(path).cloned(),
        wanted: wanted.get(path).cloned(),
    };
    paths.into_iter().map(of).filter(|difference| difference.found != difference.wanted).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| text::one_line(text, SHOWN_BYTES_MAX);
        let path = shown(&self.path);
        match (&self.found, &self.wanted) {
            (Some(found), Some(wanted)) => {
                write!(f, "{path}: {} instead of {}", shown(found), shown(wanted))
            }
            (None, Some(wanted)) => write!(f, "{path}: missing, {} is wanted", shown(wanted)),
            (Some(found), None) => write!(f, "{path}: {}, and none is wanted", shown(found)),
            (None, None) => f.write_str(&path),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_the_same_however_opensearch_writes_it() {
        let wanted = json!({
            "index_patterns": ["e"], "priority": 150, "version": 1, "_meta": {"a": 1},
            "data_stream": {},
            "template": {
                "settings": {"index.number_of_shards": 2, "refresh_interval": "5s"},
                "mappings": {"date_detection": false},
            },
        });
        let answered = json!({
            "index_patterns": ["e"], "priority": 150, "composed_of": [], "version": 7,
            "data_stream": {"timestamp_field": {"name": "@timestamp"}},
            "template": {
                "settings": {"index": {"number_of_shards": "2", "refresh_interval": "5s"}},
                "mappings": {"date_detection": false}, "aliases": {},
            },
        });
        assert_eq!(of_template(&wanted), of_template(&answered));
        assert_eq!(digest(&of_template(&wanted)), digest(&of_template(&answered)));
        let mut other = answered.clone();
        other["template"]["settings"]["index"]["number_of_shards"] = json!("3");
        other["template"]["settings"]["index"]["codec"] = json!("zstd");
        other["template"]["mappings"] = json!({});
        let found = of_template(&other);
        assert_ne!(digest(&of_template(&wanted)), digest(&found));
        let told: Vec<String> =
            differences(&found, &of_template(&wanted)).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "template.mappings.date_detection: missing, false is wanted",
                "template.settings.index.codec: zstd, and none is wanted",
                "template.settings.index.number_of_shards: 3 instead of 2",
            ]
        );
    }

    #[test]
    fn a_policy_is_the_same_with_what_opensearch_adds() {
        let wanted = json!({
            "description": "a", "default_state": "hot",
            "states": [
                {"name": "hot", "actions": [{"rollover": {"min_index_age": "3d"}}]},
                {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
            ],
            "ism_template": [{"index_patterns": ["e"], "priority": 150}],
        });
        let answered = json!({
            "policy_id": "weir-e", "description": "b", "last_updated_time": 1577990761311u64,
            "schema_version": 21, "error_notification": null, "default_state": "hot",
            "states": [
                {"name": "hot", "transitions": [], "actions": [{
                    "retry": {"count": 3, "backoff": "exponential", "delay": "1m"},
                    "rollover": {"min_index_age": "3d", "copy_alias": false},
                }]},
                {"name": "delete", "transitions": [], "actions": [{
                    "retry": {"count": 3, "backoff": "exponential", "delay": "1m"}, "delete": {},
                }]},
            ],
            "ism_template": [{"index_patterns": ["e"], "priority": 150, "last_updated_time": 1}],
            "user": {"name": "admin", "backend_roles": ["admin"], "custom_attribute_names": []},
        });
        assert_eq!(of_policy(&wanted), of_policy(&answered));
        let mut edited = answered;
        edited["states"][0]["actions"][0]["retry"]["count"] = json!(5);
        let told = differences(&of_policy(&edited), &of_policy(&wanted));
        assert_eq!(told.len(), 1);
        insta::assert_snapshot!(told[0], @"states[0].actions[0].retry.count: 5, and none is wanted");
    }

    #[test]
    fn what_is_shown_of_others_is_one_line() {
        let hostile = json!({"settings": {"a\nb": "x\u{1b}[31m"}});
        let told = differences(&of_policy(&hostile), &Flat::new());
        insta::assert_snapshot!(told[0], @r"settings.a\nb: x\u{1b}[31m, and none is wanted");
    }
}
