//! Before the first document: the target must be the one that the saved position is for, it is
//! found out whether an index without a date is an index at all ([`resolve`]), and the index
//! template is installed if it is missing.
//!
//! A data stream's indices, and those of an alias, are made by templates of their own, which weir
//! leaves alone: one of its own would stand in their way.
//!
//! If OpenSearch cannot be reached, or does not let weir in, weir waits, as it does later on.

use crate::process::Process;
use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::asker::{AskError, Asker, lacks_right};
use super::report::Reporter;
use super::request::index_name;
use super::version::Root;
use super::write_target::{Kind, Known, Writing};
use super::{resolve, setup, template};
use crate::blocking::blocking;
use crate::opensearch::{
    BACKOFF, Client, Response, Unavailable, WholeError, classify_whole, whole_error,
};
use crate::position::Keeper;
use crate::sink::PART;
use crate::sink::error::SinkError;
use crate::sink::lag::now_micros;
use crate::sink::settings::{IndexPattern, OpenSearchSettings, Setup, Template};

/// A cluster that has just started cannot answer everything for some seconds. What it does not
/// answer for longer, while it answers otherwise, must not keep documents waiting.
const SETUPS_MAX: u32 = 8;

/// Returns when documents may be sent, and what is known of the write target.
pub(super) async fn prepare(
    client: &Arc<Client>,
    settings: &OpenSearchSettings,
    keeper: &Keeper,
    process: &Process,
) -> Result<Known, SinkError> {
    let mut reporter = Reporter::new(process.health.clone());
    let (mut failures, mut setups) = (0, 0);
    loop {
        process.health.progress(PART);
        let asker = Asker { client, requests: Some(&process.metrics.sink.requests) };
        let why = match prepare_once(&asker, settings, keeper, &mut setups).await {
            Ok(known) => {
                reporter.update(None, Instant::now());
                return Ok(known);
            }
            Err(AskError::Fatal(error)) => return Err(error),
            Err(AskError::Unavailable(why)) => why,
            Err(AskError::Unauthorized(why)) => {
                let client = client.clone();
                if let Err(error) = blocking(move || client.reread_credentials()).await {
                    tracing::warn!("{error}; going on with the previous ones");
                }
                why
            }
        };
        reporter.update(Some(why), Instant::now());
        failures += 1;
        tokio::time::sleep(BACKOFF.wait(failures, fastrand::u64(..))).await;
    }
}

async fn prepare_once(
    asker: &Asker<'_>,
    settings: &OpenSearchSettings,
    keeper: &Keeper,
    setups: &mut u32,
) -> Result<Known, AskError> {
    let root = match asker.client.collection() {
        Some(name) => Root::of_collection(name),
        None => root(asker).await?,
    };
    let warning = root.warning();
    keeper.target_is(root.cluster_uuid).map_err(|error| AskError::Fatal(error.into()))?;
    let index = &settings.index;
    let mut is_set_up = false;
    if settings.setup == Setup::Run {
        *setups += 1;
        is_set_up = setup::at_start(asker, settings, *setups >= SETUPS_MAX).await?;
    }
    let kind = match index.date {
        Some(_) => None,
        None => Some(resolve::kind_of(asker, &index.prefix).await?),
    };
    let has_own_template = kind.as_ref().is_some_and(Kind::has_own_template);
    if settings.template == Template::Install && !has_own_template && !is_set_up {
        install_template(asker, index).await?;
    }
    let known = match kind {
        None => Known::fixed(),
        Some(kind) => {
            let writing = Writing::of(settings, asker.client);
            resolve::write_target(asker, &index.prefix, &kind, writing).await?
        }
    };
    if let Some(warning) = warning {
        tracing::warn!(host = asker.client.host(), "about the server of sink.hosts: {warning}");
    }
    Ok(known)
}

/// Who the cluster is, where that may be read. One that is still forming says `_na_`, and is asked
/// again.
async fn root(asker: &Asker<'_>) -> Result<Root, AskError> {
    let answer = asker.ask(Method::GET, "/", Vec::new()).await?;
    if answer.status != StatusCode::OK {
        tracing::debug!(
            "the cluster's identity may not be read (the right `cluster:monitor/main`)"
        );
        return Ok(Root::default());
    }
    let root: Root = serde_json::from_slice(&answer.body).unwrap_or_default();
    match root.cluster_uuid.as_deref() {
        // Whose it is will be known: it may be another one than the position's.
        Some("_na_") => Err(AskError::Unavailable(Unavailable::Outage(
            "the cluster is still forming".to_owned(),
        ))),
        _ => Ok(root),
    }
}

async fn install_template(asker: &Asker<'_>, pattern: &IndexPattern) -> Result<(), AskError> {
    let name = template::name(pattern);
    let path = format!("/_index_template/{name}");
    let lacks = |what: &str| match (asker.client.collection(), what) {
        (None, _) => {
            format!("the user lacks the cluster permission `indices:admin/index_template/{what}`")
        }
        (Some(_), "get") => {
            "the data access policy lacks `aoss:DescribeCollectionItems`".to_owned()
        }
        (Some(_), _) => "the data access policy lacks `aoss:CreateCollectionItems` and \
                         `aoss:UpdateCollectionItems`"
            .to_owned(),
    };
    let found = asker.ask(Method::GET, &path, Vec::new()).await?;
    match found.status {
        StatusCode::OK => {
            let index = index_name(pattern, now_micros());
            if setup::is_for(&found.body, &index) == Some(false) {
                tracing::warn!(
                    template = name,
                    "the index template of this name is not for `{index}`, but for another \
                     sink.index, which makes the same name: none is installed. Give one of the two \
                     indices another name"
                );
            }
            return Ok(());
        }
        StatusCode::NOT_FOUND => {}
        _ => {
            warn_without_template(&name, lacks("get"), &found);
            return Ok(());
        }
    }
    // `create`: if another weir was faster, its template stays.
    let mut body = template::body(pattern, false);
    setup::mark(&mut body);
    let body = body.to_string().into_bytes();
    let put = asker.ask(Method::PUT, &format!("{path}?create=true"), body).await?;
    if put.status.is_success() {
        tracing::info!(template = name, "installed the index template, which was missing");
    } else if classify_whole(&put.body) != WholeError::AlreadyExists {
        warn_without_template(&name, lacks("put"), &put);
    }
    Ok(())
}

fn warn_without_template(name: &str, lacks: String, response: &Response) {
    let why = whole_error(&response.body);
    if lacks_right(response) {
        tracing::warn!(
            template = name,
            "the index template cannot be installed: {lacks}. Going on without it: grant the \
             permission, or install the template yourself and set sink.template = \"skip\" \
             ({why})"
        );
    } else {
        tracing::warn!(
            template = name,
            status = response.status.as_u16(),
            "the index template cannot be installed; going on without it: {why}"
        );
    }
}
