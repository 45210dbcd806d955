//! HTTP to OpenSearch's nodes: TLS, basic auth, timeouts, and which node to ask.
//!
//! Redirects are not followed: a redirected POST would lose its body, and a proxy's login page is
//! not OpenSearch.

mod transport;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode, header};
use parking_lot::Mutex;

pub(crate) use self::transport::TransportError;
use self::transport::{REQUEST_TIMEOUT, innermost, transport_error};
use super::authentication::Authentication;
use super::settings::{ClientError, Settings};
use crate::blocking::blocking;
use crate::reload::{Reload, Reloads};
use crate::secret::SecretError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed before load balancers do it silently (60 s are usual).
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// An answer has about 30 bytes an item, and some hundreds for a refused one.
const RESPONSE_BYTES_MAX: usize = 32 << 20;
/// Smaller bodies are not worth compressing.
const GZIP_BYTES_MIN: usize = 1 << 10;

/// A request, before it is known which node gets it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// With its query, from the slash on.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// May be empty.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// One with a body of JSON, or none.
    pub(crate) fn json(method: Method, path: impl Into<String>, body: Vec<u8>) -> Request {
        Request { method, path: path.into(), content_type: "application/json", body }
    }

    /// A `_bulk`.
    pub(crate) fn bulk(filter_path: &str, body: Vec<u8>) -> Request {
        Request {
            method: Method::POST,
            path: format!("/_bulk?filter_path={filter_path}"),
            content_type: "application/x-ndjson",
            body,
        }
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Client {
    http: Mutex<reqwest::Client>,
    settings: Settings,
    reloads: Mutex<Reloads>,
    hosts: Vec<Host>,
    current: AtomicUsize,
    authentication: Option<Authentication>,
}

#[derive(Debug)]
struct Host {
    /// Without a slash at the end.
    url: String,
    /// On this machine, compressing costs more than it saves.
    is_local: bool,
}

impl Client {
    /// Reads the CA and the password, and again when `reload` asks for it; connects to nothing.
    pub(crate) fn new(settings: &Settings, reload: &Reload) -> Result<Client, ClientError> {
        let hosts =
            settings.hosts.iter().map(|url| Host::new(url)).collect::<Result<Vec<_>, _>>()?;
        Ok(Client {
            reloads: Mutex::new(reload.watch()),
            http: Mutex::new(http(settings)?),
            settings: settings.clone(),
            hosts,
            current: AtomicUsize::new(0),
            authentication: Authentication::new(settings)?,
        })
    }

    /// Reads files again, if that was asked for since the last request. What cannot be used is told,
    /// and what was read before stays.
    async fn reload(&self) {
        if !self.reloads.lock().is_due() {
            return;
        }
        let settings = self.settings.clone();
        match blocking(move || http(&settings)).await {
            // A new client has new connections: the old ones end when they are idle.
            Ok(new) => *self.http.lock() = new,
            Err(error) => tracing::error!("{error}; going on with what was read before"),
        }
        if let Err(error) = self.reread_password() {
            tracing::error!("{error}; going on with the password that was read before");
        }
    }

    /// The node that is asked now, for people.
    pub(crate) fn host(&self) -> &str {
        &self.current_host().1.url
    }

    fn current_host(&self) -> (usize, &Host) {
        let at = self.current.load(Ordering::Relaxed) % self.hosts.len();
        (at, &self.hosts[at])
    }

    /// Asks the next node from now on, unless somebody else has moved on from this one already.
    pub(crate) fn rotate(&self, from: &str) {
        let (at, host) = self.current_host();
        if host.url == from {
            let next = (at + 1) % self.hosts.len();
            let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Reads the password again, because it was refused.
    pub(crate) fn reread_password(&self) -> Result<(), SecretError> {
        self.authentication.as_ref().map_or(Ok(()), Authentication::reread)
    }

    /// One request to the current node; after a failure to reach it, the next one goes to the next
    /// node.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, path, content_type, body } = request;
        self.reload().await;
        let (_, host) = self.current_host();
        let http = self.http.lock().clone();
        let mut request = http.request(method, format!("{}{path}", host.url));
        if let Some(authentication) = &self.authentication {
            request = authentication.apply(request);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
            if !host.is_local && body.len() >= GZIP_BYTES_MIN {
                let body = blocking(move || gzip(&body)).await;
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

/// The client's settings made, with the certificates as they are now.
fn http(settings: &Settings) -> Result<reqwest::Client, ClientError> {
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
        builder = builder
            .tls_certs_only(certificates.map_err(|error| ClientError::Http(innermost(&error)))?);
    }
    builder.build().map_err(|error| ClientError::Http(innermost(&error)))
}

impl Host {
    fn new(url: &str) -> Result<Host, ClientError> {
        let uri: http::Uri = url
            .parse()
            .map_err(|error| ClientError::Http(format!("`{url}` is not a URL: {error}")))?;
        let name = uri.host().unwrap_or_default();
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

#[cfg(test)]
mod tests;
