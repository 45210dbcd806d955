//! Reads what OpenSearch answers: to `_bulk` item by item, and otherwise why it refused. Pure.
//!
//! Invariant: exactly one answer for each item, in the order of the request, or the whole response
//! is an error: a guess here would settle a document that was not stored.

use std::borrow::Cow;

use serde::Deserialize;

/// What to ask for. The status of every item always, so that the number of items can be checked;
/// the reasons only where there are any.
const FILTER_PATH: &str = "items.*.status,items.*.error.type,items.*.error.reason,\
                           items.*.error.caused_by.reason,error,status";

/// The `filter_path` to ask with; with the index of every item when `tells_index`.
pub(crate) fn bulk_filter_path(tells_index: bool) -> String {
    format!("{FILTER_PATH}{}", if tells_index { ",items.*._index" } else { "" })
}

/// The answer to one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
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
    pub(crate) cause: Option<String>,
}

impl std::fmt::Display for ItemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)?;
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
    #[error("it is not the JSON of a _bulk response ({0}); is there a proxy before OpenSearch?")]
    NotJson(String),
    #[error("it has {got} items for {sent} documents; is there a proxy before OpenSearch?")]
    Count { sent: usize, got: usize },
    #[error("item {0} has no answer, or more than one")]
    Item(usize),
    #[error("item {0} has the status {1}, which means nothing in a _bulk response")]
    Status(usize, u16),
}

#[derive(Deserialize)]
struct Bulk<'a> {
    #[serde(borrow)]
    items: Vec<RawItem<'a>>,
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
    #[serde(borrow)]
    error: Option<RawError<'a>>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    caused_by: Option<RawCause<'a>>,
}

#[derive(Deserialize)]
struct RawCause<'a> {
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

/// One answer for each of `sent` items, or an error.
pub(crate) fn parse_bulk(body: &[u8], sent: usize) -> Result<BulkAnswers, Unreadable> {
    let bulk: Bulk<'_> =
        serde_json::from_slice(body).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    if bulk.items.len() != sent {
        return Err(Unreadable::Count { sent, got: bulk.items.len() });
    }
    let mut items = Vec::with_capacity(sent);
    let (mut stored_in, mut meant_for) = (None, None);
    for (number, item) in bulk.items.into_iter().enumerate() {
        let (answer, index) = answer(number, item)?;
        if matches!(answer.status, 200..=299 | 409) {
            stored_in.clone_from(&index);
        }
        meant_for = index;
        items.push(answer);
    }
    let owned = |index: Option<Cow<'_, str>>| index.map(Cow::into_owned);
    Ok(BulkAnswers { items, stored_in: owned(stored_in), meant_for: owned(meant_for) })
}

/// The answer to one item, and its index where it is named.
fn answer(number: usize, item: RawItem<'_>) -> Result<(Answer, Option<Cow<'_, str>>), Unreadable> {
    let answer = match (item.create, item.index, item.delete) {
        (Some(answer), None, None) | (None, Some(answer), None) | (None, None, Some(answer)) => {
            answer
        }
        _ => return Err(Unreadable::Item(number)),
    };
    if !matches!(answer.status, 200..=299 | 400..=599) {
        return Err(Unreadable::Status(number, answer.status));
    }
    let error = answer.error.map(|error| ItemError {
        kind: error.kind.into_owned(),
        reason: error.reason.unwrap_or_default().into_owned(),
        cause: error.caused_by.and_then(|cause| cause.reason).map(Cow::into_owned),
    });
    Ok((Answer { status: answer.status, error }, answer.index))
}

/// What a response that is no `_bulk` response says went wrong.
#[derive(Deserialize)]
struct Whole {
    error: Reason,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reason {
    Structured {
        #[serde(rename = "type")]
        kind: String,
        reason: Option<String>,
    },
    Text(String),
}

/// The refusals of a whole request that weir knows what to do about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeError {
    /// There is no such index; said by OpenSearch itself, and not by a proxy that does not know the
    /// way.
    IndexNotFound,
    /// What was to be made is there already: somebody else was faster.
    AlreadyExists,
    Other,
}

/// Which of them a response is.
pub(crate) fn classify_whole(body: &[u8]) -> WholeError {
    match serde_json::from_slice::<Whole>(body) {
        Ok(Whole { error: Reason::Structured { kind, reason } }) => match kind.as_str() {
            "index_not_found_exception" => WholeError::IndexNotFound,
            "resource_already_exists_exception" => WholeError::AlreadyExists,
            // What an index template has in its place.
            "illegal_argument_exception"
                if reason.is_some_and(|it| it.contains("already exists")) =>
            {
                WholeError::AlreadyExists
            }
            _ => WholeError::Other,
        },
        _ => WholeError::Other,
    }
}

/// The same for people: OpenSearch's own reason, or the start of the text.
pub(crate) fn whole_error(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Whole>(body) {
        Ok(Whole { error: Reason::Structured { kind, reason } }) => {
            reason.map_or(kind.clone(), |reason| format!("{kind}: {reason}"))
        }
        Ok(Whole { error: Reason::Text(text) }) => text,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(4 * DETAIL_CHARS)]).into_owned(),
    };
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text == "{}" {
        return "it gives no reason".to_owned();
    }
    match text.char_indices().nth(DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A page of a proxy or a stack trace is cut here.
const DETAIL_CHARS: usize = 300;

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
        let cases: [(&[u8], &str); 7] = [
            (b"<html>", "it is not the JSON"),
            (b"", "it is not the JSON"),
            (br#"{"items":[{"create":{"status":201}}"#, "it is not the JSON"),
            (br#"{"items":[{"create":{"status":201}}]}"#, "1 items for 2"),
            (br#"{"items":[{"create":{"status":201}},{}]}"#, "item 1 has no answer"),
            (
                br#"{"items":[{"create":{"status":201},"index":{"status":201}},{}]}"#,
                "item 0 has no answer",
            ),
            (
                br#"{"items":[{"create":{"status":201}},{"index":{"status":302}}]}"#,
                "the status 302",
            ),
        ];
        for (body, expected) in cases {
            let error = parse_bulk(body, 2).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_reason_of_a_whole_error_is_found_or_the_text_is_cut() {
        let real = br#"{"error":{"root_cause":[],"type":"parse_exception","reason":"request body is required"},"status":400}"#;
        insta::assert_snapshot!(whole_error(real), @"parse_exception: request body is required");
        insta::assert_snapshot!(whole_error(b"Unauthorized\n"), @"Unauthorized");
        insta::assert_snapshot!(whole_error(b"{}"), @"it gives no reason");
        insta::assert_snapshot!(whole_error(b""), @"it gives no reason");
        assert_eq!(classify_whole(real), WholeError::Other);
        insta::assert_snapshot!(whole_error(br#"{"error":{"type":"circuit_breaking_exception"}}"#), @"circuit_breaking_exception");
        assert_eq!(whole_error(&[b'x'; 5000]).chars().count(), DETAIL_CHARS + 1);
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
