//! HTTP to OpenSearch's nodes: TLS, basic auth, timeouts, and which node to ask.
//!
//! Redirects are not followed: a redirected POST would lose its body, and a proxy's login page is
//! not OpenSearch.

mod connection;
mod transport;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::write::GzEncoder;
use http::{Method, StatusCode, header};
use parking_lot::Mutex;

use self::connection::Connection;
pub(crate) use self::transport::TransportError;
use self::transport::transport_error;
use super::authentication::Authentication;
use super::settings::{ClientError, Compression, Settings, is_loopback};
use crate::blocking::blocking;
use crate::reload::{Reload, Reloads};

/// What the answer to a small question has at most, unless it is made with another bound.
const ANSWER_BYTES: usize = 1 << 20;
/// The answer to a `_bulk` has about 30 bytes an item, and some hundreds for a refused one, whose
/// reason may quote the document more than once.
const BULK_ANSWER_BYTES: usize = 64 << 10;
const BULK_ANSWER_SHARE: usize = 16;
/// No answer may have more.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 << 20;
/// What is read of an answer that is no success: it is shown, and no more.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// Smaller bodies are not worth compressing.
pub(crate) const GZIP_BYTES_MIN: usize = 1 << 10;

/// A request, before it is known which node gets it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// With its query, from the slash on.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// May be empty.
    pub(crate) body: Vec<u8>,
    /// A longer answer is none.
    pub(crate) answer_bytes_max: usize,
}

impl Request {
    /// One with a body of JSON, or none.
    pub(crate) fn json(method: Method, path: impl Into<String>, body: Vec<u8>) -> Request {
        Request {
            method,
            path: path.into(),
            content_type: "application/json",
            body,
            answer_bytes_max: ANSWER_BYTES,
        }
    }

    /// The same, whose answer may have so many bytes.
    pub(crate) fn answered_by(self, bytes_max: usize) -> Request {
        Request { answer_bytes_max: bytes_max, ..self }
    }

    /// A `_bulk`.
    pub(crate) fn bulk(filter_path: &str, body: Vec<u8>) -> Request {
        let answer_bytes_max = BULK_ANSWER_BYTES + BULK_ANSWER_SHARE * body.len();
        Request {
            method: Method::POST,
            path: format!("/_bulk?filter_path={filter_path}"),
            content_type: "application/x-ndjson",
            body,
            answer_bytes_max: answer_bytes_max.min(ANSWER_BYTES_MAX),
        }
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// Whether the request's body was compressed.
    pub(crate) was_compressed: bool,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    compression: Compression,
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
    /// Reads certificates and credentials, and again when `reload` asks for it; connects to
    /// nothing.
    pub(crate) fn new(settings: &Settings, reload: &Reload) -> Result<Client, ClientError> {
        // Before they are read: what is asked for meanwhile is done again.
        let reloads = Mutex::new(reload.watch());
        let connection = Connection::new(settings)?;
        let hosts =
            settings.hosts.iter().map(|url| Host::new(url)).collect::<Result<Vec<_>, _>>()?;
        let authentication = Authentication::new(settings)?;
        let (compression, current) = (settings.compression, AtomicUsize::new(0));
        Ok(Client { connection, compression, reloads, hosts, current, authentication })
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

    /// Reads the credentials again, because they were refused.
    pub(crate) fn reread_credentials(&self) -> Result<(), ClientError> {
        self.connection.reread()?;
        self.authentication.as_ref().map_or(Ok(()), Authentication::reread)
    }

    fn is_compressed(&self, host: &Host, bytes: usize) -> bool {
        self.compression == Compression::Gzip && !host.is_local && bytes >= GZIP_BYTES_MIN
    }

    /// A few calls of the system, every ten seconds: they need no thread of their own.
    fn look_at_files(&self) {
        if let Err(error) = self.connection.reread() {
            tracing::warn!("{error}; going on with the certificates from before");
        }
    }

    /// One request to the current node; after a failure to reach it, the next one goes to the next
    /// node.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, path, content_type, body, answer_bytes_max } = request;
        if self.reloads.lock().is_due()
            && let Err(error) = self.reread_credentials()
        {
            tracing::error!("{error}; going on with what was read before");
        }
        let (_, host) = self.current_host();
        if self.connection.is_due() {
            self.look_at_files();
        }
        let url = format!("{}{path}", host.url);
        let mut request = self.connection.http().request(method, url);
        if let Some(authentication) = &self.authentication {
            request = authentication.apply(request);
        }
        let is_compressed = self.is_compressed(host, body.len());
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
            if is_compressed {
                let body = blocking(move || gzip(&body)).await;
                request = request.header(header::CONTENT_ENCODING, "gzip").body(body);
            } else {
                request = request.body(body);
            }
        }
        let answer = async {
            let mut response = request.send().await?;
            let status = response.status();
            let bytes_max = if status.is_success() { answer_bytes_max } else { REFUSAL_BYTES_MAX };
            let mut body = Vec::new();
            while let Some(bytes) = response.chunk().await? {
                if body.len() + bytes.len() > bytes_max {
                    if status.is_success() {
                        return Ok(None);
                    }
                    body.extend_from_slice(&bytes[..bytes_max - body.len()]);
                    break;
                }
                body.extend_from_slice(&bytes);
            }
            Ok(Some(Response { status, body, was_compressed: is_compressed }))
        };
        let failed = match answer.await {
            Ok(Some(response)) => return Ok(response),
            Ok(None) => {
                TransportError::TooLong { host: host.url.clone(), bytes_max: answer_bytes_max }
            }
            Err(error) => {
                let error: reqwest::Error = error;
                transport_error(&host.url, &error)
            }
        };
        self.rotate(&host.url);
        Err(failed)
    }
}

impl Host {
    fn new(url: &str) -> Result<Host, ClientError> {
        let wrong = |error| ClientError::Http(format!("`{url}` is not a URL: {error}"));
        url.parse::<http::Uri>().map_err(wrong)?;
        Ok(Host { url: url.trim_end_matches('/').to_owned(), is_local: is_loopback(url) })
    }
}

/// Level 1: events are so repetitive that more saves little.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 6), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = out.write_all(body);
    out.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
