//! What an answer means as a whole. Pure.

use http::StatusCode;

use super::client::{Response, TransportError};
use super::lane::Failure;
use super::outcome::Refusal;
use super::response::{self, Answer};

/// The label of `weir_sink_requests_total{status}`.
pub(super) fn status_label(answer: &Result<Response, TransportError>) -> &'static str {
    let status = match answer {
        Ok(answer) => answer.status.as_u16(),
        Err(error) => return error.label(),
    };
    match status {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        413 => "413",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "other",
    }
}

/// What an answer to `_bulk` means: one answer an item, or a failure of the whole request.
pub(super) fn read(
    answer: Result<Response, TransportError>,
    sent: usize,
    host: &str,
) -> Result<Vec<Answer>, Failure> {
    let answer = answer.map_err(transport_failure)?;
    if answer.status == StatusCode::OK {
        return response::parse(&answer.body, sent).map_err(|why| {
            Failure::Outage(format!("{host} gave a response that cannot be used: {why}"))
        });
    }
    Err(status_failure(answer.status, &answer.body, host))
}

pub(super) fn transport_failure(error: TransportError) -> Failure {
    let text = error.to_string();
    match error {
        TransportError::Timeout { .. } => Failure::Timeout(text),
        TransportError::Tls { .. } => Failure::Refused(text),
        TransportError::Connect { .. } | TransportError::Io { .. } => Failure::Outage(text),
    }
}

/// What a status other than 200 means for the request as a whole.
pub(super) fn status_failure(status: StatusCode, body: &[u8], host: &str) -> Failure {
    let text = format!("{host} answers {}: {}", status.as_u16(), response::whole_error(body));
    match status.as_u16() {
        400 => Failure::Rejected(Refusal::Request, text),
        413 => Failure::Rejected(Refusal::TooLarge, text),
        401 => Failure::Refused(format!("{text}: check sink.username and sink.password")),
        403 => {
            Failure::Refused(format!("{text}: the user needs the right `indices:data/write/bulk`"))
        }
        429 => Failure::TooMany(text),
        500..=599 => Failure::Outage(text),
        300..=399 => Failure::Refused(format!(
            "{text}: redirects are not followed: sink.hosts must name OpenSearch itself"
        )),
        _ => Failure::Refused(text),
    }
}
