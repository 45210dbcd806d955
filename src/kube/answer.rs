//! Answers of the API server that are read whole: bounded, and called what they are.

use ::kube::client::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::answers;

/// What of a refusal is read, for its message.
const REFUSAL_BYTES_MAX: usize = 16 << 10;
/// How much of a text that is no Status object is shown.
const TEXT_BYTES_MAX: usize = 200;
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

/// The message of a Status object, or what it is that is none.
pub(crate) fn message_of(text: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(text) {
        Ok(status) => status.message,
        Err(_) => answers::html_page(text).unwrap_or_else(|| {
            let text = &text[..text.len().min(TEXT_BYTES_MAX)];
            String::from_utf8_lossy(text).trim().to_owned()
        }),
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
