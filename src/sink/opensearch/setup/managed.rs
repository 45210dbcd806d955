//! Whether ISM manages what is written to, and by which edition of the policy
//! (<https://docs.opensearch.org/latest/im-plugin/ism/api/#explain-index>).
//!
//! - A policy takes in what is made after it. What was there before is put under it only if it is
//!   written to now: the others could be deleted at once, which is for a person to say.
//! - An index goes on with the edition that it began with until it is told of a newer one, and then
//!   at ISM's next look, every five minutes.
//! - What another policy manages is left to it.
//! - An index that the policy has failed on is stopped: it is told of nothing until somebody has
//!   ISM try it again. So it is said, whichever index it is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::explained::{Edition, Explained, Managed, explained};
use super::{Item, Job, State, Target, What};
use crate::opensearch::what_it_is;
use crate::sink::opensearch::asker::AskError;
use crate::text::{self, REASON_BYTES_MAX};

/// Names in one request: a URL may have 4 KiB, and a name 255 bytes.
const NAMES_MAX: usize = 12;
/// ISM learns of a new index from the cluster's state, a moment after it is made.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Of those that something is wrong with.
const FAILED_TOLD_MAX: usize = 5;

const EXPLAIN: &str = "indices:admin/opensearch/ism/managedindex, and the cluster permission \
                       cluster:admin/opendistro/ism/managedindex/explain";
const ADD: &str = "cluster:admin/opendistro/ism/managedindex/add";
const CHANGE: &str = "cluster:admin/opendistro/ism/managedindex/change";

/// What `add` and `change_policy` answer.
#[derive(Deserialize)]
struct Updated {
    updated_indices: usize,
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

impl fmt::Display for FailedIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedIndex { index_name, reason } = self;
        let text = format!("ISM refuses {index_name}: {reason}");
        f.write_str(&text::words(&text, REASON_BYTES_MAX))
    }
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
        let indices = match self.indices(target).await? {
            Ok(indices) => indices,
            Err(why) => return self.nobody_knows(why),
        };
        let all = match self.explain(&indices.all).await? {
            Ok(all) => all,
            Err(why) => return self.nobody_knows(why),
        };
        let written = indices.written.as_ref();
        self.failed(&all, written, policy, edition);
        match written.map(|index| (index, all.get(index))) {
            None | Some((_, Some(Explained::Hidden))) => {}
            Some((index, found)) => {
                let found = found.and_then(Explained::managed).cloned().unwrap_or_default();
                let state = self.write_index(index, found, policy, edition, is_new).await?;
                self.items.push(Item { what: What::Managed, name: index.clone(), state });
            }
        }
        let others = || {
            let managed = |(index, found)| Some((index, Explained::managed(found)?));
            all.iter().filter_map(managed).filter(|(index, _)| Some(*index) != written)
        };
        let is_to_follow = |found: &Managed| {
            found.is_behind(policy, edition) && !found.is_stuck(policy, edition.revision)
        };
        let behind: Vec<String> = others()
            .filter(|(_, found)| is_to_follow(found))
            .map(|(index, _)| index.clone())
            .collect();
        if !behind.is_empty() {
            let name = format!("{} older indices", behind.len());
            let state = self.bring_up(&behind, policy, edition).await?;
            self.items.push(Item { what: What::Managed, name, state });
        }
        let unmanaged = others().filter(|(_, found)| found.policy.is_none()).count();
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

    fn nobody_knows(&mut self, why: String) -> Result<(), AskError> {
        let name = self.settings.index.to_string();
        self.items.push(Item { what: What::Managed, name, state: State::Failed(why) });
        Ok(())
    }

    /// Tells what the policy has failed on, or has no right to; the index that is written to is
    /// told of by itself.
    fn failed(
        &mut self,
        all: &BTreeMap<String, Explained>,
        written: Option<&String>,
        policy: &str,
        edition: Edition,
    ) {
        let mut failed = Vec::new();
        for (index, found) in all {
            match found {
                Explained::Hidden => failed.push((index, State::Failed(Explained::hidden()))),
                Explained::Managed(found) => {
                    let is_told = found.is_of(policy) && found.is_stuck(policy, edition.revision);
                    if is_told && Some(index) != written {
                        failed.push((index, found.state(policy, edition.revision)));
                    }
                }
            }
        }
        let more = failed.len().saturating_sub(FAILED_TOLD_MAX);
        for (index, state) in failed.into_iter().take(FAILED_TOLD_MAX) {
            self.items.push(Item { what: What::Managed, name: index.clone(), state });
        }
        if more > 0 {
            let name = format!("{more} more indices");
            let state = State::Failed("the same, or the like".to_owned());
            self.items.push(Item { what: What::Managed, name, state });
        }
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
            if let Err(why) = self.update("add", &[index.to_owned()], &body, ADD).await? {
                return Ok(State::Failed(why));
            }
            found = self.explain_one(index).await?;
        }
        // One that has failed is told of no newer edition until it is tried again.
        if found.is_behind(policy, edition) && !found.is_stuck(policy, edition.revision) {
            return self.bring_up(&[index.to_owned()], policy, edition).await;
        }
        Ok(match found.state(policy, edition.revision) {
            State::Pending(why) => State::Failed(why),
            state => state,
        })
    }

    /// Has indices go on with this edition: all that can.
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
        let body = json!({ "policy_id": policy });
        let mut refused = Vec::new();
        for names in indices.chunks(NAMES_MAX) {
            refused.extend(self.update("change_policy", names, &body, CHANGE).await?.err());
        }
        Ok(match refused.is_empty() {
            true => State::Done(format!(
                "the policy manages it, and goes on to revision {number} at ISM's next look (every \
                 five minutes)"
            )),
            false => State::Failed(format!(
                "not all go on to revision {number}: {}",
                text::first(&refused, FAILED_TOLD_MAX)
            )),
        })
    }

    /// The inner error says what is refused.
    async fn update(
        &self,
        what: &str,
        names: &[String],
        body: &Value,
        right: &str,
    ) -> Result<Result<(), String>, AskError> {
        let path = format!("/_plugins/_ism/{what}/{}", names.join(","));
        let answer = self.asker.ask(Method::POST, &path, body.to_string().into_bytes()).await?;
        if !answer.status.is_success() {
            return Ok(Err(self.refused(&answer, right)));
        }
        let updated = match serde_json::from_slice::<Updated>(&answer.body) {
            Ok(updated) => updated,
            Err(error) => {
                let what = what_it_is(&answer.body, &error);
                return Ok(Err(format!("the answer cannot be read: {what}")));
            }
        };
        let count = updated.updated_indices;
        let failed: Vec<String> = updated.failed_indices.iter().map(ToString::to_string).collect();
        Ok(match count {
            _ if !failed.is_empty() => Err(text::first(&failed, FAILED_TOLD_MAX)),
            count if count < names.len() => Err(format!(
                "ISM has done it to {count} of {}, and says no more: the user lacks the right \
                 indices:admin/opensearch/ism/managedindex on the others",
                names.len()
            )),
            _ => Ok(()),
        })
    }

    async fn explain_one(&self, index: &str) -> Result<Managed, AskError> {
        let found = self.explain(&[index.to_owned()]).await?;
        let found = found.ok().and_then(|mut all| all.remove(index));
        Ok(found.and_then(|found| found.managed().cloned()).unwrap_or_default())
    }

    /// What ISM says of each that is there. The inner error says why nobody knows.
    pub(super) async fn explain(
        &self,
        indices: &[String],
    ) -> Result<Result<BTreeMap<String, Explained>, String>, AskError> {
        let mut all = BTreeMap::new();
        let mut asked: Vec<&[String]> = indices.chunks(NAMES_MAX).collect();
        while let Some(names) = asked.pop() {
            let path = format!("/_plugins/_ism/explain/{}", names.join(","));
            let answer = self.asker.ask(Method::GET, &path, Vec::new()).await?;
            match (answer.status, explained(names, &answer.body)) {
                (StatusCode::OK, Some(found)) => all.extend(found),
                // One that was deleted meanwhile is nobody's concern; the others are.
                (StatusCode::NOT_FOUND, _) if names.len() > 1 => asked.extend(names.chunks(1)),
                (StatusCode::NOT_FOUND, _) => {}
                _ => return Ok(Err(self.refused(&answer, EXPLAIN))),
            }
        }
        Ok(Ok(all))
    }
}
