//! One JSON object as text, read and edited by pointer (RFC 6901), by the rules of `wit/edit.wit`.
//!
//! Nothing is parsed further than the pointer goes: what an edit does not touch keeps its bytes.

use std::{borrow::Cow, fmt};

use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
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
    /// Appends a string that is not there.
    Add(&'a str),
    Remove,
}

/// The member that `pointer` names, as JSON text.
pub(crate) fn get<'a>(document: &'a str, pointer: &str) -> Option<&'a str> {
    get_counted(document, pointer).0
}

/// The member that `pointer` names, and how many bytes weir would scan and copy for it, nearly: the
/// root's keys are known to it, and every container further in is walked.
pub(crate) fn get_counted<'a>(document: &'a str, pointer: &str) -> (Option<&'a str>, usize) {
    let mut scanned = pointer.len();
    let Ok(path) = steps(pointer) else {
        return (None, scanned);
    };
    let mut value = document;
    for (depth, step) in path.iter().enumerate() {
        let child = match value.as_bytes().first() {
            Some(b'{') => {
                let members = members(value);
                scanned += match depth {
                    0 => members.iter().map(|member| member.key.len()).sum(),
                    _ => value.len(),
                };
                members.into_iter().rev().find(|member| member.is(step)).map(|member| member.value)
            }
            Some(b'[') => {
                scanned += value.len();
                index(step).and_then(|index| elements(value).get(index).copied())
            }
            _ => None,
        };
        match child {
            Some(child) => value = child,
            None => return (None, scanned),
        }
    }
    (Some(value), scanned + value.len())
}

/// The document with one edit made; the error says why it is refused.
pub(crate) fn edited(document: &str, pointer: &str, edit: Edit<'_>) -> Result<String, String> {
    let path = steps(pointer)?;
    if path.is_empty() {
        return Err("the empty pointer is the whole event, which cannot be replaced".into());
    }
    if let Some(owned) = PROTECTED.iter().find(|owned| owned.iter().zip(&path).all(|(a, b)| a == b))
    {
        return Err(format!("`{pointer}` is protected: weir owns `/{}`", owned.join("/")));
    }
    let Some(edited) = apply(document, &path, edit).map_err(|why| format!("`{pointer}`: {why}"))?
    else {
        return Ok(document.to_owned());
    };
    // One that was too large already may become smaller.
    if edited.len() > DOCUMENT_BYTES_MAX && edited.len() > document.len() {
        return Err(format!(
            "`{pointer}`: the document would be larger than {DOCUMENT_BYTES_MAX} bytes"
        ));
    }
    if depth(&edited) > DEPTH_MAX {
        return Err(format!("`{pointer}`: the document would nest deeper than {DEPTH_MAX} levels"));
    }
    Ok(edited)
}

/// Exactly one JSON value, without whitespace between its tokens. Numbers are text: they keep their
/// digits, and may be of any size. Half a surrogate pair is no text, so no string either.
pub(crate) fn compact(json: &str) -> Result<String, String> {
    let refused = |error| format!("not one JSON value: {error}");
    serde_json::from_str::<&RawValue>(json).map_err(refused)?;
    let mut compact = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(open) = rest.find('"') {
        let (before, string) = rest.split_at(open);
        compact.extend(before.split_ascii_whitespace());
        let mut strings = serde_json::Deserializer::from_str(string).into_iter::<String>();
        if let Some(Err(error)) = strings.next() {
            return Err(refused(error));
        }
        let (string, after) = string.split_at(strings.byte_offset());
        compact.push_str(string);
        rest = after;
    }
    compact.extend(rest.split_ascii_whitespace());
    Ok(compact)
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `None` where nothing is to be changed, which leaves every byte as it was.
fn apply(value: &str, path: &[String], edit: Edit<'_>) -> Result<Option<String>, String> {
    let Some((step, rest)) = path.split_first() else {
        return at_the_end(value, edit);
    };
    match value.as_bytes().first() {
        Some(b'{') => in_object(value, step, rest, edit),
        Some(b'[') => in_array(value, step, rest, edit),
        _ => Err(format!("`{step}` would be inside of {value}, which has no members")),
    }
}

/// Of a key that stands there more than once the last counts, and an edit through it removes the
/// others.
fn in_object(
    object: &str,
    step: &str,
    rest: &[String],
    edit: Edit<'_>,
) -> Result<Option<String>, String> {
    let members = members(object);
    let last = members.iter().rposition(|member| member.is(step));
    let edited = match (last, rest, edit) {
        (Some(_), [], Edit::Remove) => String::new(),
        (Some(at), ..) => match apply(members[at].value, rest, edit)? {
            Some(value) => format!("{}:{value}", members[at].key),
            None => return Ok(None),
        },
        (None, _, Edit::Remove) => return Ok(None),
        (None, ..) => format!("{}:{}", quoted(step), made(rest, edit)),
    };
    let kept = |(at, member): (usize, &Member<'_>)| match Some(at) == last {
        true => Some(edited.clone()).filter(|edited| !edited.is_empty()),
        false => (!member.is(step)).then(|| format!("{}:{}", member.key, member.value)),
    };
    let mut texts: Vec<String> = members.iter().enumerate().filter_map(kept).collect();
    if last.is_none() {
        texts.push(edited);
    }
    Ok(Some(format!("{{{}}}", texts.join(","))))
}

fn in_array(
    array: &str,
    step: &str,
    rest: &[String],
    edit: Edit<'_>,
) -> Result<Option<String>, String> {
    let mut elements: Vec<String> = elements(array).into_iter().map(str::to_owned).collect();
    let at = match step {
        "-" => elements.len(),
        _ => index(step).ok_or_else(|| format!("`{step}` is not an index of an array"))?,
    };
    match (at < elements.len(), rest, edit) {
        (true, [], Edit::Remove) => drop(elements.remove(at)),
        (true, ..) => match apply(&elements[at], rest, edit)? {
            Some(element) => elements[at] = element,
            None => return Ok(None),
        },
        (false, _, Edit::Remove) => return Ok(None),
        (false, ..) if at == elements.len() => elements.push(made(rest, edit)),
        (false, ..) => {
            return Err(format!("`{step}` is past the end of an array of {}", elements.len()));
        }
    }
    Ok(Some(format!("[{}]", elements.join(","))))
}

/// What an edit leaves where something is already. `Remove` ends in the parent.
fn at_the_end(value: &str, edit: Edit<'_>) -> Result<Option<String>, String> {
    match edit {
        Edit::Set(new) => Ok(Some(new.to_owned())),
        Edit::Add(new) if value.starts_with('[') && has_string(value, new) => Ok(None),
        Edit::Append(new) | Edit::Add(new) if value.starts_with('[') => {
            let mut elements = elements(value);
            elements.push(new);
            Ok(Some(format!("[{}]", elements.join(","))))
        }
        Edit::Append(_) | Edit::Add(_) => Err(format!("{value} is not an array to append to")),
        Edit::Remove => Ok(Some(value.to_owned())),
    }
}

/// Whether an element of the array is the same string, however either is written.
fn has_string(array: &str, string: &str) -> bool {
    let text = |json: &str| serde_json::from_str::<String>(json).ok();
    let string = text(string);
    elements(array).into_iter().any(|element| element.starts_with('"') && text(element) == string)
}

/// What an edit makes where nothing is: its value, inside of the parents that are missing.
fn made(rest: &[String], edit: Edit<'_>) -> String {
    let value = match edit {
        Edit::Set(new) => new.to_owned(),
        Edit::Append(new) | Edit::Add(new) => format!("[{new}]"),
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
                true => Err(format!(
                    "`{pointer}` is not a JSON pointer: `~` must be followed by `0` or `1`"
                )),
                false => Ok(step.replace("~1", "/").replace("~0", "~")),
            }
        })
        .collect()
}

/// An array's index: digits, without leading zeros. More than fits is past any array's end.
fn index(step: &str) -> Option<usize> {
    let digits = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
    (digits && (step == "0" || !step.starts_with('0'))).then(|| step.parse().unwrap_or(usize::MAX))
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

/// A member of an object; the key as it stands there, with its quotes.
struct Member<'a> {
    key: &'a str,
    value: &'a str,
}

impl Member<'_> {
    fn is(&self, step: &str) -> bool {
        serde_json::from_str::<Cow<'_, str>>(self.key).is_ok_and(|key| key == step)
    }
}

/// The members of an object's text, in order. Text in a document has been validated, so this
/// cannot fail on it; anything else has no members.
fn members(object: &str) -> Vec<Member<'_>> {
    serde_json::from_str::<Members<'_>>(object).map_or_else(|_| Vec::new(), |members| members.0)
}

/// The elements of an array's text, as [`members`].
fn elements(array: &str) -> Vec<&str> {
    serde_json::from_str::<Vec<&RawValue>>(array)
        .map_or_else(|_| Vec::new(), |elements| elements.into_iter().map(RawValue::get).collect())
}

struct Members<'a>(Vec<Member<'a>>);

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
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push(Member { key: key.get(), value: value.get() });
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
        assert_eq!(
            compact(" { \"a b\" : [ 1 , \"\\\" \\\\\" ] } ").unwrap(),
            "{\"a b\":[1,\"\\\" \\\\\"]}"
        );
        assert!(compact("1 2").is_err());
        assert!(compact("").is_err());
        assert!(compact(r#"{"a":"\ud800"}"#).is_err());
        assert_eq!(compact("[1e999, -0.0]").unwrap(), "[1e999,-0.0]");
    }

    #[test]
    fn of_a_repeated_key_the_last_is_edited_and_the_others_go() {
        let document = r#"{"o":{"a":{"x":1},"b":0,"\u0061":{"x":2}}}"#;
        let set = edited(document, "/o/a/x", Edit::Set("3")).unwrap();
        assert_eq!(set, r#"{"o":{"b":0,"\u0061":{"x":3}}}"#);
        assert_eq!(get(&set, "/o/a/x"), Some("3"));
        assert_eq!(edited(document, "/o/a", Edit::Remove).unwrap(), r#"{"o":{"b":0}}"#);
        assert_eq!(edited(document, "/o/a/y", Edit::Remove).unwrap(), document);
        assert!(edited(document, "/o/a/x/y", Edit::Set("3")).is_err());
    }

    #[test]
    fn a_document_that_is_too_large_may_become_smaller() {
        let large = format!(r#"{{"a":"{}","b":"{}"}}"#, "x".repeat(1 << 20), "x".repeat(1 << 10));
        assert!(edited(&large, "/c", Edit::Set("1")).is_err());
        assert!(edited(&large, "/b", Edit::Set("1")).is_ok());
        assert!(edited(&large, "/b", Edit::Remove).is_ok());
    }
}
