//! Why a request got no answer at all, told from what the HTTP client says. Pure.

use std::time::Duration;

use crate::answers::innermost;
use crate::opensearch::aws::CredentialsError;
use crate::tls::{Names, explain, tls_cause};

/// From sending a request to the end of its answer. What takes longer counts as not done (and may
/// have been).
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

const NAMES: Names = Names {
    ca: "sink.ca",
    trusts_itself: true,
    identity: "sink.certificate and sink.key",
    host: "sink.hosts",
};

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("{host} cannot be reached: {detail}")]
    Connect { host: String, detail: String },
    #[error("TLS to {host} failed: {detail}")]
    Tls { host: String, detail: String },
    #[error("{host} did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout { host: String },
    #[error("the connection to {host} broke: {detail}")]
    Io { host: String, detail: String },
    /// Nothing was sent.
    #[error("{0}")]
    Credentials(CredentialsError),
    #[error(
        "{host} answers with more than the {bytes_max} bytes that such an answer can have; is \
         there a proxy before OpenSearch?"
    )]
    TooLong { host: String, bytes_max: usize },
}

impl TransportError {
    /// The label of `weir_sink_requests_total{status}`.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            TransportError::Connect { .. } => "connect",
            TransportError::Tls { .. } => "tls",
            TransportError::Timeout { .. } => "timeout",
            TransportError::Credentials(_) => "credentials",
            // Nothing else of it can be used.
            TransportError::Io { .. } | TransportError::TooLong { .. } => "io",
        }
    }
}

pub(super) fn transport_error(host: &str, error: &reqwest::Error) -> TransportError {
    let host = host.to_owned();
    if let Some(cause) = tls_cause(error) {
        return TransportError::Tls { host, detail: explain(cause, NAMES) };
    }
    let detail = innermost(error);
    if error.is_connect() {
        TransportError::Connect { host, detail }
    } else if error.is_timeout() {
        TransportError::Timeout { host }
    } else if host.starts_with("http://")
        && detail.contains("connection closed before message completed")
    {
        // What a node that speaks TLS does with plain HTTP.
        TransportError::Io {
            host,
            detail: format!("{detail} (if it is an https port, write https://)"),
        }
    } else {
        TransportError::Io { host, detail }
    }
}
