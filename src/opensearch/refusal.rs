//! Reads why OpenSearch, or a gateway before it, refused a whole request. Pure.

use serde_json::Value;

use super::response::ItemError;
use crate::answers;
use crate::text::{self, REASON_BYTES_MAX};

/// The refusals of a whole request that weir knows what to do about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeError {
    /// There is no such index; said by OpenSearch itself, and not by a proxy that does not know the
    /// way.
    IndexNotFound,
    /// What was to be made is there already: somebody else was faster.
    AlreadyExists,
    /// The cluster lets no `_bulk` name an index.
    ExplicitIndex,
    Other,
}

/// Which of them a response is.
pub(crate) fn classify_whole(body: &[u8]) -> WholeError {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let member = |key: &str| said.pointer(&format!("/error/{key}")).and_then(Value::as_str);
    let reason = member("reason").unwrap_or_default();
    match member("type") {
        Some("index_not_found_exception") => WholeError::IndexNotFound,
        Some("resource_already_exists_exception") => WholeError::AlreadyExists,
        // What an index template has in its place.
        Some("illegal_argument_exception") if reason.contains("already exists") => {
            WholeError::AlreadyExists
        }
        Some("illegal_argument_exception") if reason.contains("explicit index in bulk") => {
            WholeError::ExplicitIndex
        }
        _ => WholeError::Other,
    }
}

/// Whether a refusal is that of Amazon's front, and not OpenSearch's: other gateways write the same
/// object with other words.
pub(super) fn is_of_amazon(host: &str, body: &[u8]) -> bool {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    gateways_message(&said).is_some_and(|message| {
        host.contains(".amazonaws.com") || AMAZONS_WORDS.iter().any(|words| message.contains(words))
    })
}

/// Whether it is a gateway's, in the form in which Amazon's writes.
pub(super) fn is_of_gateway(body: &[u8]) -> bool {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    gateways_message(&said).is_some()
}

fn gateways_message(said: &Value) -> Option<&str> {
    let has_error = said.get("error").is_some_and(|error| !error.is_null());
    message(said).filter(|_| !has_error)
}

/// What refusals say of a request that is not signed, or not by somebody who may:
/// <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/handling-errors.html>
const AMAZONS_WORDS: [&str; 5] = [
    "is not authorized to perform",
    "es:ESHttp",
    "aoss:",
    "security token included in the request",
    "Missing Authentication Token",
];

/// What Amazon's front, or another gateway, says.
fn message(said: &Value) -> Option<&str> {
    ["message", "Message"].into_iter().find_map(|key| said.get(key)?.as_str())
}

/// The same for people: OpenSearch's own reason with the innermost cause, or the start of the text.
pub(crate) fn whole_error(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(said @ Value::Object(_)) => match said.get("error").filter(|error| !error.is_null()) {
            Some(error) => ItemError::of(error).to_string(),
            None => message(&said).unwrap_or_default().to_owned(),
        },
        _ if answers::is_html_page(body) => answers::not_json(body),
        _ => String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES_MAX)]).into_owned(),
    };
    let text = text::words(&text, REASON_BYTES_MAX);
    if text.is_empty() { "it gives no reason".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_whole_error_is_found_or_the_text_is_cut() {
        let real = br#"{"error":{"root_cause":[],"type":"parse_exception","reason":"request body is required"},"status":400}"#;
        insta::assert_snapshot!(whole_error(real), @"parse_exception: request body is required");
        insta::assert_snapshot!(whole_error(b"Unauthorized\n"), @"Unauthorized");
        insta::assert_snapshot!(whole_error(b"{}"), @"it gives no reason");
        let search = br#"{"error":{"root_cause":[{"type":"query_shard_exception","reason":"no mapping for [id]"}],"type":"search_phase_execution_exception","reason":"all shards failed","phase":"query"},"status":400}"#;
        insta::assert_snapshot!(whole_error(search), @"search_phase_execution_exception: all shards failed: no mapping for [id]");
        let nested = br#"{"error":{"type":"a","reason":"outer","caused_by":{"type":"b","reason":"middle","caused_by":{"type":"c"}}}}"#;
        insta::assert_snapshot!(whole_error(nested), @"a: outer: c");
        let odd = br#"{"error":{"type":null,"reason":"outer","root_cause":[{"type":"b","reason":"shard","caused_by":{"reason":"field [x] is missing","caused_by":{}}}]}}"#;
        insta::assert_snapshot!(whole_error(odd), @"outer: field [x] is missing");
        let shards = br#"{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","root_cause":[],"failed_shards":[{"shard":0,"reason":{"type":"x","reason":"Fielddata is disabled","caused_by":{"reason":"use a keyword field"}}}]}}"#;
        insta::assert_snapshot!(whole_error(shards), @"search_phase_execution_exception: all shards failed: use a keyword field");
        insta::assert_snapshot!(whole_error(b"<html><h1>502 Bad Gateway</h1>"), @"an HTML page (`502 Bad Gateway`)");
        let amazon =
            br#"{"message":"User: anonymous is not authorized to perform: es:ESHttpPost"}"#;
        insta::assert_snapshot!(whole_error(amazon), @"User: anonymous is not authorized to perform: es:ESHttpPost");
        let host = "https://search-x.eu-central-1.es.amazonaws.com";
        assert!(is_of_amazon("h", amazon) && is_of_amazon(host, br#"{"Message":"no"}"#));
        assert!(!is_of_amazon("h", br#"{"message":"no"}"#) && !is_of_amazon(host, b"{}"));
        assert!(!is_of_amazon(host, real) && !is_of_amazon(host, b"<html>"));
        insta::assert_snapshot!(whole_error(b""), @"it gives no reason");
        assert_eq!(classify_whole(real), WholeError::Other);
        insta::assert_snapshot!(whole_error(br#"{"error":{"type":"circuit_breaking_exception"}}"#), @"circuit_breaking_exception");
        assert_eq!(whole_error(&[b'x'; 5000]).len(), REASON_BYTES_MAX);
        let hostile = br#"{"error":{"type":"x","reason":"no\n2026 ERROR forged\u001b[31m"}}"#;
        insta::assert_snapshot!(whole_error(hostile), @r"x: no 2026 ERROR forged\u{1b}[31m");
    }
}
