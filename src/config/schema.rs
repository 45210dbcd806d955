//! The declaration of all keys as [JSON Schema](https://json-schema.org/draft-07), which editors of
//! TOML read.
//!
//! It says as much as a schema can; `weir check` knows more.

use serde_json::{Map, Value, json};
use toml::de::DeTable;

use super::json::object;
use super::keys::ROOT;
use super::table::{Key, Presence, Rule, Table, Type};
use super::units::{DURATION_PATTERN, SIZE_PATTERN};
use crate::words::Word;

/// The schema of `pipeline.toml`, as pretty JSON that ends with a line break.
pub(crate) fn schema() -> String {
    let mut schema = table(&ROOT);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "pipeline.toml of weir".into();
    format!("{schema:#}\n")
}

fn table(spec: &Table) -> Value {
    let properties: Map<String, Value> =
        spec.keys.iter().map(|k| (k.name.to_owned(), key(k))).collect();
    let mut schema = json!({
        "type": "object",
        "description": spec.doc,
        "additionalProperties": false,
        "properties": properties,
    });
    let required = required(spec, |key| key.only.is_empty() && key.unless.is_none());
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if let Some(Type::OneOf(kinds)) = spec.key("kind").map(|key| &key.kind) {
        schema["allOf"] = kinds.iter().map(|kind| only_of_kind(spec, kind.text)).collect();
    }
    if let Some(flag) = spec.keys.iter().find_map(|key| key.unless) {
        schema["allOf"] = vec![only_without(spec, flag)].into();
    }
    schema
}

/// What holds when a flag is true: the keys that may not stand beside it are refused, and the table
/// that it needs is there and not empty; and otherwise.
fn only_without(spec: &Table, flag: &str) -> Value {
    let others = spec.keys.iter().filter(|key| key.unless == Some(flag));
    let mut properties: Map<String, Value> =
        others.map(|key| (key.name.to_owned(), false.into())).collect();
    let needed = spec.key(flag).and_then(|key| key.needs);
    properties.extend(needed.map(|name| (name.to_owned(), json!({ "minProperties": 1 }))));
    json!({
        "if": { "properties": { flag: { "const": true } }, "required": [flag] },
        "then": { "properties": properties, "required": Vec::from_iter(needed) },
        "else": { "required": required(spec, |key| key.unless == Some(flag)) },
    })
}

/// What holds when `kind` is this one: other kinds' keys are refused, its own required.
fn only_of_kind(spec: &Table, kind: &str) -> Value {
    let others = spec.keys.iter().filter(|key| !key.only.is_empty() && !key.only.contains(&kind));
    let refused: Map<String, Value> =
        others.map(|key| (key.name.to_owned(), false.into())).collect();
    let is_default = spec.key("kind").and_then(|key| key.default_word()) == Some(kind);
    let given: &[&str] = if is_default { &[] } else { &["kind"] };
    let required = required(spec, |key| key.only.contains(&kind));
    json!({
        "if": { "properties": { "kind": { "const": kind } }, "required": given },
        "then": { "properties": refused, "required": required },
    })
}

fn required(spec: &Table, among: impl Fn(&Key) -> bool) -> Vec<&'static str> {
    let keys = spec.keys.iter().filter(|key| key.presence == Presence::Required && among(key));
    keys.map(|key| key.name).collect()
}

fn key(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    let mut doc = key.doc.to_owned();
    if let Type::OneOf(words) = key.kind {
        let explained = |word: &Word| format!("\n\"{}\": {}.", word.text, word.meaning);
        doc.extend(words.iter().map(explained));
    }
    schema["description"] = doc.into();
    if let Presence::Default(toml) = key.presence {
        schema["default"] = default(toml);
    }
    schema
}

fn kind(kind: &Type) -> Value {
    match kind {
        Type::Text(rule) => text(*rule),
        Type::OneOf(words) => {
            json!({ "enum": words.iter().map(|word| word.text).collect::<Vec<_>>() })
        }
        Type::Path | Type::Module => json!({ "type": "string", "minLength": 1 }),
        Type::Flag => json!({ "type": "boolean" }),
        Type::Workers { max } => json!({
            "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": max }],
        }),
        Type::Count { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Type::Size { min, max } => json!({
            "anyOf": [
                { "type": "string", "pattern": SIZE_PATTERN },
                { "type": "integer", "minimum": min, "maximum": max },
            ],
        }),
        Type::Duration { .. } => json!({ "type": "string", "pattern": DURATION_PATTERN }),
        Type::Texts { rule, may_be_empty } => {
            let items_min = if *may_be_empty { 0 } else { 1 };
            json!({ "type": "array", "items": text(*rule), "minItems": items_min })
        }
        Type::Secret => {
            json!({ "anyOf": [text(super::rules::NOT_EMPTY), secret("file"), secret("env")] })
        }
        Type::Named(rule) => json!({ "anyOf": [text(*rule), secret("file"), secret("env")] }),
        Type::Free => json!({ "type": "object" }),
        Type::Section(spec) => table(spec),
        Type::Sections(spec) => json!({ "type": "array", "items": table(spec) }),
        Type::Alternatives(spec) => {
            let mut one = table(spec);
            one["minProperties"] = 1.into();
            json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
        }
    }
}

fn text(rule: Rule) -> Value {
    match rule.pattern {
        Some(pattern) => json!({ "type": "string", "pattern": pattern }),
        None => json!({ "type": "string" }),
    }
}

fn secret(from: &str) -> Value {
    json!({
        "type": "object",
        "properties": { from: { "type": "string", "minLength": 1 } },
        "required": [from],
        "additionalProperties": false,
    })
}

fn default(toml: &str) -> Value {
    let text = format!("default = {toml}");
    // The defaults are ours; a test reads them all.
    let json = DeTable::parse(&text).map(|table| object(table.get_ref(), &mut |_, _| {}));
    let members: Value =
        json.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    members["default"].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        assert!(
            include_str!("../../config/schema.json") == schema(),
            "config/schema.json is out of date: run `cargo run -- schema > config/schema.json`"
        );
    }

    #[test]
    fn every_default_is_a_value_in_the_schema() {
        assert_eq!(default("\"50ms\""), json!("50ms"));
        assert_eq!(default("[]"), json!([]));
        assert_eq!(default("{}"), json!({}));
        assert_eq!(default("false"), json!(false));
    }
}
