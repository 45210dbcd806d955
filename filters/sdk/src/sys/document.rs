//! One JSON object as text, read and edited by pointer (RFC 6901), by the rules of `wit/edit.wit`.
//!
//! Nothing is parsed further than the pointer goes: what an edit does not touch keeps its bytes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Of an edited document; `wit/edit.wit` promises it.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Of an edited document; `wit/edit.wit` promises it.
const DEPTH_MAX: usize = 128;

/// What weir itself owns: the event's identity and times, and what it adds to a document.
const PROTECTED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "managedFields"],
    &["firstTimestamp"],
    &["lastTimestamp"],
    &["eventTime"],
    &["series"],
    &["involvedObject", "kind"],
    &["involvedObject", "namespace"],
    &["involvedObject", "name"],
    &["involvedObject", "uid"],
    &["@timestamp"],
    &["clusterName"],
    &["weir"],
];

/// What an edit does at its pointer; values are compact JSON text.
#[derive(Clone, Copy)]
pub(crate) enum Edit<'a> {
    Set(&'a str),
    Append(&'a str),
    Remove,
}

/// The member that `pointer` names, as JSON text.
pub(crate) fn get<'a>(document: &'a str, pointer: &str) -> Option<&'a str> {
    let mut value = document;
    for step in steps(pointer).ok()? {
        value = match value.as_bytes().first() {
            Some(b'{') => members(value).into_iter().rev().find(|(key, _)| *key == step)?.1,
            Some(b'[') => elements(value).get(index(&step)?).copied()?,
            _ => return None,
        };
    }
    Some(value)
}

/// The document with one edit made; the error says why it is refused.
pub(crate) fn edited(document: &str, pointer: &str, edit: Edit<'_>) -> Result<String, String> {
    let path = steps(pointer)?;
    if path.is_empty() {
        return Err("the empty pointer is the whole event, which cannot be replaced".into());
    }
    if let Some(owned) = PROTECTED.iter().find(|owned| owned.iter().zip(&path).all(|(a, b)| a == b)) {
        return Err(format!("`{pointer}` is protected: weir owns `/{}`", owned.join("/")));
    }
    let document = apply(document, &path, edit).map_err(|why| format!("`{pointer}`: {why}"))?;
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("`{pointer}`: the document would be larger than {DOCUMENT_BYTES_MAX} bytes"));
    }
    if depth(&document) > DEPTH_MAX {
        return Err(format!("`{pointer}`: the document would nest deeper than {DEPTH_MAX} levels"));
    }
    Ok(document)
}

/// Exactly one JSON value, without whitespace between its tokens.
pub(crate) fn compact(json: &str) -> Result<String, String> {
    serde_json::from_str::<serde_json::Value>(json)
        .map_err(|error| format!("not one JSON value: {error}"))?;
    let mut in_string = false;
    let mut escaped = false;
    let outside_or_within = |c: &char| {
        let keep = in_string || !c.is_ascii_whitespace();
        in_string ^= *c == '"' && !escaped;
        escaped = in_string && *c == '\\' && !escaped;
        keep
    };
    Ok(json.chars().filter(outside_or_within).collect())
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn apply(value: &str, path: &[String], edit: Edit<'_>) -> Result<String, String> {
    let Some((step, rest)) = path.split_first() else {
        return at_the_end(value, edit);
    };
    match value.as_bytes().first() {
        Some(b'{') => in_object(value, step, rest, edit),
        Some(b'[') => in_array(value, step, rest, edit),
        _ => Err(format!("`{step}` would be inside of {value}, which has no members")),
    }
}

fn in_object(object: &str, step: &str, rest: &[String], edit: Edit<'_>) -> Result<String, String> {
    let mut members: Vec<(String, String)> =
        members(object).into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    match (members.iter().position(|(key, _)| key == step), rest, edit) {
        (Some(at), [], Edit::Remove) => drop(members.remove(at)),
        (Some(at), ..) => members[at].1 = apply(&members[at].1, rest, edit)?,
        (None, _, Edit::Remove) => return Ok(object.to_owned()),
        (None, ..) => members.push((step.to_owned(), made(rest, edit))),
    }
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    Ok(format!("{{{}}}", members.join(",")))
}

fn in_array(array: &str, step: &str, rest: &[String], edit: Edit<'_>) -> Result<String, String> {
    let mut elements: Vec<String> = elements(array).into_iter().map(str::to_owned).collect();
    let at = match step {
        "-" => elements.len(),
        _ => index(step).ok_or_else(|| format!("`{step}` is not an index of an array"))?,
    };
    match (at < elements.len(), rest, edit) {
        (true, [], Edit::Remove) => drop(elements.remove(at)),
        (true, ..) => elements[at] = apply(&elements[at], rest, edit)?,
        (false, _, Edit::Remove) => return Ok(array.to_owned()),
        (false, ..) if at == elements.len() => elements.push(made(rest, edit)),
        (false, ..) => return Err(format!("`{step}` is past the end of an array of {}", elements.len())),
    }
    Ok(format!("[{}]", elements.join(",")))
}

/// What an edit leaves where something is already. `Remove` ends in the parent.
fn at_the_end(value: &str, edit: Edit<'_>) -> Result<String, String> {
    match edit {
        Edit::Set(new) => Ok(new.to_owned()),
        Edit::Append(new) if value.starts_with('[') => {
            let mut elements = elements(value);
            elements.push(new);
            Ok(format!("[{}]", elements.join(",")))
        }
        Edit::Append(_) => Err(format!("{value} is not an array to append to")),
        Edit::Remove => Ok(value.to_owned()),
    }
}

/// What an edit makes where nothing is: its value, inside of the parents that are missing.
fn made(rest: &[String], edit: Edit<'_>) -> String {
    let value = match edit {
        Edit::Set(new) => new.to_owned(),
        Edit::Append(new) => format!("[{new}]"),
        Edit::Remove => String::new(),
    };
    rest.iter().rev().fold(value, |value, step| format!("{{{}:{value}}}", quoted(step)))
}

/// A pointer's steps, with their escapes undone.
fn steps(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(format!("`{pointer}` is not a JSON pointer: it must begin with `/`"));
    };
    path.split('/')
        .map(|step| {
            let badly_escaped = step.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
            match badly_escaped {
                true => Err(format!("`{pointer}` is not a JSON pointer: `~` must be followed by `0` or `1`")),
                false => Ok(step.replace("~1", "/").replace("~0", "~")),
            }
        })
        .collect()
}

/// An array's index: digits, without leading zeros.
fn index(step: &str) -> Option<usize> {
    let digits = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
    (digits && (step == "0" || !step.starts_with('0'))).then(|| step.parse().ok())?
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = in_string && byte == b'\\' && !escaped;
        deepest = deepest.max(depth);
    }
    deepest
}

/// The members of an object's text, in order. Text in a document has been validated, so this
/// cannot fail on it; anything else has no members.
fn members(object: &str) -> Vec<(String, &str)> {
    serde_json::from_str::<Members<'_>>(object).map_or_else(|_| Vec::new(), |members| members.0)
}

/// The elements of an array's text, as [`members`].
fn elements(array: &str) -> Vec<&str> {
    serde_json::from_str::<Vec<&RawValue>>(array)
        .map_or_else(|_| Vec::new(), |elements| elements.into_iter().map(RawValue::get).collect())
}

struct Members<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((key, value.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_leaves_the_text_around_it_as_it_was() {
        let document = r#"{"a":1.50e+03,"b":{"c":[1, 2 ],"d":"\u0041"}}"#;
        let edited = edited(document, "/b/c/-", Edit::Set("3")).unwrap();
        assert_eq!(edited, r#"{"a":1.50e+03,"b":{"c":[1,2,3],"d":"\u0041"}}"#);
    }

    #[test]
    fn json_text_is_one_value_without_whitespace_between_tokens() {
        assert_eq!(compact(" { \"a b\" : [ 1 , \"\\\" \\\\\" ] } ").unwrap(), "{\"a b\":[1,\"\\\" \\\\\"]}");
        assert!(compact("1 2").is_err());
        assert!(compact("").is_err());
    }
}
