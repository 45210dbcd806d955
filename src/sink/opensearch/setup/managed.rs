//! Whether ISM manages what is written to, and by which edition of the policy
//! (<https://docs.opensearch.org/latest/im-plugin/ism/api/#explain-index>).
//!
//! - A policy takes in what is made after it. What was there before is put under it only if it is
//!   written to now: the others could be deleted at once, which is for a person to say.
//! - An index goes on with the edition that it began with until it is told of a newer one, and then
//!   at ISM's next look, every five minutes.
//! - What another policy manages is left to it.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::explained::{Edition, Managed, explained, of_pattern};
use super::{Item, Job, State, Target, What};
use crate::sink::lag::now_micros;
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::request::index_name;
use crate::text::{self, REASON_BYTES_MAX};

/// Names in one request: a URL may have 4 KiB, and a name 255 bytes.
const NAMES_MAX: usize = 12;
/// ISM learns of a new index from the cluster's state, a moment after it is made.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

const EXPLAIN: &str = "indices:admin/opensearch/ism/managedindex, and the cluster permission \
                       cluster:admin/opendistro/ism/managedindex/explain";
const ADD: &str = "cluster:admin/opendistro/ism/managedindex/add";
const CHANGE: &str = "cluster:admin/opendistro/ism/managedindex/change";

#[derive(Deserialize)]
struct Streams {
    data_streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    indices: Vec<Backing>,
}

#[derive(Deserialize)]
struct Backing {
    index_name: String,
}

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    indices: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// What `add` and `change_policy` answer.
#[derive(Deserialize)]
struct Updated {
    #[serde(default)]
    failed_indices: Vec<FailedIndex>,
}

#[derive(Deserialize)]
struct FailedIndex {
    #[serde(default)]
    index_name: String,
    #[serde(default)]
    reason: String,
}

impl Job<'_> {
    /// Sees to it that what is written to is managed, and that what is managed is so by this
    /// edition.
    pub(super) async fn managed(
        &mut self,
        target: &Target,
        policy: &str,
        edition: Edition,
        is_new: bool,
    ) -> Result<(), AskError> {
        let (indices, written) = match self.indices(target).await? {
            Ok(indices) => indices,
            Err(why) => {
                let name = self.settings.index.to_string();
                self.items.push(Item { what: What::Managed, name, state: State::Failed(why) });
                return Ok(());
            }
        };
        let all = match self.explain(&indices).await? {
            Ok(all) => all,
            Err(why) => {
                let name = self.settings.index.to_string();
                self.items.push(Item { what: What::Managed, name, state: State::Failed(why) });
                return Ok(());
            }
        };
        if let Some(index) = &written {
            let found = all.get(index).cloned().unwrap_or_default();
            let state = self.write_index(index, found, policy, edition, is_new).await?;
            self.items.push(Item { what: What::Managed, name: index.clone(), state });
        }
        let others = || indices.iter().filter(|index| Some(*index) != written.as_ref());
        let is = |index: &str, is: &dyn Fn(&Managed) -> bool| all.get(index).is_some_and(is);
        let behind: Vec<String> = others()
            .filter(|index| is(index, &|found| found.is_behind(policy, edition)))
            .cloned()
            .collect();
        if !behind.is_empty() {
            let name = format!("{} older indices", behind.len());
            let state = self.bring_up(&behind, policy, edition).await?;
            self.items.push(Item { what: What::Managed, name, state });
        }
        let unmanaged = others().filter(|index| is(index, &|found| found.policy.is_none())).count();
        if unmanaged > 0 {
            let state = State::Fine(format!(
                "no policy manages them, because they were there before it: `POST \
                 _plugins/_ism/add/INDEX` with {} puts one under it, which deletes it as soon as \
                 it is old enough",
                json!({ "policy_id": policy })
            ));
            let name = format!("{unmanaged} older indices");
            self.items.push(Item { what: What::Managed, name, state });
        }
        Ok(())
    }

    async fn write_index(
        &self,
        index: &str,
        mut found: Managed,
        policy: &str,
        edition: Edition,
        is_new: bool,
    ) -> Result<State, AskError> {
        if self.order.dry_run {
            return Ok(found.state(policy, edition.revision));
        }
        let until = tokio::time::Instant::now() + NOTICED_WITHIN;
        while is_new && found.policy.is_none() && tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK_AGAIN).await;
            found = self.explain_one(index).await?;
        }
        if found.policy.is_none() {
            let body = json!({ "policy_id": policy });
            let path = format!("/_plugins/_ism/add/{index}");
            if let Err(why) = self.update(&path, &body, ADD).await? {
                return Ok(State::Failed(why));
            }
            found = self.explain_one(index).await?;
        }
        if found.is_behind(policy, edition) {
            return self.bring_up(&[index.to_owned()], policy, edition).await;
        }
        Ok(match found.state(policy, edition.revision) {
            State::Pending(why) => State::Failed(why),
            state => state,
        })
    }

    /// Has indices go on with this edition.
    async fn bring_up(
        &self,
        indices: &[String],
        policy: &str,
        edition: Edition,
    ) -> Result<State, AskError> {
        let number = edition.revision.number;
        if self.order.dry_run {
            return Ok(State::Pending(format!(
                "the policy manages them, and there is revision {number} of it"
            )));
        }
        for names in indices.chunks(NAMES_MAX) {
            let path = format!("/_plugins/_ism/change_policy/{}", names.join(","));
            let body = json!({ "policy_id": policy });
            if let Err(why) = self.update(&path, &body, CHANGE).await? {
                return Ok(State::Failed(why));
            }
        }
        Ok(State::Done(format!(
            "the policy manages it, and goes on to revision {number} at ISM's next look (every \
             five minutes)"
        )))
    }

    /// The inner error says what is refused.
    async fn update(
        &self,
        path: &str,
        body: &Value,
        right: &str,
    ) -> Result<Result<(), String>, AskError> {
        let body = body.to_string().into_bytes();
        let answer = self.asker.ask(Method::POST, path, body).await?;
        if !answer.status.is_success() {
            return Ok(Err(self.refused(&answer, right)));
        }
        let updated = serde_json::from_slice::<Updated>(&answer.body).ok();
        let mut failed = updated.into_iter().flat_map(|updated| updated.failed_indices);
        Ok(match failed.next() {
            None => Ok(()),
            Some(FailedIndex { index_name, reason }) => {
                Err(text::words(&format!("ISM refuses {index_name}: {reason}"), REASON_BYTES_MAX))
            }
        })
    }

    async fn explain_one(&self, index: &str) -> Result<Managed, AskError> {
        let found = self.explain(&[index.to_owned()]).await?;
        Ok(found.ok().and_then(|mut all| all.remove(index)).unwrap_or_default())
    }

    async fn explain(
        &self,
        indices: &[String],
    ) -> Result<Result<BTreeMap<String, Managed>, String>, AskError> {
        let mut all = BTreeMap::new();
        for names in indices.chunks(NAMES_MAX) {
            let path = format!("/_plugins/_ism/explain/{}", names.join(","));
            let answer = self.asker.ask(Method::GET, &path, Vec::new()).await?;
            match (answer.status, explained(&answer.body)) {
                (StatusCode::OK, Some(found)) => all.extend(found),
                // One that was deleted meanwhile is nobody's concern.
                (StatusCode::NOT_FOUND, _) => {}
                _ => return Ok(Err(self.refused(&answer, EXPLAIN))),
            }
        }
        Ok(Ok(all))
    }

    /// All indices, and the one that is written to now.
    async fn indices(
        &self,
        target: &Target,
    ) -> Result<Result<(Vec<String>, Option<String>), String>, AskError> {
        let pattern = &self.settings.index;
        let ask = async |path: String, right: &str| {
            let answer = self.asker.ask(Method::GET, &path, Vec::new()).await?;
            Ok::<_, AskError>(match answer.status {
                StatusCode::OK => Ok(answer.body),
                StatusCode::NOT_FOUND => Ok(b"{}".to_vec()),
                _ => Err(self.refused(&answer, right)),
            })
        };
        Ok(match target {
            Target::Single => Ok((Vec::new(), None)),
            Target::Stream { .. } => {
                let path = format!("/_data_stream/{}", pattern.prefix);
                ask(path, "indices:admin/data_stream/get").await?.map(|body| {
                    let streams = serde_json::from_slice::<Streams>(&body).ok();
                    let streams = streams.into_iter().flat_map(|streams| streams.data_streams);
                    let indices = streams.flat_map(|stream| stream.indices);
                    let indices: Vec<String> = indices.map(|index| index.index_name).collect();
                    let written = indices.last().cloned();
                    (indices, written)
                })
            }
            Target::Dated(_) => {
                let path = format!("/_resolve/index/{}*{}", pattern.prefix, pattern.suffix);
                ask(path, "indices:admin/resolve/index").await?.map(|body| {
                    let resolved = serde_json::from_slice::<Resolved>(&body).ok();
                    let names = resolved.into_iter().flat_map(|resolved| resolved.indices);
                    let indices = of_pattern(names.map(|index| index.name), pattern);
                    let today = index_name(pattern, now_micros());
                    let written = indices.iter().find(|index| **index == today).cloned();
                    (indices, written)
                })
            }
        })
    }
}
