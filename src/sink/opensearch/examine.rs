//! Asks OpenSearch what a run will need, for `weir doctor`: who answers, whether it lets weir in,
//! what the user may do, and how the policy, the template and the stream are.
//!
//! Constraint: nothing is written, and no index made. A right is found out by a request that cannot
//! be carried out even with it: the security plugin refuses it before anything else does.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::asker::{AskError, Asker};
use super::request::index_name;
use super::version::Root;
use super::write_target::Kind;
use super::{lookup, resolve, setup, template};
use crate::blocking::blocking;
use crate::opensearch::{Client, ClientError, Request, Unavailable, bulk_filter_path, whole_error};
use crate::reload::Reload;
use crate::sink::lag::now_micros;
use crate::sink::settings::{Duplicates, OpenSearchSettings};
use crate::text::{self, REASON_BYTES_MAX};

/// A document that cannot be stored: it is not whole.
const NO_DOCUMENT: &[u8] = b"{";
/// An index that cannot be made.
const NO_INDEX: &[u8] = br#"{"settings":{"index.number_of_shards":-1}}"#;

/// What was found out.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Each of `sink.hosts`.
    pub(crate) hosts: Vec<Host>,
    /// The rest, if one of them answered.
    pub(crate) inside: Option<Inside>,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) url: String,
    pub(crate) answer: Answered,
}

/// How a host answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It lets weir in.
    In { version: Option<String>, warning: Option<String>, cluster: Option<String> },
    /// It lets weir in; it is a collection of OpenSearch Serverless, of which there is no version.
    Collection,
    /// It lets weir in, and does not say what it is.
    Silent(String),
    /// It does not let weir in.
    Refused(String),
    /// It does not answer, or not as OpenSearch does.
    Out(String),
}

#[derive(Debug)]
pub(crate) struct Inside {
    /// Whom it takes weir for; `None`: it does not say.
    pub(crate) user: Option<String>,
    pub(crate) rights: Vec<Asked>,
    /// What setting up would do; the error says why nobody knows.
    pub(crate) setup: Result<Vec<setup::Item>, String>,
    /// Its time, if it tells.
    pub(crate) time: Option<Timestamp>,
}

/// A right that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) right: &'static str,
    /// `None`: it is one on the cluster.
    pub(crate) index: Option<String>,
    /// What it is needed for.
    pub(crate) purpose: &'static str,
    pub(crate) has: Has,
}

/// Whether the user has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Has {
    Yes,
    /// What was said.
    No(String),
    /// Why that is.
    Unknown(String),
}

/// Asks everything. `letters` is the index of dead letters, if there is one.
///
/// # Errors
///
/// When no client can be made of the settings.
pub(crate) async fn examine(
    settings: &OpenSearchSettings,
    letters: Option<&str>,
) -> Result<Examined, ClientError> {
    let (mut hosts, mut first) = (Vec::new(), None);
    for url in &settings.connection.hosts {
        let mut connection = settings.connection.clone();
        connection.hosts = vec![url.clone()];
        let client = blocking(move || Client::new(&connection, &Reload::default())).await?;
        let answer = who(&Asker { client: &client, requests: None }, settings).await;
        match answer {
            Answered::Refused(_) | Answered::Out(_) => {}
            Answered::In { .. } | Answered::Collection | Answered::Silent(_) => {
                first.get_or_insert(client);
            }
        }
        hosts.push(Host { url: url.clone(), answer });
    }
    let inside = match &first {
        Some(client) => {
            let asker = Asker { client, requests: None };
            Some(inside(&asker, settings, letters).await)
        }
        None => None,
    };
    Ok(Examined { hosts, inside })
}

async fn who(asker: &Asker<'_>, settings: &OpenSearchSettings) -> Answered {
    let is_collection = asker.client.collection().is_some();
    // A collection has no `GET /`, and no other request that nobody needs a right for.
    let path = match is_collection {
        true => format!("/_index_template/{}", template::name(&settings.index)),
        false => "/".to_owned(),
    };
    let answer = match asker.ask(Method::GET, &path, Vec::new()).await {
        Ok(answer) => answer,
        Err(AskError::Unauthorized(why)) => return Answered::Refused(words(why)),
        Err(AskError::Unavailable(Unavailable::Outage(why) | Unavailable::Refused(why))) => {
            return Answered::Out(why);
        }
        Err(AskError::Fatal(error)) => return Answered::Out(error.to_string()),
    };
    match answer.status {
        StatusCode::OK | StatusCode::NOT_FOUND if is_collection => Answered::Collection,
        StatusCode::OK => match serde_json::from_slice::<Root>(&answer.body) {
            Ok(root) => Answered::In {
                version: root.number(),
                warning: root.warning(),
                cluster: root.cluster_uuid,
            },
            Err(error) => Answered::Out(crate::opensearch::what_it_is(&answer.body, &error)),
        },
        status => Answered::Silent(format!("{}: {}", status.as_u16(), whole_error(&answer.body))),
    }
}

async fn inside(asker: &Asker<'_>, settings: &OpenSearchSettings, letters: Option<&str>) -> Inside {
    let order = setup::Order { dry_run: true, ..setup::Order::default() };
    let setup = setup::set_up(asker, settings, &order).await;
    let mut rights = rights(asker, settings).await;
    if let Some(index) = letters {
        rights.push(may_store(asker, index, "keeping dead letters").await);
        rights.push(may_create(asker, index, "making the index of dead letters").await);
        rights.push(may_search(asker, index, "listing and replaying dead letters").await);
    }
    Inside {
        user: user(asker).await,
        rights,
        setup: setup.map_err(why_of),
        time: time(asker).await,
    }
}

/// What storing needs, and looking up where writes move.
async fn rights(asker: &Asker<'_>, settings: &OpenSearchSettings) -> Vec<Asked> {
    let pattern = &settings.index;
    let index = index_name(pattern, now_micros());
    let kind = match pattern.date {
        Some(_) => Ok(None),
        None => resolve::look_up(asker, &index).await,
    };
    let mut rights = vec![may_bulk(asker, &index).await];
    rights.push(may_store(asker, &index, "storing documents").await);
    let kind = match kind {
        Ok(kind) => kind,
        Err(error) => {
            rights.push(Asked {
                right: "indices:admin/resolve/index",
                index: Some(index),
                purpose: "telling a data stream from an index",
                has: Has::Unknown(why_of(error)),
            });
            return rights;
        }
    };
    if pattern.date.is_some() || kind == Some(Kind::Absent) {
        rights.push(may_create(asker, &index, "making the index").await);
    }
    let moves = kind.as_ref().is_some_and(Kind::has_own_template);
    if moves && settings.duplicates == Duplicates::Forbid {
        let purpose = "looking up what may have been sent before";
        let refresh = lookup::refresh(&index);
        rights.push(asked(asker, refresh, "indices:admin/refresh*", &index, purpose).await);
        rights.push(may_search(asker, &index, purpose).await);
    }
    if pattern.date.is_none() && kind.is_none() {
        rights.push(Asked {
            right: "indices:admin/resolve/index",
            index: Some(index),
            purpose: "telling a data stream from an index without sending a document",
            has: Has::No("it may not be asked what the name stands for".to_owned()),
        });
    }
    rights
}

async fn may_bulk(asker: &Asker<'_>, index: &str) -> Asked {
    let action = serde_json::json!({
        "create": { "_index": index, "_id": "weir-doctor", "require_alias": true },
    });
    let body = format!("{action}\n{{\n").into_bytes();
    let request = Request::bulk(&bulk_filter_path(false), body, false);
    let asked = asked(asker, request, "indices:data/write/bulk*", index, "storing documents").await;
    Asked { index: None, ..asked }
}

/// With `require_alias` no index is made, and where the name is an alias the document is none.
async fn may_store(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let path = format!("/{index}/_create/weir-doctor?require_alias=true");
    let request = Request::json(Method::PUT, path, NO_DOCUMENT.to_vec());
    asked(asker, request, "indices:data/write/index", index, purpose).await
}

async fn may_create(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let request = Request::json(Method::PUT, format!("/{index}"), NO_INDEX.to_vec());
    asked(asker, request, "indices:admin/create", index, purpose).await
}

async fn may_search(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let request = lookup::search(index, &["weir-doctor".to_owned()]);
    asked(asker, request, "indices:data/read/search*", index, purpose).await
}

async fn asked(
    asker: &Asker<'_>,
    request: Request,
    right: &'static str,
    index: &str,
    purpose: &'static str,
) -> Asked {
    let has = match asker.send(request).await {
        Ok(answer) if answer.status == StatusCode::FORBIDDEN => Has::No(whole_error(&answer.body)),
        Ok(_) => Has::Yes,
        Err(error) => Has::Unknown(why_of(error)),
    };
    Asked { right, index: Some(index.to_owned()), purpose, has }
}

async fn user(asker: &Asker<'_>) -> Option<String> {
    let path = "/_plugins/_security/authinfo";
    let answer = asker.ask(Method::GET, path, Vec::new()).await.ok()?;
    let said: Value = serde_json::from_slice(&answer.body).ok()?;
    Some(text::words(said["user_name"].as_str()?, REASON_BYTES_MAX))
}

#[derive(Deserialize)]
struct Health {
    epoch: String,
}

async fn time(asker: &Asker<'_>) -> Option<Timestamp> {
    let path = "/_cat/health?format=json&h=epoch";
    let answer = asker.ask(Method::GET, path, Vec::new()).await.ok()?;
    let health: Vec<Health> = serde_json::from_slice(&answer.body).ok()?;
    Timestamp::from_second(health.first()?.epoch.parse().ok()?).ok()
}

fn why_of(error: AskError) -> String {
    match error {
        AskError::Unavailable(why) | AskError::Unauthorized(why) => words(why),
        AskError::Fatal(error) => error.to_string(),
    }
}

fn words(why: Unavailable) -> String {
    let (Unavailable::Outage(why) | Unavailable::Refused(why)) = why;
    why
}
