//! HTTP to OpenSearch's nodes: TLS, basic auth, timeouts, and which node to ask.
//!
//! Redirects are not followed: a redirected POST would lose its body, and a proxy's login page is
//! no OpenSearch.

use std::error::Error as _;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode, header};
use rustls::CertificateError;

use crate::secret::{Secret, SecretError};
use crate::sink::{OpenSearchSettings, SinkError};

/// From sending a request to the end of its answer. What takes longer counts as not done (and may
/// have been).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed before load balancers do it silently (60 s are usual).
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// An answer has about 30 bytes an item, and some hundreds for a refused one.
const RESPONSE_BYTES_MAX: usize = 32 << 20;
/// Smaller bodies are not worth compressing.
const GZIP_BYTES_MIN: usize = 1 << 10;

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TransportError {
    #[error("{host} cannot be reached: {detail}")]
    Connect { host: String, detail: String },
    #[error("TLS to {host} failed: {detail}")]
    Tls { host: String, detail: String },
    #[error("{host} did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout { host: String },
    #[error("the connection to {host} broke: {detail}")]
    Io { host: String, detail: String },
}

impl TransportError {
    /// The label of `weir_sink_requests_total{status}`.
    pub(super) fn label(&self) -> &'static str {
        match self {
            TransportError::Connect { .. } => "connect",
            TransportError::Tls { .. } => "tls",
            TransportError::Timeout { .. } => "timeout",
            TransportError::Io { .. } => "io",
        }
    }
}

/// One cluster.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    hosts: Vec<Host>,
    current: AtomicUsize,
    auth: Option<Auth>,
}

#[derive(Debug)]
struct Host {
    /// Without a slash at the end.
    url: String,
    /// On this machine, compressing costs more than it saves.
    is_local: bool,
}

#[derive(Debug)]
struct Auth {
    username: String,
    secret: Option<Secret>,
    password: Mutex<Password>,
}

/// A password that does not show itself.
struct Password(Option<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Client {
    /// Reads the CA and the password; connects to nothing.
    pub(super) fn new(settings: &OpenSearchSettings) -> Result<Client, SinkError> {
        crate::tls::install_crypto_provider();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy();
        if let Some(path) = &settings.ca {
            let certificates = crate::tls::authorities(path)?;
            let certificates = certificates.iter().map(|der| reqwest::Certificate::from_der(der));
            let certificates = certificates.collect::<Result<Vec<_>, _>>();
            builder = builder.tls_certs_only(
                certificates.map_err(|error| SinkError::Client(innermost(&error)))?,
            );
        }
        let http = builder.build().map_err(|error| SinkError::Client(innermost(&error)))?;
        let hosts =
            settings.hosts.iter().map(|url| Host::new(url)).collect::<Result<Vec<_>, _>>()?;
        let auth = settings.username.as_ref().map(|username| {
            let secret = settings.password.clone();
            let password = Mutex::new(Password(secret.as_ref().map(Secret::read).transpose()?));
            Ok::<_, SecretError>(Auth { username: username.clone(), secret, password })
        });
        Ok(Client { http, hosts, current: AtomicUsize::new(0), auth: auth.transpose()? })
    }

    /// The node that is asked now, for people.
    pub(super) fn host(&self) -> &str {
        &self.current_host().1.url
    }

    fn current_host(&self) -> (usize, &Host) {
        let at = self.current.load(Ordering::Relaxed) % self.hosts.len();
        (at, &self.hosts[at])
    }

    /// Asks the next node from now on, unless somebody else has moved on from this one already.
    pub(super) fn rotate(&self, from: &str) {
        let (at, host) = self.current_host();
        if host.url == from {
            let next = (at + 1) % self.hosts.len();
            let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Reads the password again, because it was refused.
    pub(super) fn reread_password(&self) -> Result<(), SecretError> {
        if let Some(Auth { secret: Some(secret), password, .. }) = &self.auth {
            let new = secret.read()?;
            password.lock().unwrap_or_else(|e| e.into_inner()).0 = Some(new);
        }
        Ok(())
    }

    /// One request to the current node; after a failure to reach it, the next one goes to the next
    /// node.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Response, TransportError> {
        let (_, host) = self.current_host();
        let mut request = self.http.request(method, format!("{}{path}", host.url));
        if let Some(auth) = &self.auth {
            let password = auth.password.lock().unwrap_or_else(|e| e.into_inner()).0.clone();
            request = request.basic_auth(&auth.username, password);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
            if !host.is_local && body.len() >= GZIP_BYTES_MIN {
                let body = crate::blocking::blocking(move || gzip(&body)).await;
                request = request.header(header::CONTENT_ENCODING, "gzip").body(body);
            } else {
                request = request.body(body);
            }
        }
        let answer = async {
            let mut response = request.send().await?;
            let mut body = Vec::new();
            while let Some(bytes) = response.chunk().await? {
                if body.len() + bytes.len() > RESPONSE_BYTES_MAX {
                    break;
                }
                body.extend_from_slice(&bytes);
            }
            Ok(Response { status: response.status(), body })
        };
        answer.await.map_err(|error: reqwest::Error| {
            self.rotate(&host.url);
            transport_error(&host.url, &error)
        })
    }
}

impl Host {
    fn new(url: &str) -> Result<Host, SinkError> {
        let parsed = reqwest::Url::parse(url)
            .map_err(|error| SinkError::Client(format!("`{url}` is no URL: {error}")))?;
        let name = parsed.host_str().unwrap_or_default();
        let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let is_local = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
        Ok(Host { url: url.trim_end_matches('/').to_owned(), is_local })
    }
}

/// Level 1: events are so repetitive that more saves little.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 6), Compression::fast());
    // Writing to memory does not fail.
    let _ = out.write_all(body);
    out.finish().unwrap_or_default()
}

fn transport_error(host: &str, error: &reqwest::Error) -> TransportError {
    let host = host.to_owned();
    if let Some(detail) = tls_detail(error) {
        return TransportError::Tls { host, detail };
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

/// The last of the causes: the others only say that something failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

/// What is wrong with TLS, and what to do, if that is what is wrong.
fn tls_detail(error: &reqwest::Error) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(cause) = next {
        // An io::Error passes over the error that it wraps when asked for its source.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
        if let Some(error) = inner.unwrap_or(cause).downcast_ref::<rustls::Error>() {
            return Some(tls_text(error));
        }
        next = inner.or_else(|| cause.source());
    }
    None
}

fn tls_text(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(fault) = error else {
        return format!("{error}: is it an https port?");
    };
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired: renew it there ({fault})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet: are both clocks right? ({fault})")
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is signed by an authority that is not trusted: set sink.ca to a PEM file with that authority's certificate".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is for another name: use a name of it in sink.hosts ({fault})")
        }
        other => format!("the server's certificate is refused: {other}"),
    }
}

#[cfg(test)]
mod tests;
