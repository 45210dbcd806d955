//! HTTP to OpenSearch's nodes: TLS, authentication, timeouts, and which node to ask.
//!
//! Redirects are not followed: a redirected POST would lose its body, and a proxy's login page is
//! not OpenSearch.

mod connection;
mod encoding;
mod exchange;
mod routes;
mod transport;

use bytes::Bytes;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use tokio::time::Instant;

use self::connection::Connection;
use self::exchange::exchange;
use self::routes::{Notice, PLAIN_FOR, Route, Routes, is_about_form, is_refusal};
pub(crate) use self::transport::TransportError;
use super::authentication::Authentication;
use super::aws::Signed;
use super::settings::{ClientError, Compression, Settings, is_loopback};
use crate::reload::{Reload, Reloads};

/// What the answer to a small question has at most, unless it is made with another bound.
const ANSWER_BYTES: usize = 1 << 20;
/// The answer to a `_bulk` has about 30 bytes an item, and some hundreds for a refused one, whose
/// reason may quote the document more than once.
const BULK_ANSWER_BYTES: usize = 64 << 10;
const BULK_ANSWER_SHARE: usize = 16;
/// No answer may have more.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 << 20;
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
    pub(crate) body: Bytes,
    /// A longer answer is none.
    pub(crate) answer_bytes_max: usize,
    /// Whether it does no harm that it is carried out twice.
    pub(crate) is_repeatable: bool,
}

impl Request {
    /// One with a body of JSON, or none.
    pub(crate) fn json(method: Method, path: impl Into<String>, body: Vec<u8>) -> Request {
        Request {
            method,
            path: path.into(),
            content_type: "application/json",
            body: body.into(),
            answer_bytes_max: ANSWER_BYTES,
            is_repeatable: true,
        }
    }

    /// The same, whose answer may have so many bytes.
    pub(crate) fn answered_by(self, bytes_max: usize) -> Request {
        Request { answer_bytes_max: bytes_max, ..self }
    }

    /// A `_bulk`; whether its documents are where they are if it is carried out twice.
    pub(crate) fn bulk(filter_path: &str, body: Vec<u8>, is_repeatable: bool) -> Request {
        let answer_bytes_max = BULK_ANSWER_BYTES + BULK_ANSWER_SHARE * body.len();
        Request {
            method: Method::POST,
            path: format!("/_bulk?filter_path={filter_path}"),
            content_type: "application/x-ndjson",
            body: body.into(),
            answer_bytes_max: answer_bytes_max.min(ANSWER_BYTES_MAX),
            is_repeatable,
        }
    }
}

/// An answer, whatever its status.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// The node that gave it.
    pub(crate) host: String,
    /// Whether the request's body was compressed.
    pub(crate) was_compressed: bool,
    /// What other ways of the same request were answered.
    pub(crate) refused: Vec<StatusCode>,
    /// How the request was signed, if it was.
    pub(crate) signed: Option<Signed>,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
    reloads: Mutex<Reloads>,
    hosts: Vec<Host>,
    routes: Mutex<Routes>,
    authentication: Option<Authentication>,
    /// See [`Settings::collection`].
    collection: Option<String>,
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
        let is_gzip = settings.compression == Compression::Gzip;
        let routes = Mutex::new(Routes::new(hosts.iter().map(|host| is_gzip && !host.is_local)));
        let collection = settings.collection();
        Ok(Client { connection, reloads, hosts, routes, authentication, collection })
    }

    /// The node that is asked now, for people.
    pub(crate) fn host(&self) -> &str {
        &self.hosts[self.routes.lock().current()].url
    }

    /// The identity of a collection of OpenSearch Serverless, if it is one. It has neither `GET /`
    /// nor `_refresh`.
    pub(crate) fn collection(&self) -> Option<&str> {
        self.collection.as_deref()
    }

    /// Asks the next node from now on, unless somebody else has moved on from this one already.
    pub(crate) fn rotate(&self, from: &str) {
        let mut routes = self.routes.lock();
        let at = routes.current();
        if self.hosts[at].url == from {
            routes.rotate(at);
        }
    }

    /// Reads the credentials again, because they were refused.
    pub(crate) fn reread_credentials(&self) -> Result<(), ClientError> {
        let certificates = self.connection.reread();
        let secret = self.authentication.as_ref().map_or(Ok(()), Authentication::reread);
        certificates.and(secret)
    }

    /// Reads everything again, because somebody asks for it.
    fn read_again(&self) {
        let secret = self.authentication.as_ref().map_or(Ok(()), Authentication::reread);
        for error in [self.connection.read_again().err(), secret.err()].into_iter().flatten() {
            tracing::error!("{error}; going on with what was read before");
        }
    }

    /// A few calls of the system, every ten seconds: they need no thread of their own.
    fn look_at_files(&self) {
        if let Err(error) = self.connection.reread() {
            tracing::warn!("{error}; going on with the certificates from before");
        }
    }

    /// One request to the current node. What is refused as a whole is tried [other ways](routes);
    /// after a failure to reach a node, the next request goes to the next one.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if self.reloads.lock().is_due() {
            self.read_again();
        } else if self.connection.is_due() {
            self.look_at_files();
        }
        let is_compressible = request.body.len() >= GZIP_BYTES_MIN;
        let (mut trip, mut route) =
            self.routes.lock().begin(&request.path, is_compressible, Instant::now());
        let mut refused: Vec<Response> = Vec::new();
        loop {
            let host = &self.hosts[route.host];
            let mut answer = match self.attempt(&request, host, route).await {
                Ok(answer) => answer,
                // No host is at fault.
                Err(error @ TransportError::Credentials(_)) => return Err(error),
                Err(error) => {
                    self.rotate(&host.url);
                    return Err(error);
                }
            };
            if is_refusal(answer.status, &answer.body) {
                if !request.is_repeatable && !is_about_form(answer.status) {
                    // Whoever refuses may have passed it on before. What was in it is in doubt, and
                    // looked up before it goes another way.
                    self.rotate(&host.url);
                    answer.refused.extend(statuses(&refused));
                    return Ok(answer);
                }
                let next = self.routes.lock().refused(&mut trip, route, answer.status);
                refused.push(answer);
                match next {
                    Some(next) => route = next,
                    // The first way is the one that the others were compared with.
                    None => {
                        let mut first = refused.remove(0);
                        first.refused.extend(statuses(&refused));
                        return Ok(first);
                    }
                }
                continue;
            }
            if answer.status.is_success() {
                let notice = self.routes.lock().passed(&trip, route);
                self.tell(notice);
            }
            answer.refused.extend(statuses(&refused));
            return Ok(answer);
        }
    }

    /// One request this way; and once more if what it was signed with was good no longer. Whoever
    /// says so has not looked into it.
    async fn attempt(
        &self,
        request: &Request,
        host: &Host,
        route: Route,
    ) -> Result<Response, TransportError> {
        let authentication = self.authentication.as_ref();
        let http = self.connection.http();
        let answer = exchange(&http, request, host, route, authentication).await?;
        let is_outdated = answer.status == StatusCode::FORBIDDEN
            && authentication.is_some_and(|it| it.is_outdated(answer.signed, &answer.body));
        if !is_outdated {
            return Ok(answer);
        }
        let mut second = exchange(&http, request, host, route, authentication).await?;
        second.refused.push(answer.status);
        Ok(second)
    }

    fn tell(&self, notice: Option<Notice>) {
        let url = |host: usize| &self.hosts[host].url;
        match notice {
            Some(Notice::RefusesGzip { host, status }) => tracing::warn!(
                "{} answers {} to a compressed request, and takes it uncompressed: requests are \
                 not compressed any more, which is tried again every {} minutes. If it stays so, \
                 set sink.compression to \"none\"",
                url(host),
                status.as_u16(),
                PLAIN_FOR.as_secs() / 60
            ),
            Some(Notice::TakesGzip { host }) => {
                tracing::info!("{} takes compressed requests again", url(host));
            }
            Some(Notice::Moved { from, to, status }) => tracing::warn!(
                "{} answers {} to a request that {} takes: going on with that one",
                url(from),
                status.as_u16(),
                url(to)
            ),
            None => {}
        }
    }
}

/// What all of them were answered.
fn statuses(answers: &[Response]) -> impl Iterator<Item = StatusCode> {
    answers.iter().flat_map(|answer| answer.refused.iter().copied().chain([answer.status]))
}

impl Host {
    fn new(url: &str) -> Result<Host, ClientError> {
        let wrong = |error| ClientError::Http(format!("`{url}` is not a URL: {error}"));
        url.parse::<http::Uri>().map_err(wrong)?;
        Ok(Host { url: url.trim_end_matches('/').to_owned(), is_local: is_loopback(url) })
    }
}

#[cfg(test)]
mod tests;
