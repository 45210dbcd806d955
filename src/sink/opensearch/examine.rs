//! Asks OpenSearch what a run will need, for `weir doctor`: who answers, whether it lets weir in,
//! what the user may do, and how the policy, the template and the stream are.
//!
//! Constraint: nothing is written, and no index made. A right is found out by a request that cannot
//! be carried out even with it: the security plugin refuses it before anything else does.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::asker::{AskError, Asker, lacks_right};
use super::request::index_name;
use super::version::Root;
use super::write_target::Kind;
use super::{lookup, resolve, setup, template};
use crate::blocking::blocking;
use crate::opensearch::{
    BulkAnswers, Client, ClientError, Request, Unavailable, WholeError, bulk_filter_path,
    classify_whole, parse_bulk, whole_error,
};
use crate::reload::Reload;
use crate::sink::lag::now_micros;
use crate::sink::settings::{Duplicates, OpenSearchSettings, Setup, Template};
use crate::text::{self, REASON_BYTES_MAX};

/// A document that cannot be stored: it is not whole.
const NO_DOCUMENT: &[u8] = b"{";
/// Of what there is not.
const NO_NAME: &str = "weir-doctor-none";
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
    /// What setting up would do, as far as that is known.
    pub(crate) setup: Vec<setup::Item>,
    /// Why no more is.
    pub(crate) unknown: Option<String>,
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
    /// Whether nothing runs without it.
    pub(crate) is_needed: bool,
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
        StatusCode::FORBIDDEN => Answered::Silent(format!("403: {}", whole_error(&answer.body))),
        // What answers so is something that stands in its place.
        status => Answered::Out(format!(
            "{} answers {} to `GET {path}`, as OpenSearch never does ({}): check sink.hosts, and \
             what stands before it",
            answer.host,
            status.as_u16(),
            whole_error(&answer.body)
        )),
    }
}

async fn inside(asker: &Asker<'_>, settings: &OpenSearchSettings, letters: Option<&str>) -> Inside {
    let order = setup::Order { dry_run: true, ..setup::Order::default() };
    let (setup, ended) = setup::set_up(asker, settings, &order).await;
    let mut rights = rights(asker, settings).await;
    if let Some(index) = letters {
        rights.push(may_store(asker, index, "keeping dead letters").await);
        if asker.client.collection().is_none() {
            rights.push(may_create(asker, index, "making the index of dead letters").await);
        }
        // A run never does these two.
        let replaying = [
            may_search(asker, index, "listing and replaying dead letters").await,
            may_delete(asker, index, "removing dead letters that were replayed").await,
        ];
        rights.extend(replaying.map(|asked| Asked { is_needed: false, ..asked }));
    }
    let puts_template = setup.iter().any(|item| {
        item.what == setup::What::Template && matches!(item.state, setup::State::Missing(_))
    });
    let is_to_install = settings.template == Template::Install || settings.setup == Setup::Run;
    if puts_template && is_to_install && asker.client.collection().is_none() {
        rights.push(may_put_template(asker, settings).await);
    }
    Inside {
        user: user(asker).await,
        rights,
        setup,
        unknown: ended.err().map(why_of),
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
                is_needed: true,
            });
            return rights;
        }
    };
    let may_be_made = pattern.date.is_some() || kind == Some(Kind::Absent);
    // A collection's data access policy is another matter, and it makes no index of this one.
    if may_be_made && asker.client.collection().is_none() {
        rights.push(may_create(asker, &index, "making the index").await);
    }
    let moves = kind.as_ref().is_some_and(Kind::has_own_template);
    if moves && settings.duplicates == Duplicates::Forbid {
        let purpose = "looking up what may have been sent before";
        let refresh = lookup::refresh(&index);
        let right = "indices:admin/refresh*";
        rights.push(asked(asker, refresh, right, &index, purpose, is_found_or_absent).await);
        rights.push(may_search(asker, &index, purpose).await);
    }
    if pattern.date.is_none() && kind.is_none() {
        rights.push(Asked {
            right: "indices:admin/resolve/index",
            index: Some(index),
            purpose: "telling a data stream from an index without sending a document",
            has: Has::No("a run asks by a document that cannot be stored".to_owned()),
            is_needed: false,
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
    let right = "indices:data/write/bulk*";
    let asked = asked(asker, request, right, index, "storing documents", is_of_bulk).await;
    Asked { index: None, ..asked }
}

/// With `require_alias` no index is made, and where the name is an alias the document is none.
async fn may_store(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let path = format!("/{index}/_create/weir-doctor?require_alias=true");
    let request = Request::json(Method::PUT, path, NO_DOCUMENT.to_vec());
    asked(asker, request, "indices:data/write/index", index, purpose, is_not_done).await
}

async fn may_create(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let request = Request::json(Method::PUT, format!("/{index}"), NO_INDEX.to_vec());
    asked(asker, request, "indices:admin/create", index, purpose, is_not_done).await
}

async fn may_search(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let request = lookup::search(index, &["weir-doctor".to_owned()]);
    asked(asker, request, "indices:data/read/search*", index, purpose, is_found_or_absent).await
}

/// There is no such document, and none of this edition: nothing is written.
async fn may_delete(asker: &Asker<'_>, index: &str, purpose: &'static str) -> Asked {
    let path = format!("/{index}/_doc/weir-doctor?if_seq_no=0&if_primary_term=1");
    let request = Request::json(Method::DELETE, path, Vec::new());
    asked(asker, request, "indices:data/write/delete", index, purpose, is_not_done).await
}

/// A template that names a component which is not there is refused.
async fn may_put_template(asker: &Asker<'_>, settings: &OpenSearchSettings) -> Asked {
    let name = template::name(&settings.index);
    let body = serde_json::json!({
        "index_patterns": [NO_NAME], "composed_of": [NO_NAME],
    });
    let path = format!("/_index_template/{name}-{NO_NAME}?create=true");
    let request = Request::json(Method::PUT, path, body.to_string().into_bytes());
    let right = "indices:admin/index_template/put";
    let asked = asked(asker, request, right, &name, "installing the template", is_not_done).await;
    Asked { index: None, is_needed: false, ..asked }
}

/// `is_expected` says whether an answer is what somebody gets who has the right: what is no
/// OpenSearch may answer anything.
async fn asked(
    asker: &Asker<'_>,
    request: Request,
    right: &'static str,
    index: &str,
    purpose: &'static str,
    is_expected: fn(StatusCode, &[u8]) -> bool,
) -> Asked {
    let has = match asker.send(request).await {
        Ok(answer) if lacks_right(&answer) => Has::No(whole_error(&answer.body)),
        Ok(answer) if is_expected(answer.status, &answer.body) => Has::Yes,
        Ok(answer) => {
            let (status, why) = (answer.status.as_u16(), whole_error(&answer.body));
            Has::Unknown(format!("{} answers {status}: {why}", answer.host))
        }
        Err(error) => Has::Unknown(why_of(error)),
    };
    Asked { right, index: Some(index.to_owned()), purpose, has, is_needed: true }
}

/// OpenSearch's own refusal of what cannot be carried out.
fn is_not_done(status: StatusCode, body: &[u8]) -> bool {
    let is_refusal =
        matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::CONFLICT);
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    is_refusal && said["error"]["type"].is_string()
}

fn is_found_or_absent(status: StatusCode, body: &[u8]) -> bool {
    let is_answer =
        || serde_json::from_slice::<Value>(body).is_ok_and(|said| said["_shards"].is_object());
    match status {
        StatusCode::OK => is_answer(),
        _ => classify_whole(body) == WholeError::IndexNotFound,
    }
}

/// The answer to one item, which was not stored.
fn is_of_bulk(status: StatusCode, body: &[u8]) -> bool {
    let has_error = |answers: BulkAnswers| answers.items.iter().any(|item| item.error.is_some());
    status == StatusCode::OK && parse_bulk(body, 1).is_ok_and(has_error)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_opensearch_says_itself_tells_that_a_right_is_there() {
        let refusal = br#"{"error":{"type":"parse_exception","reason":"no"},"status":400}"#;
        assert!(is_not_done(StatusCode::BAD_REQUEST, refusal));
        let absent = br#"{"error":{"type":"index_not_found_exception"},"status":404}"#;
        assert!(is_found_or_absent(StatusCode::NOT_FOUND, absent));
        assert!(is_found_or_absent(StatusCode::OK, br#"{"_shards":{"total":1}}"#));
        let item = br#"{"items":[{"create":{"status":404,"error":{"type":"index_not_found_exception","reason":"no"}}}]}"#;
        assert!(is_of_bulk(StatusCode::OK, item));
        for (status, body) in [
            (StatusCode::NOT_FOUND, "404 page not found"),
            (StatusCode::NOT_FOUND, "<html>"),
            (StatusCode::OK, "{}"),
            (StatusCode::CREATED, r#"{"result":"created"}"#),
        ] {
            let body = body.as_bytes();
            assert!(!is_not_done(status, body) && !is_found_or_absent(status, body), "{body:?}");
            assert!(!is_of_bulk(status, body), "{body:?}");
        }
    }
}
