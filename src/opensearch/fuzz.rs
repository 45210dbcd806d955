//! What the fuzz targets of OpenSearch's answers call.

use http::StatusCode;

use super::{RequestError, Response, Unavailable, read_bulk};

/// What an answer to a `_bulk` of `sent` items says of each: its status (0: it has none), and what
/// was wrong with it.
///
/// # Errors
///
/// Why the answer cannot be used: no item has an outcome.
pub fn bulk_response(
    status: u16,
    body: &[u8],
    sent: usize,
) -> Result<Vec<(u16, Option<String>)>, String> {
    let answers = read_bulk(Ok(response(status, body)), sent, HOST).map_err(text)?;
    let items = answers.items.into_iter();
    Ok(items.map(|item| (item.status, item.error.map(|error| error.to_string()))).collect())
}

/// Who answers.
pub(crate) const HOST: &str = "http://fuzz:9200";

/// An answer of this status, or of 200 where there is no such status.
pub(crate) fn response(status: u16, body: &[u8]) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        body: body.to_vec(),
        host: HOST.to_owned(),
        ..Response::default()
    }
}

/// What is said of a request that came to nothing.
pub(crate) fn text(error: RequestError) -> String {
    match error.into_unavailable() {
        Unavailable::Outage(why) | Unavailable::Refused(why) => why,
    }
}
