//! Before the first document: the target must be the one that the saved position is for, an index
//! without a date is looked at, whether it is an index at all ([`moving`](super::moving)), and the
//! index template is installed where it is missing.
//!
//! A data stream's indices, and those of an alias, are made by templates of their own, which weir
//! leaves alone: one of its own would stand in their way.
//!
//! An OpenSearch that is not there, or does not let us in, is waited for, as later on.

use std::sync::Arc;

use http::{Method, StatusCode};
use prometheus::IntCounterVec;
use serde::Deserialize;
use tokio::time::Instant;

use super::client::{Client, Response};
use super::failure::{status_failure, status_label, transport_failure};
use super::lane::Trouble;
use super::moving::{self, Kind, Writes};
use super::report::Reporter;
use super::retry::backoff;
use super::{response, template};
use crate::blocking::blocking;
use crate::position::Keeper;
use crate::sink::{Context, IndexPattern, OpenSearchSettings, PART, SinkError, Template};

/// Why preparing did not succeed.
pub(super) enum Problem {
    /// To be tried again.
    Again(Trouble),
    /// 401: to be tried again, with the password read again.
    Unauthorized(Trouble),
    /// The configuration cannot work.
    Fatal(SinkError),
}

/// Returns when documents may be sent, and what writes to the index do.
pub(super) async fn prepare(
    client: &Arc<Client>,
    settings: &OpenSearchSettings,
    context: &Context,
) -> Result<Writes, SinkError> {
    let mut reporter = Reporter::new(context.health.clone());
    let mut attempt = 0;
    loop {
        context.health.progress(PART);
        let asker = Asker { client, requests: &context.metrics.sink.requests };
        let trouble = match prepare_once(&asker, settings, &context.keeper).await {
            Ok(writes) => {
                reporter.update(None, Instant::now());
                return Ok(writes);
            }
            Err(Problem::Fatal(error)) => return Err(error),
            Err(Problem::Again(trouble)) => trouble,
            Err(Problem::Unauthorized(trouble)) => {
                let client = client.clone();
                if let Err(error) = blocking(move || client.reread_password()).await {
                    tracing::warn!("sink.password: {error}; going on with the one from before");
                }
                trouble
            }
        };
        reporter.update(Some(trouble), Instant::now());
        tokio::time::sleep(backoff(attempt, fastrand::f64())).await;
        attempt += 1;
    }
}

async fn prepare_once(
    asker: &Asker<'_>,
    settings: &OpenSearchSettings,
    keeper: &Keeper,
) -> Result<Writes, Problem> {
    keeper.target_is(cluster_uuid(asker).await?).map_err(|error| Problem::Fatal(error.into()))?;
    let OpenSearchSettings { index, mode, duplicates, .. } = settings;
    let kind = match index.date {
        Some(_) => None,
        None => Some(moving::kind_of(asker, &index.prefix).await?),
    };
    let has_own_template = kind.as_ref().is_some_and(Kind::has_own_template);
    if settings.template == Template::Install && !has_own_template {
        install_template(asker, index).await?;
    }
    match kind {
        None => Ok(Writes::Stay),
        Some(kind) => moving::writes(asker, &index.prefix, &kind, (*mode, *duplicates)).await,
    }
}

/// The `cluster_uuid`, where it may be read. A cluster that is still forming says `_na_`, and is
/// asked again.
async fn cluster_uuid(asker: &Asker<'_>) -> Result<Option<String>, Problem> {
    #[derive(Deserialize)]
    struct Root {
        cluster_uuid: String,
    }
    let answer = asker.ask(Method::GET, "/", Vec::new()).await?;
    if answer.status != StatusCode::OK {
        tracing::debug!(
            "the cluster's identity may not be read (the right `cluster:monitor/main`)"
        );
        return Ok(None);
    }
    let root: Option<Root> = serde_json::from_slice(&answer.body).ok();
    match root.map(|root| root.cluster_uuid) {
        // Whose it is will be known: it may be another one than the position's.
        Some(uuid) if uuid == "_na_" => {
            Err(Problem::Again(Trouble::Outage("the cluster is still forming".to_owned())))
        }
        uuid => Ok(uuid),
    }
}

async fn install_template(asker: &Asker<'_>, pattern: &IndexPattern) -> Result<(), Problem> {
    let name = template::name(pattern);
    let path = format!("/_index_template/{name}");
    let found = asker.ask(Method::GET, &path, Vec::new()).await?;
    match found.status {
        StatusCode::OK => return Ok(()),
        StatusCode::NOT_FOUND => {}
        _ => {
            warn_without_template(&name, "indices:admin/index_template/get", &found);
            return Ok(());
        }
    }
    // `create`: if another weir was faster, its template stays.
    let body = template::body(pattern).to_string().into_bytes();
    let put = asker.ask(Method::PUT, &format!("{path}?create=true"), body).await?;
    if put.status.is_success() {
        tracing::info!(template = name, "installed the index template, which was missing");
    } else if !response::whole_error(&put.body).contains("already exists") {
        warn_without_template(&name, "indices:admin/index_template/put", &put);
    }
    Ok(())
}

fn warn_without_template(name: &str, right: &str, response: &Response) {
    let why = response::whole_error(&response.body);
    if response.status == StatusCode::FORBIDDEN {
        tracing::warn!(
            template = name,
            "the index template cannot be installed: the user has not the cluster permission `{right}`. Going on \
             without: grant it, or install the template yourself and set sink.template = \"skip\" ({why})"
        );
    } else {
        tracing::warn!(
            template = name,
            status = response.status.as_u16(),
            "the index template cannot be installed; going on without: {why}"
        );
    }
}

/// Asks, and counts what it asks as what is sent later is counted.
pub(super) struct Asker<'a> {
    client: &'a Client,
    requests: &'a IntCounterVec,
}

impl Asker<'_> {
    /// One request; what is an outage or a refusal of the user is a [`Problem`], everything else an
    /// answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response, Problem> {
        let host = self.client.host().to_owned();
        let answer = self.client.request(method, path, "application/json", body).await;
        self.requests.with_label_values(&[status_label(&answer)]).inc();
        let answer =
            answer.map_err(|error| Problem::Again(transport_failure(error).into_trouble()))?;
        let failure = || status_failure(answer.status, &answer.body, &host).into_trouble();
        match answer.status.as_u16() {
            401 => Err(Problem::Unauthorized(failure())),
            300..=399 | 429 | 500..=599 => {
                self.client.rotate(&host);
                Err(Problem::Again(failure()))
            }
            _ => Ok(answer),
        }
    }
}
