//! Makes the requests that come before the first document.

use http::{Method, StatusCode};
use prometheus::IntCounterVec;
use serde_json::Value;

use crate::opensearch::{
    Client, Request, Response, Unavailable, count, is_of_amazon, status_error, transport_error,
};
use crate::sink::error::SinkError;

/// Why something could not be found out.
pub(super) enum AskError {
    /// To be tried again.
    Unavailable(Unavailable),
    /// 401: to be tried again, with the password read again.
    Unauthorized(Unavailable),
    /// The configuration cannot work.
    Fatal(SinkError),
}

/// Asks, and counts what it asks as what is sent later is counted.
pub(super) struct Asker<'a> {
    pub(super) client: &'a Client,
    /// Where they are counted, in a run.
    pub(super) requests: Option<&'a IntCounterVec>,
}

impl Asker<'_> {
    /// A request with a body of JSON, or none; see [`Asker::send`].
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response, AskError> {
        self.send(Request::json(method, path, body)).await
    }

    /// One request. An outage, or a refusal of the user as such, is an error; everything else is an
    /// answer.
    pub(super) async fn send(&self, request: Request) -> Result<Response, AskError> {
        let answer = self.client.send(request).await;
        if let Some(requests) = self.requests {
            count(&answer, requests);
        }
        let answer = answer
            .map_err(|error| AskError::Unavailable(transport_error(error).into_unavailable()))?;
        let why = || status_error(&answer, &answer.host).into_unavailable();
        match answer.status.as_u16() {
            401 => Err(AskError::Unauthorized(why())),
            300..=399 | 429 | 500..=599 => {
                self.client.rotate(&answer.host);
                Err(AskError::Unavailable(why()))
            }
            _ => Ok(answer),
        }
    }
}

/// What ISM says where it wraps the security plugin's refusal, and where a backend role is missing.
const ISMS_WORDS: &str = "doesn't have required";

/// Whether something was refused because the user lacks a right. A 403 may also be that of a block,
/// as on full disks, or of what is switched off: no right helps then.
pub(super) fn lacks_right(answer: &Response) -> bool {
    if answer.status != StatusCode::FORBIDDEN {
        return false;
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let member = |key: &str| said["error"][key].as_str().unwrap_or_default();
    member("type") == "security_exception"
        || member("reason").contains(ISMS_WORDS)
        || is_of_amazon(answer, &answer.host)
}
