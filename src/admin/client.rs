//! Asks the admin server of another process, for the commands that show what a running weir knows.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url};

use crate::answers::innermost;
use crate::text::{self, LINE_BYTES_MAX, REASON_BYTES_MAX};
use crate::tls;

/// weir answers at once, or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any answer has: 16 differences, each an event and two documents of 64 KiB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not answer.
    #[error("{url}: no answer: {why}: is that `[admin] listen` of a running weir?")]
    NoAnswer { url: String, why: String },
    /// It refuses.
    #[error("{url}: {status}: {said}")]
    Refused { url: String, status: StatusCode, said: String },
    /// It is something else.
    #[error("{url} answers something else than a weir: {why}")]
    NotWeir { url: String, why: String },
}

/// The JSON under a path of the server, segment by segment.
///
/// # Errors
///
/// When there is none, with what to do about it.
pub(crate) async fn ask<T: serde::de::DeserializeOwned>(
    server: &Url,
    path: &[&str],
) -> Result<T, AskError> {
    let mut url = server.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    let shown = text::one_line(&url, LINE_BYTES_MAX);
    let no_answer = |error: reqwest::Error| AskError::NoAnswer {
        url: shown.clone(),
        why: text::one_line(innermost(&error), REASON_BYTES_MAX),
    };
    tls::install_crypto_provider();
    let client = Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(no_answer)?;
    let mut response = client.get(url).send().await.map_err(no_answer)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(more) = response.chunk().await.map_err(no_answer)? {
        if body.len() + more.len() > ANSWER_BYTES_MAX {
            let why = format!("it is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
            return Err(AskError::NotWeir { url: shown, why });
        }
        body.extend_from_slice(&more);
    }
    if !status.is_success() {
        let said = text::one_line(String::from_utf8_lossy(&body).trim(), REASON_BYTES_MAX);
        return Err(AskError::Refused { url: shown, status, said });
    }
    serde_json::from_slice(&body).map_err(|error| {
        let why = text::one_line(error, REASON_BYTES_MAX);
        AskError::NotWeir { url: shown, why }
    })
}
