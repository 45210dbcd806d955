//! How a document differs from what it would be without a module. Pure.

use serde::Serialize;
use serde_json::Value;

/// A member that was set, changed or removed.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Edit {
    /// A JSON pointer; an item that was appended to an array has `-` at its end.
    pub(super) path: String,
    /// What was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) was: Option<Value>,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
}

/// What was edited, in the order of `now`'s members, and what was removed behind it.
pub(super) fn between(was: &Value, now: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    compare(was, now, "", &mut edits);
    edits
}

fn compare(was: &Value, now: &Value, path: &str, edits: &mut Vec<Edit>) {
    match (was, now) {
        (was, now) if was == now => {}
        (Value::Object(was), Value::Object(now)) => {
            let member =
                |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
            for (name, value) in now {
                match was.get(name) {
                    Some(was) => compare(was, value, &member(name), edits),
                    None => edits.push(Edit {
                        path: member(name),
                        was: None,
                        value: Some(value.clone()),
                    }),
                }
            }
            for (name, value) in was.iter().filter(|(name, _)| !now.contains_key(*name)) {
                edits.push(Edit { path: member(name), was: Some(value.clone()), value: None });
            }
        }
        (Value::Array(was), Value::Array(now)) if now.starts_with(was) => {
            for value in &now[was.len()..] {
                edits.push(Edit {
                    path: format!("{path}/-"),
                    was: None,
                    value: Some(value.clone()),
                });
            }
        }
        (was, now) => edits.push(Edit {
            path: path.to_owned(),
            was: Some(was.clone()),
            value: Some(now.clone()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(was: Value, now: Value) -> Vec<String> {
        let tell = |edit: &Edit| serde_json::to_string(edit).unwrap();
        between(&was, &now).iter().map(tell).collect()
    }

    #[test]
    fn what_is_set_changed_removed_and_appended_is_told_by_its_pointer() {
        let was = json!({"message": "a", "metadata": {"name": "n", "managedFields": [1]}, "tags": ["x"], "same": [1, {"a": 2}]});
        let now = json!({"message": "b", "metadata": {"name": "n", "labels": {"a/b": "c"}}, "tags": ["x", "y"], "same": [1, {"a": 2}]});
        assert_eq!(
            told(was.clone(), now),
            [
                r#"{"path":"/message","was":"a","value":"b"}"#,
                r#"{"path":"/metadata/labels","value":{"a/b":"c"}}"#,
                r#"{"path":"/metadata/managedFields","was":[1]}"#,
                r#"{"path":"/tags/-","value":"y"}"#,
            ]
        );
        assert_eq!(told(was.clone(), was), [""; 0]);
    }

    #[test]
    fn a_member_of_an_odd_name_has_a_pointer_that_leads_to_it() {
        let (was, now) = (json!({"a": {"b/~c": 1}}), json!({"a": {"b/~c": 2}}));
        let edits = between(&was, &now);
        assert_eq!(edits[0].path, "/a/b~1~0c");
        assert_eq!(now.pointer(&edits[0].path), edits[0].value.as_ref());
    }
}
