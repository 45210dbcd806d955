//! An index of one OpenSearch, over HTTP. Requests are made and answers read by pure code
//! ([`query`]); this file sends them.
//!
//! Constraint: it blocks (threads that are not the runtime's call it), and the end of the run ends
//! every request but the last one, which removes what was replayed.
//!
//! Invariants: a letter counts as written when OpenSearch has said so of it; whatever else it says
//! about a letter is never held against the letter, so that the worst that a mistake here can cause
//! is a pause. The index is never created by writing to it, because it would get another mapping.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::entry::{Entry, Owner, index_body};
use super::interface::{Found, Index, Query, Stub, Usage, Writing};
use super::query::{self, IsSettled};
use crate::dead_letter::kept::{LetterId, Version};
use crate::opensearch::{
    ANSWER_BYTES_MAX, BACKOFF, Client, ClientError, Request, Response, Settings, Unavailable,
    WholeError, bulk_filter_path, classify_whole, is_of_amazon, parse_bulk, status_error,
    transport_error, whole_error,
};
use crate::shutdown::Shutdown;

/// A page has 500 ids, times and sizes.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// An index of one OpenSearch, for the letters of one owner.
#[derive(Debug)]
pub(in crate::dead_letter) struct HttpIndex {
    name: String,
    owner: Owner,
    client: Client,
    runtime: Handle,
    abort: CancellationToken,
    /// It was looked at, and it is one of letters.
    is_checked: AtomicBool,
}

impl HttpIndex {
    /// Reads the CA and the password; connects to nothing. `runtime` is where requests are made:
    /// its threads must not call this.
    pub(in crate::dead_letter) fn new(
        settings: &Settings,
        name: &str,
        owner: Owner,
        runtime: Handle,
        shutdown: &Shutdown,
    ) -> Result<HttpIndex, ClientError> {
        let abort = shutdown.abort.clone();
        let (client, name) = (Client::new(settings, &shutdown.reload)?, name.to_owned());
        Ok(HttpIndex { name, owner, client, runtime, abort, is_checked: AtomicBool::new(false) })
    }

    /// One request, which the end of the run ends too.
    fn ask(&self, request: Request) -> Result<Response, Unavailable> {
        self.ask_until(&self.abort, request)
    }

    /// One request. An outage, or a refusal of the user as such, is an error; everything else is an
    /// answer.
    fn ask_until(
        &self,
        abort: &CancellationToken,
        request: Request,
    ) -> Result<Response, Unavailable> {
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = abort.cancelled() => None,
                answer = self.client.send(request) => Some(answer),
            }
        });
        let Some(answer) = answer else {
            return Err(Unavailable::Outage("the run was ended".into()));
        };
        let answer = answer.map_err(|error| transport_error(error).into_unavailable())?;
        match answer.status.as_u16() {
            401 => {
                if let Err(error) = self.client.reread_credentials() {
                    tracing::warn!("{error}; going on with the previous ones");
                }
            }
            429 | 500..=599 => self.client.rotate(&answer.host),
            300..=399 => {}
            _ => return Ok(answer),
        }
        Err(status_error(&answer, &answer.host).into_unavailable())
    }

    fn search(&self, body: &serde_json::Value, bytes_max: usize) -> Result<Response, Unavailable> {
        // A search that only some shards answered would miss letters, and count too few.
        let path = format!("/{}/_search?allow_partial_search_results=false", self.name);
        let request = Request::json(Method::POST, path, body.to_string().into_bytes());
        self.ask(request.answered_by(bytes_max))
    }

    /// What any answer but the hoped for ones says.
    fn refused(&self, answer: &Response, right: &str) -> Unavailable {
        if answer.status == StatusCode::FORBIDDEN && is_of_amazon(answer, self.client.host()) {
            return status_error(answer, self.client.host()).into_unavailable();
        }
        let text = format!("status {}: {}", answer.status.as_u16(), whole_error(&answer.body));
        if answer.status == StatusCode::FORBIDDEN {
            return Unavailable::Refused(format!(
                "{text}: the user needs the right `{right}` on it"
            ));
        }
        Unavailable::Refused(text)
    }

    /// That it is an index and of letters, as far as that may be known. What is no letters' index
    /// could refuse one.
    fn check(&self) -> Result<(), Unavailable> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = format!("/{}/_mapping", self.name);
        let answer = self.ask(Request::json(Method::GET, path, Vec::new()))?;
        match answer.status {
            StatusCode::OK => {
                query::check_mapping(&answer.body, &self.name).map_err(Unavailable::Refused)?
            }
            status => tracing::debug!(index = self.name, %status, "the mapping may not be read"),
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn bulk(
        &self,
        abort: &CancellationToken,
        body: Vec<u8>,
        count: usize,
        is_settled: IsSettled,
    ) -> Result<(), BulkError> {
        let request = Request::bulk(&bulk_filter_path(false), body, true);
        let answer = self.ask_until(abort, request)?;
        match answer.status {
            status if status.is_success() => {}
            StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(BulkError::TooLarge(self.refused(&answer, RIGHT_TO_WRITE)));
            }
            _ => return Err(self.refused(&answer, RIGHT_TO_WRITE).into()),
        }
        let answers = parse_bulk(&answer.body, count)
            .map_err(|why| Unavailable::Outage(format!("the answer cannot be used: {why}")))?;
        Ok(query::outcome(&answers.items, is_settled)?)
    }

    fn write_all(&self, entries: &[Entry], writing: Writing) -> Result<(), Unavailable> {
        let body = query::write_body(&self.name, entries, writing);
        let bytes = body.len();
        match self.bulk(&self.abort, body, entries.len(), query::is_written) {
            Err(BulkError::TooLarge(_)) if entries.len() > 1 => {
                tracing::debug!(bytes, "too large for one request: in halves");
                let (first, second) = entries.split_at(entries.len() / 2);
                self.write_all(first, writing)?;
                self.write_all(second, writing)
            }
            written => Ok(written?),
        }
    }
}

/// The right to write letters.
const RIGHT_TO_WRITE: &str = "indices:data/write/bulk";

/// Why a `_bulk` did not do everything.
#[derive(Debug)]
enum BulkError {
    /// It is larger than a request may be; in two it may pass.
    TooLarge(Unavailable),
    Other(Unavailable),
}

impl From<Unavailable> for BulkError {
    fn from(why: Unavailable) -> BulkError {
        BulkError::Other(why)
    }
}

impl From<BulkError> for Unavailable {
    fn from(error: BulkError) -> Unavailable {
        match error {
            BulkError::TooLarge(why) | BulkError::Other(why) => why,
        }
    }
}

impl Index for HttpIndex {
    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn usage(&self) -> Result<Option<Usage>, Unavailable> {
        let answer = self.search(&query::usage(&self.owner), PAGE_BYTES_MAX)?;
        match answer.status {
            StatusCode::NOT_FOUND => {
                self.is_checked.store(false, Ordering::Relaxed);
                Ok(None)
            }
            StatusCode::OK => {
                self.check()?;
                query::parse_usage(&answer.body).map(Some).map_err(Unavailable::Outage)
            }
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn make(&self) -> Result<(), Unavailable> {
        let body = index_body().to_string().into_bytes();
        let answer = self.ask(Request::json(Method::PUT, format!("/{}", self.name), body))?;
        if answer.status.is_success() {
            tracing::info!(
                index = self.name,
                "made the index of the dead letters, which was missing"
            );
            return Ok(());
        }
        if classify_whole(&answer.body) == WholeError::AlreadyExists {
            // Another weir was faster.
            return Ok(());
        }
        Err(self.refused(&answer, "indices:admin/create"))
    }

    fn write(&self, entries: &[Entry], writing: Writing) -> Result<(), Unavailable> {
        self.write_all(entries, writing)
    }

    fn page(&self, query: &Query, behind: Option<&Stub>) -> Result<Vec<Stub>, Unavailable> {
        if behind.is_none() {
            // So that what was written a moment ago is found. Who may not do that finds it a second
            // later.
            let path = format!("/{}/_refresh", self.name);
            let _ = self.ask(Request::json(Method::POST, path, Vec::new()))?;
        }
        let answer = self.search(&query::page(&self.owner, query, behind), PAGE_BYTES_MAX)?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            StatusCode::OK => query::parse_page(&answer.body).map_err(Unavailable::Outage),
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn read(&self, ids: &[LetterId]) -> Result<Vec<Found>, Unavailable> {
        let answer = self.search(&query::read(&self.owner, ids), ANSWER_BYTES_MAX)?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            StatusCode::OK => query::parse_found(&answer.body).map_err(Unavailable::Outage),
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn remove(&self, letters: &[(LetterId, Version)]) -> Result<(), Unavailable> {
        // Letters have arrived when all else has ended: this is done then. Its own time limit ends
        // it.
        let never = CancellationToken::new();
        let body = query::remove_body(&self.name, letters);
        Ok(self.bulk(&never, body, letters.len(), query::is_removed)?)
    }

    fn wait(&self, failures: u32) -> Duration {
        BACKOFF.wait(failures + 1, fastrand::u64(..))
    }
}
