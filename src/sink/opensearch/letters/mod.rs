//! Dead letters in an index of the OpenSearch that the documents go to, over HTTP. What is asked
//! and answered is pure ([`query`]); this file sends it.
//!
//! Constraint: it blocks (threads that are not the runtime's call it), and the end of the run ends
//! every request but the last: that which removes what was replayed.
//!
//! Invariants: a letter counts as written when OpenSearch has said so of it; whatever else it says
//! about a letter is not the letter's fault, so that the worst of a mistake here is a pause. The
//! index is never made by writing to it: it would have another mapping.

mod query;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::query::Items;
use super::client::{Client, Response};
use super::failure::{status_failure, transport_failure};
use super::retry::backoff;
use super::{lane, response};
use crate::dead_letter::{
    Entry, Found, Index, LetterId, Owner, Query, Stub, Trouble, Usage, Version, Writing, index_body,
};
use crate::sink::{OpenSearchSettings, SinkError};

const JSON: &str = "application/json";

/// An index of one OpenSearch, for the letters of one owner.
#[derive(Debug)]
pub(in crate::sink) struct LetterIndex {
    name: String,
    owner: Owner,
    client: Client,
    runtime: Handle,
    abort: CancellationToken,
    /// It was looked at, and it is one of letters.
    is_checked: AtomicBool,
}

impl LetterIndex {
    /// Reads the CA and the password; connects to nothing. `runtime` is where requests are made:
    /// its threads must not call this.
    pub(in crate::sink) fn new(
        settings: &OpenSearchSettings,
        name: &str,
        owner: Owner,
        runtime: Handle,
        abort: CancellationToken,
    ) -> Result<LetterIndex, SinkError> {
        let (client, name) = (Client::new(settings)?, name.to_owned());
        Ok(LetterIndex { name, owner, client, runtime, abort, is_checked: AtomicBool::new(false) })
    }

    /// One request, which the end of the run ends too.
    fn ask(
        &self,
        method: Method,
        path: &str,
        content: &'static str,
        body: Vec<u8>,
    ) -> Result<Response, Trouble> {
        self.ask_until(&self.abort, method, path, content, body)
    }

    /// One request. What is an outage, or a refusal of the user as such, is trouble; everything
    /// else an answer.
    fn ask_until(
        &self,
        abort: &CancellationToken,
        method: Method,
        path: &str,
        content: &'static str,
        body: Vec<u8>,
    ) -> Result<Response, Trouble> {
        let host = self.client.host().to_owned();
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = abort.cancelled() => None,
                answer = self.client.request(method, path, content, body) => Some(answer),
            }
        });
        let Some(answer) = answer else { return Err(Trouble::Outage("the run was ended".into())) };
        let answer = answer.map_err(|error| trouble(transport_failure(error).into_trouble()))?;
        match answer.status.as_u16() {
            401 => {
                if let Err(error) = self.client.reread_password() {
                    tracing::warn!("sink.password: {error}; going on with the one from before");
                }
            }
            429 | 500..=599 => self.client.rotate(&host),
            300..=399 => {}
            _ => return Ok(answer),
        }
        Err(trouble(status_failure(answer.status, &answer.body, &host).into_trouble()))
    }

    fn search(&self, body: &serde_json::Value) -> Result<Response, Trouble> {
        // A search that only some shards answered would miss letters, and count too few.
        let path = format!("/{}/_search?allow_partial_search_results=false", self.name);
        self.ask(Method::POST, &path, JSON, body.to_string().into_bytes())
    }

    /// What an answer says that is none of those that were hoped for.
    fn refused(&self, answer: &Response, right: &str) -> Trouble {
        let text = format!("status {}: {}", answer.status.as_u16(), why(answer));
        if answer.status == StatusCode::FORBIDDEN {
            return Trouble::Refused(format!("{text}: the user needs the right `{right}` on it"));
        }
        Trouble::Refused(text)
    }

    /// That it is an index and of letters, as far as that may be known. What is no letters' index
    /// could refuse one.
    fn check(&self) -> Result<(), Trouble> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let answer =
            self.ask(Method::GET, &format!("/{}/_mapping", self.name), JSON, Vec::new())?;
        match answer.status {
            StatusCode::OK => {
                query::check_mapping(&answer.body, &self.name).map_err(Trouble::Refused)?
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
        is_settled: Items,
    ) -> Result<(), Trouble> {
        let path = format!("/_bulk?filter_path={}", response::filter_path(false));
        let answer = self.ask_until(abort, Method::POST, &path, "application/x-ndjson", body)?;
        if answer.status != StatusCode::OK {
            return Err(self.refused(&answer, "indices:data/write/bulk"));
        }
        let items = response::parse(&answer.body, count)
            .map_err(|why| Trouble::Outage(format!("the answer cannot be used: {why}")))?;
        query::outcome(&items, is_settled)
    }

    fn write_all(&self, entries: &[Entry], writing: Writing) -> Result<(), Trouble> {
        let body = query::write_body(&self.name, entries, writing);
        let bytes = body.len();
        match self.bulk(&self.abort, body, entries.len(), query::is_written) {
            Err(Trouble::Refused(why)) if entries.len() > 1 && why.starts_with("status 413") => {
                tracing::debug!(bytes, "too large for one request: in halves");
                let (first, second) = entries.split_at(entries.len() / 2);
                self.write_all(first, writing)?;
                self.write_all(second, writing)
            }
            written => written,
        }
    }
}

impl Index for LetterIndex {
    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn usage(&self) -> Result<Option<Usage>, Trouble> {
        let answer = self.search(&query::usage(&self.owner))?;
        match answer.status {
            StatusCode::NOT_FOUND => {
                self.is_checked.store(false, Ordering::Relaxed);
                Ok(None)
            }
            StatusCode::OK => {
                self.check()?;
                query::parse_usage(&answer.body).map(Some).map_err(Trouble::Outage)
            }
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn make(&self) -> Result<(), Trouble> {
        let body = index_body().to_string().into_bytes();
        let answer = self.ask(Method::PUT, &format!("/{}", self.name), JSON, body)?;
        if answer.status.is_success() {
            tracing::info!(
                index = self.name,
                "made the index of the dead letters, which was missing"
            );
            return Ok(());
        }
        if why(&answer).starts_with("resource_already_exists_exception") {
            // Another weir was faster.
            return Ok(());
        }
        Err(self.refused(&answer, "indices:admin/create"))
    }

    fn write(&self, entries: &[Entry], writing: Writing) -> Result<(), Trouble> {
        self.write_all(entries, writing)
    }

    fn page(&self, query: &Query, behind: Option<&Stub>) -> Result<Vec<Stub>, Trouble> {
        if behind.is_none() {
            // So that what was written a moment ago is found. Who may not do that finds it a second
            // later.
            let path = format!("/{}/_refresh", self.name);
            let _ = self.ask(Method::POST, &path, JSON, Vec::new())?;
        }
        let answer = self.search(&query::page(&self.owner, query, behind))?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            StatusCode::OK => query::parse_page(&answer.body).map_err(Trouble::Outage),
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn read(&self, ids: &[LetterId]) -> Result<Vec<Found>, Trouble> {
        let answer = self.search(&query::read(&self.owner, ids))?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            StatusCode::OK => query::parse_found(&answer.body).map_err(Trouble::Outage),
            _ => Err(self.refused(&answer, "indices:data/read/search")),
        }
    }

    fn remove(&self, letters: &[(LetterId, Version)]) -> Result<(), Trouble> {
        // Letters have arrived when all else has ended: this is done then. Its own time limit ends
        // it.
        let never = CancellationToken::new();
        self.bulk(&never, query::remove_body(&self.name, letters), letters.len(), query::is_removed)
    }

    fn wait(&self, failures: u32) -> Duration {
        backoff(failures, fastrand::f64())
    }
}

fn trouble(trouble: lane::Trouble) -> Trouble {
    match trouble {
        lane::Trouble::Outage(why) => Trouble::Outage(why),
        lane::Trouble::Refused(why) => Trouble::Refused(why),
    }
}

fn why(answer: &Response) -> String {
    response::whole_error(&answer.body)
}
