//! What a user wants otherwise in the index template: shards, replicas, refresh, mappings. Pure.

use serde_json::{Map, Value};

use crate::text::{self, REASON_BYTES_MAX};

/// What an overlay may hold, as the `template` of an index template has it.
const MEMBERS: [&str; 2] = ["settings", "mappings"];

/// Settings and mappings to be merged into weir's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay(Map<String, Value>);

/// Why a text is none.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// It is not JSON, or no object.
    #[error(
        "it must be a JSON object such as {{\"settings\": {{\"number_of_replicas\": 2}}}}: {0}"
    )]
    NotJson(String),
    /// It holds what is not overlaid.
    #[error(
        "it may hold `settings` and `mappings`, as the `template` of an index template has them, \
         and it holds `{0}`"
    )]
    Member(String),
    /// One of them is no object.
    #[error("its `{0}` must be an object")]
    NoObject(&'static str),
}

impl Overlay {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// When it holds anything but settings and mappings.
    pub(crate) fn parse(json: &[u8]) -> Result<Overlay, OverlayError> {
        let members: Map<String, Value> = serde_json::from_slice(json).map_err(|error| {
            OverlayError::NotJson(text::words(&error.to_string(), REASON_BYTES_MAX))
        })?;
        Overlay::of(members)
    }

    fn of(members: Map<String, Value>) -> Result<Overlay, OverlayError> {
        if let Some(key) = members.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
            return Err(OverlayError::Member(text::words(key, REASON_BYTES_MAX)));
        }
        for key in MEMBERS {
            if members.get(key).is_some_and(|value| !value.is_object()) {
                return Err(OverlayError::NoObject(key));
            }
        }
        Ok(Overlay(members))
    }

    /// One that was kept; `None`: there is none.
    pub(super) fn kept(value: &Value) -> Option<Overlay> {
        Overlay::of(value.as_object()?.clone()).ok()
    }

    /// As it is kept.
    pub(super) fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Puts it over the `template` of an index template: a member replaces one of the same name, an
    /// object is merged into it, and null takes it away.
    pub(super) fn put_over(&self, template: &mut Value) {
        let Some(template) = template.as_object_mut() else { return };
        for (member, over) in &self.0 {
            let over = match (member.as_str(), over) {
                ("settings", Value::Object(settings)) => &with_dots(settings),
                (_, over) => over,
            };
            merge(template.entry(member).or_insert(Value::Null), over);
        }
    }
}

fn merge(under: &mut Value, over: &Value) {
    let Value::Object(over) = over else {
        under.clone_from(over);
        return;
    };
    if !under.is_object() {
        *under = Value::Object(Map::new());
    }
    // It is one now.
    let Some(under) = under.as_object_mut() else { return };
    for (key, value) in over {
        match value {
            Value::Null => {
                under.remove(key);
            }
            value => merge(under.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// Settings under the names that weir's own have: `index.mapping.total_fields.limit`.
fn with_dots(settings: &Map<String, Value>) -> Value {
    let mut flat = Map::new();
    for (key, value) in settings {
        let key = if key == "index" || key.starts_with("index.") {
            key.clone()
        } else {
            format!("index.{key}")
        };
        put(key, value, &mut flat);
    }
    Value::Object(flat)
}

fn put(path: String, value: &Value, flat: &mut Map<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                put(format!("{path}.{key}"), member, flat);
            }
        }
        value => {
            flat.insert(path, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn over(overlay: &str) -> Value {
        let mut template = json!({
            "settings": {"index.mapping.total_fields.limit": 1000, "index.mapping.ignore_malformed": true},
            "mappings": {"date_detection": false, "properties": {"type": {"type": "text"}}},
        });
        Overlay::parse(overlay.as_bytes()).unwrap().put_over(&mut template);
        template
    }

    #[test]
    fn settings_are_one_however_they_are_written() {
        let expected = json!({
            "index.mapping.total_fields.limit": 2000, "index.mapping.ignore_malformed": true,
            "index.number_of_replicas": 2,
        });
        for overlay in [
            r#"{"settings":{"number_of_replicas":2,"mapping":{"total_fields":{"limit":2000}}}}"#,
            r#"{"settings":{"index":{"number_of_replicas":2,"mapping.total_fields.limit":2000}}}"#,
            r#"{"settings":{"index.number_of_replicas":2,"index.mapping.total_fields.limit":2000}}"#,
        ] {
            assert_eq!(over(overlay)["settings"], expected, "{overlay}");
        }
    }

    #[test]
    fn mappings_are_merged_and_null_takes_away() {
        let template = over(
            r#"{"settings":{"index":{"mapping.ignore_malformed":null}},"mappings":{"date_detection":null,"properties":{"team":{"type":"keyword"}}}}"#,
        );
        assert_eq!(template["settings"], json!({"index.mapping.total_fields.limit": 1000}));
        assert_eq!(
            template["mappings"],
            json!({"properties": {"type": {"type": "text"}, "team": {"type": "keyword"}}})
        );
    }

    #[test]
    fn whatever_is_no_setting_or_mapping_is_refused() {
        let told = |text: &str| Overlay::parse(text.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(told(r#"{"template":{}}"#), @"it may hold `settings` and `mappings`, as the `template` of an index template has them, and it holds `template`");
        insta::assert_snapshot!(told(r#"{"settings":[]}"#), @"its `settings` must be an object");
        insta::assert_snapshot!(told("[1]"), @r#"it must be a JSON object such as {"settings": {"number_of_replicas": 2}}: invalid type: sequence, expected a map at line 1 column 0"#);
        insta::assert_snapshot!(told("settings: x"), @r#"it must be a JSON object such as {"settings": {"number_of_replicas": 2}}: expected value at line 1 column 1"#);
    }
}
