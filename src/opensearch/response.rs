//! Reads what OpenSearch answers to `_bulk`, item by item. Pure.
//!
//! Invariants:
//!
//! - Exactly one answer for each item, in the order of the request, or the whole response is an
//!   error: a guess here would settle a document that was not stored. What one item's answer lacks,
//!   or has in another form, is its own: it has no status then, and no other item loses its own.
//! - What is kept of a response is bounded by the number of items that were sent.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::refusal::whole_error;
use crate::answers;
use crate::text::{self, REASON_BYTES_MAX};

/// What to ask for. The status of every item always, so that the number of items can be checked;
/// the reasons only where there are any.
const FILTER_PATH: &str = "items.*.status,items.*.error.type,items.*.error.reason,\
                           items.*.error.caused_by,error,status";

/// The `filter_path` to ask with; with the index of every item when `tells_index`.
pub(crate) fn bulk_filter_path(tells_index: bool) -> String {
    format!("{FILTER_PATH}{}", if tells_index { ",items.*._index" } else { "" })
}

/// The answer to one item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0: it has none.
    pub(crate) status: u16,
    pub(crate) error: Option<ItemError>,
}

/// The answers to all items of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BulkAnswers {
    /// In the order of the request.
    pub(crate) items: Vec<Answer>,
    /// The index of the last document that is stored, by this request or before it, where the
    /// answer names indices.
    pub(crate) stored_in: Option<String>,
    /// The index that the last document was meant for, whatever became of it.
    pub(crate) meant_for: Option<String>,
}

/// Why an item failed, in OpenSearch's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ItemError {
    pub(crate) kind: String,
    pub(crate) reason: String,
    /// The innermost cause.
    pub(crate) cause: Option<String>,
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.as_str(), self.reason.as_str()) {
            ("", reason) => f.write_str(reason)?,
            (kind, "") => f.write_str(kind)?,
            (kind, reason) => write!(f, "{kind}: {reason}")?,
        }
        match &self.cause {
            // Some reasons repeat their cause.
            Some(cause) if !self.reason.ends_with(cause.as_str()) => write!(f, ": {cause}"),
            _ => Ok(()),
        }
    }
}

/// Why a response cannot be used: none of its items has an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is {0}, and no _bulk response; is there a proxy before OpenSearch?")]
    NotJson(String),
    #[error("it is not the JSON of a _bulk response ({0}); is there a proxy before OpenSearch?")]
    NotBulk(String),
    #[error("it has {got} items for {sent} documents; is there a proxy before OpenSearch?")]
    Count { sent: usize, got: usize },
    #[error("it has more items than the {0} documents; is there a proxy before OpenSearch?")]
    TooMany(usize),
}

/// One answer for each of `sent` items, or an error.
pub(crate) fn parse_bulk(body: &[u8], sent: usize) -> Result<BulkAnswers, Unreadable> {
    let mut reading = serde_json::Deserializer::from_slice(body);
    let items = Items { sent }.deserialize(&mut reading);
    let items = items.and_then(|items| reading.end().map(|()| items));
    let items = items.map_err(|error| match body.trim_ascii_start().first() {
        Some(b'{') => Unreadable::NotBulk(error.to_string()),
        _ => Unreadable::NotJson(answers::not_json(body)),
    })?;
    let items = match items {
        None => return Err(Unreadable::NotBulk(whole_error(body))),
        Some(items) if items.len() > sent => return Err(Unreadable::TooMany(sent)),
        Some(items) if items.len() < sent => {
            return Err(Unreadable::Count { sent, got: items.len() });
        }
        Some(items) => items,
    };
    let mut answers = BulkAnswers { items: Vec::with_capacity(sent), ..BulkAnswers::default() };
    let (mut stored_in, mut meant_for) = (None, None);
    for item in items {
        let (answer, index) = answer(item.get());
        if matches!(answer.status, 200..=299 | 409) {
            stored_in.clone_from(&index);
        }
        meant_for = index;
        answers.items.push(answer);
    }
    answers.stored_in = stored_in.map(Cow::into_owned);
    answers.meant_for = meant_for.map(Cow::into_owned);
    Ok(answers)
}

/// Reads the items of a response, each as it stands there; one more than were sent at most. `None`:
/// it has none.
struct Items {
    sent: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Option<Vec<&'de RawValue>>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            if key != "items" {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value_seed(List { sent: self.sent })?).is_some() {
                return Err(A::Error::duplicate_field("items"));
            }
        }
        Ok(found)
    }
}

struct List {
    sent: usize,
}

impl<'de> DeserializeSeed<'de> for List {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::with_capacity(self.sent);
        while let Some(item) = items.next_element()? {
            if found.len() <= self.sent {
                found.push(item);
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(borrow)]
    create: Option<RawAnswer<'a>>,
    #[serde(borrow)]
    index: Option<RawAnswer<'a>>,
    #[serde(borrow)]
    delete: Option<RawAnswer<'a>>,
}

#[derive(Deserialize)]
struct RawAnswer<'a> {
    status: u16,
    #[serde(borrow, rename = "_index")]
    index: Option<Cow<'a, str>>,
    error: Option<Value>,
}

impl ItemError {
    /// What of an error can be read, in whatever form it is.
    pub(super) fn of(error: &Value) -> ItemError {
        let member = |key: &str| error.get(key).map(plain).unwrap_or_default();
        match error {
            Value::Object(_) => {
                let (kind, reason) = (member("type"), member("reason"));
                ItemError { kind, reason, cause: innermost(error) }
            }
            other => ItemError { reason: plain(other), ..ItemError::default() },
        }
        .bounded()
    }

    /// A reason may quote the whole document: what is kept of it is enough to find it there.
    fn bounded(self) -> ItemError {
        let ItemError { kind, reason, cause } = self;
        let cut = |text: String| text::cut(text, REASON_BYTES_MAX);
        ItemError { kind: cut(kind), reason: cut(reason), cause: cause.map(cut) }
    }
}

/// A text, and of anything else its JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The reason that everything else in an error follows from, if that is another one: the end of
/// `caused_by`, or else what the shards said.
fn innermost(error: &Value) -> Option<String> {
    let first = |key: &str| error.get(key).and_then(|causes| causes.get(0));
    let caused_by = error.get("caused_by").filter(|cause| !cause.is_null());
    let outermost = caused_by.or_else(|| first("root_cause")).or_else(|| {
        // Of a search, where no shard's reason has become the root cause.
        first("failed_shards").and_then(|shard| shard.get("reason"))
    })?;
    let chain = std::iter::successors(Some(outermost), |cause| {
        cause.get("caused_by").filter(|cause| !cause.is_null())
    });
    // The last one may say nothing.
    let said = chain.map(|cause| match cause {
        Value::Object(members) => {
            let said = ["reason", "type"].into_iter().filter_map(|key| members.get(key));
            said.map(plain).find(|said| !said.is_empty()).unwrap_or_default()
        }
        other => plain(other),
    });
    said.filter(|said| !said.is_empty()).last()
}

/// The answer to one item, and its index where it is named.
fn answer(item: &str) -> (Answer, Option<Cow<'_, str>>) {
    let answer = match serde_json::from_str(item) {
        Ok(RawItem { create: Some(answer), index: None, delete: None })
        | Ok(RawItem { create: None, index: Some(answer), delete: None })
        | Ok(RawItem { create: None, index: None, delete: Some(answer) }) => answer,
        _ => return (odd_answer(item), None),
    };
    let error = answer.error.as_ref().map(ItemError::of);
    (Answer { status: answer.status, error }, answer.index)
}

/// The same of one that OpenSearch does not give: what of it can be read.
fn odd_answer(item: &str) -> Answer {
    let item: Value = serde_json::from_str(item).unwrap_or_default();
    let found = ["create", "index", "delete"].into_iter().filter_map(|kind| item.get(kind));
    let [answer] = found.collect::<Vec<_>>()[..] else { return Answer::default() };
    let error = answer.get("error").filter(|error| !error.is_null()).map(ItemError::of);
    let status = answer.get("status").and_then(Value::as_u64);
    Answer { status: status.and_then(|status| status.try_into().ok()).unwrap_or(0), error }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_refused_item_keeps_the_reason_and_its_cause() {
        let body = br#"{"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":
            "mapper_parsing_exception","reason":"failed to parse field [d]","caused_by":{"reason":"\"nope\""}}}}]}"#;
        let answers = parse_bulk(body, 2).unwrap().items;
        assert_eq!(answers[0], Answer { status: 201, error: None });
        let error = answers[1].error.as_ref().unwrap().to_string();
        insta::assert_snapshot!(error, @r#"mapper_parsing_exception: failed to parse field [d]: "nope""#);
    }

    #[test]
    fn the_index_is_that_of_what_is_stored() {
        let body = br#"{"items":[{"create":{"_index":"e-1","status":201}},{"create":{"_index":"e-2","status":409}},{"create":{"_index":"e","status":403}}]}"#;
        let answers = parse_bulk(body, 3).unwrap();
        assert_eq!(answers.stored_in.as_deref(), Some("e-2"));
        assert_eq!(answers.meant_for.as_deref(), Some("e"));
        let unnamed = br#"{"items":[{"create":{"status":201}}]}"#;
        assert_eq!(parse_bulk(unnamed, 1).unwrap().stored_in, None);
    }

    #[test]
    fn what_is_no_bulk_response_is_an_error_as_a_whole() {
        let cases: [(&[u8], &str); 9] = [
            (b"<html><title>Sign in</title>", "it is an HTML page (`Sign in`), and no _bulk"),
            (b"", "it is an empty answer, and no _bulk"),
            (b"{}", "it is not the JSON of a _bulk response (it gives no reason)"),
            (br#"{"items":null}"#, "it is not the JSON"),
            (br#"{"items":[],"items":[]}"#, "duplicate field `items`"),
            (br#"{"error":"no such route"}"#, "a _bulk response (no such route)"),
            (br#"{"items":[{"create":{"status":201}}"#, "it is not the JSON"),
            (br#"{"items":[{"create":{"status":201}}]}"#, "1 items for 2"),
            (br#"{"items":[{},{},{},{}]}"#, "more items than the 2 documents"),
        ];
        for (body, expected) in cases {
            let error = parse_bulk(body, 2).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_odd_about_one_items_answer_takes_no_other_items_outcome() {
        let none = (0, "");
        let cases = [
            (r#"{}"#, none),
            ("null", none),
            ("7", none),
            (r#"{"create":null}"#, none),
            (r#"{"create":{"status":201},"index":{"status":201}}"#, none),
            (r#"{"update":{"status":201}}"#, none),
            (r#"{"create":{"status":"201"}}"#, none),
            (r#"{"create":{"status":99999}}"#, none),
            (r#"{"create":{"status":302}}"#, (302, "")),
            (r#"{"create":{"status":400,"error":"no"}}"#, (400, "no")),
            (r#"{"create":{"status":400,"error":{"type":null,"reason":"no"}}}"#, (400, "no")),
            (r#"{"create":{"status":400,"error":{"type":"x","reason":7}}}"#, (400, "x: 7")),
            (r#"{"create":{"status":400,"error":{"type":"x","caused_by":"y"}}}"#, (400, "x: y")),
            (
                r#"{"create":{"status":400,"error":{"type":null,"reason":"x","caused_by":{"type":"y","reason":null,"caused_by":{"reason":7,"caused_by":{}}}}}}"#,
                (400, "x: 7"),
            ),
            (r#"{"create":{"status":400,"error":[1]}}"#, (400, "[1]")),
            (r#"{"create":{"_index":7,"status":201}}"#, (201, "")),
        ];
        for (odd, expected) in cases {
            let body = format!(
                r#"{{"items":[{{"create":{{"status":201}}}},{odd},{{"index":{{"status":409}}}}]}}"#
            );
            let items = parse_bulk(body.as_bytes(), 3).unwrap().items;
            assert_eq!((items[0].status, items[2].status), (201, 409), "{odd}");
            let why = items[1].error.as_ref().map(ToString::to_string).unwrap_or_default();
            assert_eq!((items[1].status, why.as_str()), expected, "{odd}");
        }
    }

    #[test]
    fn the_innermost_cause_of_an_item_is_told() {
        let body = br#"{"items":[{"create":{"status":400,"error":{"type":"exception","reason":"pipeline failed","caused_by":{"type":"a","reason":"outer","caused_by":{"type":"b","reason":"field [x] not present"}}}}}]}"#;
        let answers = parse_bulk(body, 1).unwrap().items;
        let error = answers[0].error.as_ref().unwrap().to_string();
        insta::assert_snapshot!(error, @"exception: pipeline failed: field [x] not present");
    }

    #[test]
    fn of_a_reason_of_megabytes_the_beginning_is_kept_in_whatever_form_it_is() {
        let long = "x".repeat(1 << 20);
        for kind in ["\"k\"", "null"] {
            let body = format!(
                r#"{{"items":[{{"create":{{"status":400,"error":{{"type":{kind},"reason":"{long}","caused_by":{{"type":"c","reason":"{long}"}}}}}}}}]}}"#
            );
            let answers = parse_bulk(body.as_bytes(), 1).unwrap().items;
            let error = answers[0].error.as_ref().unwrap();
            assert!(error.to_string().len() < 3 * REASON_BYTES_MAX, "{kind}");
        }
    }

    /// Whether it is a `create`, its status, and its error's type and reason.
    type AnyAnswer = (bool, u16, Option<(String, String)>);

    fn answers() -> impl Strategy<Value = Vec<AnyAnswer>> {
        let status = prop_oneof![200u16..300, 400u16..600];
        proptest::collection::vec(
            (any::<bool>(), status, proptest::option::of((".*", ".*"))),
            0..20,
        )
    }

    proptest! {
        #[test]
        fn every_item_has_its_own_answer_whatever_the_texts_are(answers in answers(), cut in any::<usize>()) {
            let items: Vec<_> = answers.iter().map(|(create, status, error)| {
                let mut answer = serde_json::json!({ "status": status, "unknown": [1] });
                if let Some((kind, reason)) = error {
                    answer["error"] = serde_json::json!({ "type": kind, "reason": reason });
                }
                serde_json::json!({ if *create { "create" } else { "index" }: answer })
            }).collect();
            let body = serde_json::json!({ "took": 3, "items": items }).to_string();
            let parsed = parse_bulk(body.as_bytes(), answers.len()).unwrap().items;
            for (parsed, (_, status, error)) in parsed.iter().zip(&answers) {
                prop_assert_eq!(parsed.status, *status);
                let texts = parsed.error.as_ref().map(|error| (error.kind.clone(), error.reason.clone()));
                prop_assert_eq!(&texts, error);
            }
            // And a response that was cut off anywhere is never taken for a whole one.
            prop_assert!(parse_bulk(&body.as_bytes()[..cut % body.len()], answers.len()).is_err());
        }
    }
}
