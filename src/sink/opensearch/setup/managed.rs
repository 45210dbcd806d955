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

use super::policy::Revision;
use super::{Item, Job, State, Target, What};
use crate::sink::lag::now_micros;
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::request::index_name;
use crate::sink::settings::IndexPattern;
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

/// What ISM says of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Managed {
    policy: Option<String>,
    /// None before ISM has looked at it for the first time.
    revision: Option<i64>,
    is_off: bool,
    /// What went wrong, in ISM's words.
    failure: Option<String>,
}

/// Reads an answer about several.
pub(super) fn explained(body: &[u8]) -> Option<BTreeMap<String, Managed>> {
    let answer: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let indices = answer.into_iter().filter(|(_, said)| said.is_object());
    Some(indices.map(|(index, said)| (index, Managed::of(&said))).collect())
}

impl Managed {
    fn of(said: &Value) -> Managed {
        let ids = [
            "policy_id",
            "index.plugins.index_state_management.policy_id",
            "index.opendistro.index_state_management.policy_id",
        ];
        let has_failed = said["action"]["failed"] == true || said["retry_info"]["failed"] == true;
        let message = || said["info"]["message"].as_str().unwrap_or("it does not say why");
        Managed {
            policy: ids.iter().find_map(|id| said.get(id)?.as_str()).map(str::to_owned),
            revision: said["policy_seq_no"].as_i64(),
            is_off: said["enabled"] == false,
            failure: has_failed.then(|| text::words(message(), REASON_BYTES_MAX)),
        }
    }

    fn is_of(&self, policy: &str) -> bool {
        self.policy.as_deref() == Some(policy)
    }

    /// Whether it follows an edition that is not this one. An index that ISM has not looked at yet
    /// follows the one that was there when it was made, and does not say which that is.
    fn is_behind(&self, policy: &str, edition: Edition) -> bool {
        let is_other = |number| number != edition.revision.number;
        self.is_of(policy) && self.revision.map_or(edition.is_changed, is_other)
    }

    /// What is to be said of it, under whichever policy it is.
    fn state(&self, policy: &str, revision: Revision) -> State {
        let Some(by) = &self.policy else {
            return State::Pending("no policy manages it".to_owned());
        };
        let by = text::words(by, REASON_BYTES_MAX);
        if let Some(why) = &self.failure {
            return State::Failed(format!(
                "the policy `{by}` manages it, and has failed: {why}: mend that, and then \
                 `POST _plugins/_ism/retry/…` has it tried again"
            ));
        }
        if self.is_off {
            return State::Failed(format!(
                "the policy `{by}` manages it, but is stopped (`enabled` is false): is ISM \
                 switched off, by plugins.index_state_management.enabled?"
            ));
        }
        if !self.is_of(policy) {
            return State::Fine(format!("another policy manages it, `{by}`, and goes on to"));
        }
        match self.revision {
            None => State::Fine(format!(
                "the policy manages it, at revision {} from ISM's first look at it on (within \
                 minutes)",
                revision.number
            )),
            Some(number) if number == revision.number => {
                State::Fine(format!("the policy manages it, at revision {number}"))
            }
            Some(number) => State::Pending(format!(
                "the policy manages it, at revision {number}, and there is revision {}",
                revision.number
            )),
        }
    }
}

/// An edition of the policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edition {
    pub(super) revision: Revision,
    /// Whether it was written now, in place of another one.
    pub(super) is_changed: bool,
}

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

/// The indices of the pattern, whose names have a date in its place.
fn of_pattern(names: Vec<Name>, pattern: &IndexPattern) -> Vec<String> {
    let form = index_name(pattern, 0);
    let fits = |name: &str| {
        name.len() == form.len()
            && name.bytes().zip(form.bytes()).enumerate().all(|(at, (byte, of_form))| {
                let is_in_date =
                    (pattern.prefix.len()..form.len() - pattern.suffix.len()).contains(&at);
                match is_in_date && of_form.is_ascii_digit() {
                    true => byte.is_ascii_digit(),
                    false => byte == of_form,
                }
            })
    };
    names.into_iter().map(|name| name.name).filter(|name| fits(name)).collect()
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
                    let names = resolved.map_or_else(Vec::new, |resolved| resolved.indices);
                    let indices = of_pattern(names, pattern);
                    let today = index_name(pattern, now_micros());
                    let written = indices.iter().find(|index| **index == today).cloned();
                    (indices, written)
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::settings::DateFormat;

    const REVISION: i64 = 7;

    fn state(said: Value) -> State {
        let body = json!({ "e": said, "total_managed_indices": 1 }).to_string();
        let found = explained(body.as_bytes()).unwrap().remove("e").unwrap();
        found.state("weir-e", revision(REVISION))
    }

    fn revision(number: i64) -> Revision {
        serde_json::from_value(json!({ "_seq_no": number, "_primary_term": 1 })).unwrap()
    }

    #[test]
    fn what_ism_says_of_an_index_is_told() {
        let none = json!({
            "index.plugins.index_state_management.policy_id": null, "enabled": null,
        });
        assert!(matches!(state(none), State::Pending(_)));
        let fine = |said| match state(said) {
            State::Fine(text) => text,
            other => panic!("{other:?}"),
        };
        let id = "index.plugins.index_state_management.policy_id";
        insta::assert_snapshot!(fine(json!({id: "weir-e", "enabled": true})), @"the policy manages it, at revision 7 from ISM's first look at it on (within minutes)");
        insta::assert_snapshot!(fine(json!({"policy_id": "weir-e", "policy_seq_no": 7, "enabled": true})), @"the policy manages it, at revision 7");
        insta::assert_snapshot!(fine(json!({"policy_id": "mine\nx", "policy_seq_no": 2, "enabled": true})), @"another policy manages it, `mine x`, and goes on to");
        let behind = json!({"policy_id": "weir-e", "policy_seq_no": 5, "enabled": true});
        assert!(matches!(state(behind), State::Pending(_)));
        let failed = json!({
            "policy_id": "weir-e", "policy_seq_no": 7, "enabled": true,
            "action": {"name": "rollover", "failed": true},
            "info": {"message": "Missing rollover_alias"},
        });
        let State::Failed(why) = state(failed) else { panic!("it has failed") };
        assert!(why.contains("Missing rollover_alias"), "{why}");
        let off = json!({"policy_id": "weir-e", "policy_seq_no": 7, "enabled": false});
        assert!(matches!(state(off), State::Failed(_)));
    }

    #[test]
    fn only_indices_with_a_date_in_its_place_are_of_the_pattern() {
        let pattern =
            IndexPattern { prefix: "e1-".into(), date: Some(DateFormat::Day), suffix: "-x".into() };
        let names = ["e1-2026.01.02-x", "e1-2026-01-02-x", "e2-2026.01.02-x", "e1-audit-x", "e1-"];
        let names = names.map(|name| Name { name: name.to_owned() }).into();
        assert_eq!(of_pattern(names, &pattern), ["e1-2026.01.02-x"]);
    }
}
