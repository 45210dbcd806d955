//! Before the first document: the target must be the one that the saved position is for, the index template is installed where it is missing, and an index without a
//! date is looked at, whether it is an index at all.
//!
//! An OpenSearch that is not there, or does not let us in, is waited for, as later on.

use std::sync::Arc;

use http::{Method, StatusCode};
use prometheus::IntCounterVec;
use serde::Deserialize;
use tokio::time::Instant;

use super::client::{Client, Response};
use super::lane::Trouble;
use super::report::Reporter;
use super::retry::backoff;
use super::{response, template};
use crate::position::Keeper;
use crate::sink::{Context, IndexPattern, Mode, OpenSearchSettings, PART, SinkError, Template, blocking};

/// Why preparing did not succeed.
enum Problem {
    /// To be tried again.
    Again(Trouble),
    /// 401: to be tried again, with the password read again.
    Unauthorized(Trouble),
    /// The configuration cannot work.
    Fatal(SinkError),
}

/// Returns when documents may be sent.
pub(super) async fn prepare(
    client: &Arc<Client>,
    settings: &OpenSearchSettings,
    context: &Context,
) -> Result<(), SinkError> {
    let mut reporter = Reporter::new(context.health.clone());
    for attempt in 0.. {
        context.health.progress(PART);
        let asker = Asker { client, requests: &context.metrics.sink.requests };
        let trouble = match prepare_once(&asker, settings, &context.keeper).await {
            Ok(()) => {
                reporter.update(None, Instant::now());
                break;
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
    }
    Ok(())
}

async fn prepare_once(
    asker: &Asker<'_>,
    settings: &OpenSearchSettings,
    keeper: &Keeper,
) -> Result<(), Problem> {
    keeper.target_is(cluster_uuid(asker).await?).map_err(|error| Problem::Fatal(error.into()))?;
    if settings.template == Template::Install {
        install_template(asker, &settings.index).await?;
    }
    if settings.index.date.is_none() {
        check_index(asker, &settings.index.prefix, settings.mode).await?;
    }
    Ok(())
}

/// The `cluster_uuid`, where it may be read. A cluster that is still forming says `_na_`.
async fn cluster_uuid(asker: &Asker<'_>) -> Result<Option<String>, Problem> {
    #[derive(Deserialize)]
    struct Root {
        cluster_uuid: String,
    }
    let answer = asker.ask(Method::GET, "/", Vec::new()).await?;
    if answer.status != StatusCode::OK {
        tracing::debug!("the cluster's identity may not be read (the right `cluster:monitor/main`)");
        return Ok(None);
    }
    let root: Option<Root> = serde_json::from_slice(&answer.body).ok();
    Ok(root.map(|root| root.cluster_uuid).filter(|uuid| uuid != "_na_"))
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

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    aliases: Vec<Name>,
    #[serde(default)]
    data_streams: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// A document's id protects it only inside one index. Behind an alias or a data stream there are several.
async fn check_index(asker: &Asker<'_>, index: &str, mode: Mode) -> Result<(), Problem> {
    let answer = asker.ask(Method::GET, &format!("/_resolve/index/{index}"), Vec::new()).await?;
    if answer.status != StatusCode::OK {
        tracing::warn!(
            index,
            "cannot look up whether this is an index, an alias or a data stream (the right \
             `indices:admin/resolve/index`): {}. Behind an alias or a data stream, documents can be stored twice",
            response::whole_error(&answer.body)
        );
        return Ok(());
    }
    let Ok(resolved) = serde_json::from_slice::<Resolved>(&answer.body) else { return Ok(()) };
    let is_index = |name: &&Name| name.name == index;
    let what = match (resolved.aliases.iter().find(is_index), resolved.data_streams.iter().find(is_index)) {
        (Some(_), _) => "an alias",
        (_, Some(_)) => "a data stream",
        (None, None) => return Ok(()),
    };
    let mode = mode.label();
    Err(Problem::Fatal(SinkError::Index(format!(
        "`{index}` is {what}: its writes move from index to index, and mode = \"{mode}\" would store documents twice: use the name of one index, or of an index that does not exist yet, or a date such as `{index}-{{yyyy.MM.dd}}` with mode = \"history\""
    ))))
}

/// Asks, and counts what it asks as what is sent later is counted.
struct Asker<'a> {
    client: &'a Client,
    requests: &'a IntCounterVec,
}

impl Asker<'_> {
    /// One request; what is an outage or a refusal of the user is a [`Problem`], everything else an answer.
    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response, Problem> {
        let host = self.client.host().to_owned();
        let answer = self.client.request(method, path, "application/json", body).await;
        self.requests.with_label_values(&[super::status_label(&answer)]).inc();
        let answer =
            answer.map_err(|error| Problem::Again(super::transport_failure(error).into_trouble()))?;
        let failure = || super::status_failure(answer.status, &answer.body, &host).into_trouble();
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
