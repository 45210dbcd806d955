//! Answers of the API server that are read whole: bounded, and called what they are.

use ::kube::client::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use crate::answers;
use crate::text::{self, REASON_BYTES_MAX};

/// What of a refusal is read, for its message.
const REFUSAL_BYTES_MAX: usize = 16 << 10;
/// How much of a text that is no Status object is shown.
const TEXT_BYTES_MAX: usize = 200;
/// Causes of a refusal that are shown: one for each field that is wrong, or one in all.
const CAUSES_SHOWN_MAX: usize = 5;
/// Of each of them.
const CAUSE_BYTES_MAX: usize = 300;
/// What is said of a page where a list or a watch should be.
pub(crate) const HTML_PAGE: &str = "the answer is an HTML page, and no JSON: is there a proxy or a \
                                    login page before the API server?";

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is no such answer.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
    /// It broke off.
    #[error("{0}")]
    Broken(String),
}

/// A body of at most so many bytes.
///
/// # Errors
///
/// When it has more, or breaks off.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, ReadError> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLong(bytes_max)),
        Err(error) => Err(ReadError::Broken(error.to_string())),
    }
}

/// Adds the beginning of a refusal to `text`. Whoever stops waiting for it has what came.
pub(crate) async fn read_refusal(body: Body, text: &mut Vec<u8>) {
    let mut body = Limited::new(body, REFUSAL_BYTES_MAX);
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
}

/// What a Status object says, or what it is that is none.
pub(crate) fn message_of(text: &[u8]) -> String {
    match serde_json::from_slice::<Value>(text) {
        Ok(status @ Value::Object(_)) => status_message(&status),
        _ => answers::html_page(text)
            .unwrap_or_else(|| text::words(&String::from_utf8_lossy(text), TEXT_BYTES_MAX)),
    }
}

/// The message of a Status object, with the causes that it does not name itself: a proxy's or a
/// webhook's answer, or what etcd said, is only there. Its reason, where it has neither.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>
pub(crate) fn status_message(status: &Value) -> String {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    // Cut before it is compared with causes: an answer may have as many as it has bytes.
    let mut message = text::words(text("/message"), REASON_BYTES_MAX);
    let causes = status.pointer("/details/causes").and_then(Value::as_array);
    let told = causes.into_iter().flatten().filter_map(|cause| {
        let member = |key: &str| cause.get(key).and_then(Value::as_str).unwrap_or("");
        let why = [member("message"), member("reason")].into_iter().find(|why| !why.is_empty())?;
        Some((member("field"), why)).filter(|(_, why)| !message.contains(why))
    });
    let told = told.map(|(field, why)| {
        let gap = if field.is_empty() { "" } else { ": " };
        text::words(&format!("{field}{gap}{why}"), CAUSE_BYTES_MAX)
    });
    let causes = text::first(told, CAUSES_SHOWN_MAX);
    if message.is_empty() {
        message = text::words(text("/reason"), REASON_BYTES_MAX);
    }
    let gap = if message.is_empty() || causes.is_empty() { "" } else { ": " };
    format!("{message}{gap}{causes}")
}

/// ` --as USER` for kubectl, of whom a refusal names, as one word whatever the name is:
/// `events is forbidden: User "system:serviceaccount:weir:weir" cannot list resource …`
pub(crate) fn as_user(refusal: &str) -> String {
    let named = refusal.split_once("User \"").and_then(|(_, rest)| quoted(rest));
    named.map(|user| format!(" --as {}", text::shell_word(&user))).unwrap_or_default()
}

/// What stands before the quote that ends it, as Go writes it; `None` where it has no end, or holds
/// what nobody would type.
fn quoted(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return Some(name),
            '\\' => name.push(rest.next().filter(|c| matches!(c, '"' | '\\'))?),
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_refusal_is_the_status_objects_or_the_text() {
        let status = br#"{"kind":"Status","message":"Unauthorized","code":401}"#;
        assert_eq!(message_of(status), "Unauthorized");
        assert_eq!(message_of(b"upstream connect error\n"), "upstream connect error");
        let page = b"<html><head><title>502 Bad Gateway</title>";
        assert_eq!(message_of(page), "an HTML page (`502 Bad Gateway`)");
        let hostile = message_of(b"no\n2026 ERROR forged\x1b[31m");
        assert_eq!(hostile, r"no 2026 ERROR forged\u{1b}[31m");
    }

    #[test]
    fn the_causes_that_a_message_does_not_name_are_told_too() {
        let said = |status: &str| message_of(status.as_bytes());
        insta::assert_snapshot!(said(r#"{"message":"the server was unable to return a response","reason":"InternalError","details":{"causes":[{"reason":"UnexpectedServerResponse","message":"etcdserver: no leader"}]}}"#), @"the server was unable to return a response: etcdserver: no leader");
        insta::assert_snapshot!(said(r#"{"message":"Lease \"x\" is invalid: spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0","details":{"causes":[{"field":"spec.leaseDurationSeconds","message":"Invalid value: 0: must be greater than 0"}]}}"#), @r#"Lease "x" is invalid: spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"#);
        insta::assert_snapshot!(said(r#"{"message":"Lease is invalid","details":{"causes":[{"field":"a","message":"no"},{"field":"b","reason":"FieldValueRequired"},{}]}}"#), @"Lease is invalid: a: no, b: FieldValueRequired");
        insta::assert_snapshot!(said(r#"{"reason":"Forbidden","message":null,"details":7}"#), @"Forbidden");
        insta::assert_snapshot!(said(r#"{"details":{"causes":[{"message":"no"}]}}"#), @"no");
        let many = serde_json::json!({ "message": "no", "details": { "causes": vec![serde_json::json!({ "field": "f", "message": "wrong" }); 100_000] } });
        assert_eq!(
            status_message(&many),
            "no: f: wrong, f: wrong, f: wrong, f: wrong, f: wrong and 99995 more"
        );
        assert!(said(&format!(r#"{{"message":"{}"}}"#, "x".repeat(9000))).len() < 1100);
    }

    #[test]
    fn whoever_is_refused_is_one_word_of_the_command_that_is_suggested() {
        let user = |name: &str| as_user(&format!(r#"no: User "{name}" cannot list resource "x""#));
        assert_eq!(user("system:serviceaccount:a:b"), " --as system:serviceaccount:a:b");
        assert_eq!(user("x; rm -rf ~ #"), " --as 'x; rm -rf ~ #'");
        assert_eq!(user(r#"a\"`b\\$(c)"#), r#" --as 'a"`b\$(c)'"#);
        assert_eq!(user(r"a\nb"), "");
        assert_eq!(as_user("no: User \"x; rm"), "");
        assert_eq!(as_user("no"), "");
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_held() {
        assert_eq!(read(Body::from(vec![b'x'; 10]), 10).await.unwrap().len(), 10);
        let error = read(Body::from(vec![b'x'; 11]), 10).await.unwrap_err();
        assert_eq!(error.to_string(), "the answer has more than 10 bytes");
        let mut text = Vec::new();
        read_refusal(Body::from(vec![b'x'; 1 << 20]), &mut text).await;
        assert!(text.len() <= REFUSAL_BYTES_MAX);
    }
}
