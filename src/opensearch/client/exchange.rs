//! One HTTP request to one node, and its whole answer.

use std::time::SystemTime;

use http::header;

use super::encoding::{DecodeError, decode, gzip};
use super::routes::Route;
use super::transport::{TransportError, transport_error};
use super::{Host, Request, Response};
use crate::blocking::blocking;
use crate::opensearch::authentication::Authentication;
use crate::opensearch::aws::Signed;

/// What is read of an answer that is no success: it is shown, and no more.
pub(super) const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Sends a request this way, and reads the answer, of which no more is held than the request says.
pub(super) async fn exchange(
    http: &reqwest::Client,
    request: &Request,
    host: &Host,
    route: Route,
    authentication: Option<&Authentication>,
) -> Result<Response, TransportError> {
    let url = format!("{}{}", host.url, request.path);
    let mut sent = http.request(request.method.clone(), url);
    if let Some(authentication) = authentication {
        sent = authentication.apply(sent);
    }
    if !host.is_local {
        sent = sent.header(header::ACCEPT_ENCODING, "gzip");
    }
    if !request.body.is_empty() {
        sent = sent.header(header::CONTENT_TYPE, request.content_type);
        let body = request.body.clone();
        sent = if route.is_compressed {
            let packed = blocking(move || gzip(&body)).await;
            sent.header(header::CONTENT_ENCODING, "gzip").body(packed)
        } else {
            sent.body(body)
        };
    }
    let failed = |error: reqwest::Error| transport_error(&host.url, &error);
    let mut sent = sent.build().map_err(failed)?;
    let signed = match authentication {
        Some(authentication) => {
            authentication.sign(&mut sent).await.map_err(TransportError::Credentials)?
        }
        None => None,
    };
    match answer(http.execute(sent), request.answer_bytes_max, signed).await {
        Ok(Ok(Answer { status, body, signed })) => Ok(Response {
            status,
            body,
            host: host.url.clone(),
            was_compressed: route.is_compressed,
            refused: Vec::new(),
            signed,
        }),
        Ok(Err(DecodeError::TooLong(_))) => Err(TransportError::TooLong {
            host: host.url.clone(),
            bytes_max: request.answer_bytes_max,
        }),
        Ok(Err(DecodeError::Damaged(detail, _))) => {
            Err(TransportError::Io { host: host.url.clone(), detail })
        }
        Err(error) => Err(failed(error)),
    }
}

struct Answer {
    status: http::StatusCode,
    body: Vec<u8>,
    signed: Option<Signed>,
}

async fn answer(
    sent: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
    bytes_max: usize,
    signed: Option<Signed>,
) -> Result<Result<Answer, DecodeError>, reqwest::Error> {
    let mut response = sent.await?;
    let status = response.status();
    let signed = signed.map(|signed| signed.answered(response.headers(), SystemTime::now()));
    let is_success = status.is_success();
    let bytes_max = if is_success { bytes_max } else { REFUSAL_BYTES_MAX };
    let encoding = response.headers().get(header::CONTENT_ENCODING);
    let encoding = encoding.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        if body.len() + bytes.len() > bytes_max {
            if is_success {
                return Ok(Err(DecodeError::TooLong(body)));
            }
            body.extend_from_slice(&bytes[..bytes_max - body.len()]);
            break;
        }
        body.extend_from_slice(&bytes);
    }
    let decoded = match decode(body, &encoding, bytes_max) {
        // Of a refusal, what can be read of it is shown.
        Err(DecodeError::TooLong(begin) | DecodeError::Damaged(_, begin)) if !is_success => begin,
        Err(error) => return Ok(Err(error)),
        Ok(body) => body,
    };
    Ok(Ok(Answer { status, body: decoded, signed }))
}
