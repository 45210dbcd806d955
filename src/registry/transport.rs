//! How requests to registries travel: TLS, proxies, times, and answers within bounds.
//!
//! Constraints:
//!
//! - Redirects are not followed here: who follows one decides who is told a login.
//! - No answer is held beyond its bound, and none is waited for without end.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Proxy as HttpProxy, Response, StatusCode, Url};
use serde::Deserialize;

use super::Settings;
use super::error::RegistryError;
use crate::answers::{html_page, innermost};
use crate::proxy::Environment;
use crate::text::{self, REASON_BYTES_MAX};
use crate::tls::{self, Names, explain, tls_cause};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A whole exchange: 64 MiB take that long at 2 Mbit/s.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(300);
/// What is read of a refusal: it is shown, and no more.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

const NAMES: Names = Names {
    ca: "registry.ca (or --ca)",
    trusts_itself: true,
    identity: "the registry to want none, as weir has none for registries",
    host: "the reference",
};

/// A client of everybody, which has read the certificates that are to be trusted.
pub(super) fn client(settings: &Settings) -> Result<reqwest::Client, RegistryError> {
    tls::install_crypto_provider();
    let environment = Environment::of_process();
    let proxies = environment.proxies()?;
    let trusted = settings.ca.as_deref().map(tls::authorities).transpose()?;
    let by_tls = proxies.iter().filter_map(|(_, proxy)| proxy.tls_name()).collect();
    let tls = tls::client_config(trusted, None, by_tls)
        .map_err(|error| RegistryError::Client(error.to_string()))?;
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_MAX)
        .timeout(EXCHANGE_TIMEOUT)
        .tls_backend_preconfigured(tls)
        // What the environment says is read as the rest of weir reads it.
        .no_proxy();
    for (scheme, proxy) in proxies {
        let client = |error: &dyn std::fmt::Display| {
            RegistryError::Client(format!("the proxy {proxy} cannot be used: {error}"))
        };
        let address: Url = proxy.address().parse().map_err(|error| client(&error))?;
        let environment = environment.clone();
        let goes_there = move |url: &Url| {
            let uri = url.as_str().parse().ok().filter(|_| url.scheme() == scheme)?;
            environment.proxy_for(&uri).ok().flatten().map(|_| address.clone())
        };
        let through = HttpProxy::custom(goes_there);
        builder = builder.proxy(match proxy.authorization() {
            Some(authorization) => through.custom_http_auth(authorization),
            None => through,
        });
    }
    builder.build().map_err(|error| RegistryError::Client(innermost(&error)))
}

/// Why there is no answer.
pub(super) fn failure(host: &str, error: &reqwest::Error) -> RegistryError {
    let host = host.to_owned();
    if let Some(cause) = tls_cause(error) {
        return RegistryError::Tls { host, detail: explain(cause, NAMES) };
    }
    let detail = text::one_line(innermost(error), REASON_BYTES_MAX);
    match () {
        () if error.is_timeout() => RegistryError::Timeout(host),
        () if error.is_connect() => RegistryError::Unreachable { host, detail },
        () => RegistryError::Broken { host, detail },
    }
}

/// The whole answer, if it has one of these statuses and is no longer than it may be. `what` was
/// asked.
pub(super) async fn body(
    response: Response,
    what: &str,
    fine: &[StatusCode],
    bytes_max: u64,
) -> Result<Bytes, RegistryError> {
    let host = host_of(response.url());
    let status = response.status();
    if fine.contains(&status) {
        let body = read(response, bytes_max).await.map_err(|error| failure(&host, &error))?;
        return body.map_err(|_| RegistryError::TooLarge { what: what.to_owned(), bytes_max });
    }
    // What cannot be read of a refusal is not shown.
    let said = match read(response, REFUSAL_BYTES_MAX).await {
        Ok(Ok(body) | Err(body)) => said(&body),
        Err(_) => String::new(),
    };
    let (what, status) = (what.to_owned(), status.as_u16());
    Err(RegistryError::Refused { host, status, what, said, hint: hint(status) })
}

/// Who answers, for people.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// `Err`: the beginning of one that is longer.
async fn read(
    mut response: Response,
    bytes_max: u64,
) -> Result<Result<Bytes, Bytes>, reqwest::Error> {
    let mut body = Vec::new();
    if response.content_length().is_some_and(|length| length > bytes_max) {
        return Ok(Err(Bytes::new()));
    }
    while let Some(bytes) = response.chunk().await? {
        let room = bytes_max - body.len() as u64;
        if bytes.len() as u64 > room {
            return Ok(Err(body.into()));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(Ok(body.into()))
}

/// What a registry says besides the status, behind a colon
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes>).
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let said = match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { errors }) => {
            let all: Vec<String> = errors
                .iter()
                .map(|Said { code, message }| format!("{code} {message}").trim().to_owned())
                .collect();
            text::words(&all.join(", "), REASON_BYTES_MAX)
        }
        Err(_) => html_page(body).unwrap_or_default(),
    };
    if said.is_empty() { said } else { format!(": {said}") }
}

/// What to do.
fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => ": see `credentials` in [registry], or --credentials, or `docker login`",
        404 => ": is there such a name, and may weir see it?",
        429 => ": it wants fewer requests for now",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_shown_on_one_line_and_a_page_by_its_title() {
        insta::assert_snapshot!(said(br#"{"errors":[{"code":"DENIED","message":"no\n access\u001b","detail":1},{"code":"X"}]}"#), @r": DENIED no access\u{1b}, X");
        insta::assert_snapshot!(said(b"<html><title>Sign in</title>"), @": an HTML page (`Sign in`)");
        assert_eq!(said(b"anything else"), "");
    }
}
