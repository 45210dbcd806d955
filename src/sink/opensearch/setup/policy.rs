//! The ISM policy: when a stream is rolled over, and when indices are deleted
//! (<https://docs.opensearch.org/latest/im-plugin/ism/policies/>).
//!
//! Constraints:
//!
//! - It is written by the ISM API. What is put into ISM's own index otherwise has no
//!   `last_updated_time` in its `ism_template`, and is applied to nothing that a rollover makes:
//!   such a one is read with the time of now each time, which is how it is known.
//! - ISM acts with the rights of the user who wrote the policy.
//! - ISM gives a new index to the policy whose `ism_template` has the highest priority, so one that
//!   is installed beside another's takes over: see [`others`](super::others).
//! - Two indices may make one name of a policy. One of another index is not touched.
//! - The description keeps the retention that was asked for, and a digest of the rest: whoever
//!   sets up without naming a retention leaves it, and an edit is known as one.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::flat::{self, Flat, differences};
use super::retention::Retention;
use super::{Item, Job, State, Target, What, texts};
use crate::opensearch::{what_it_is, whole_error};
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::template;
use crate::sink::settings::{DateFormat, IndexPattern};

/// Above the 0 to 100 that people give theirs.
const PRIORITY: u32 = 150;
/// More than that in one shard is slow to move and to search.
const ROLLOVER_SIZE: &str = "30gb";
/// An index of another year is made by hand, if at all.
const YEARS: std::ops::RangeInclusive<u32> = 20..=99;
/// What stands before the part of the description that is read again.
const DESCRIPTION: &str = "Kubernetes events, by `weir opensearch setup`: ";
/// Others may write it at the same time.
const ATTEMPTS_MAX: usize = 3;

const GET: &str = "cluster:admin/opendistro/ism/policy/get";
const WRITE: &str = "cluster:admin/opendistro/ism/policy/write";

/// Which edition of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Revision {
    #[serde(rename = "_seq_no")]
    pub(super) number: i64,
    #[serde(rename = "_primary_term")]
    term: i64,
}

/// What the description keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    retention: String,
    sha256: String,
}

/// One that is there.
#[derive(Debug, Deserialize)]
struct Found {
    #[serde(flatten)]
    revision: Revision,
    policy: Value,
}

impl Found {
    fn mark(&self) -> Option<Mark> {
        let description = self.policy["description"].as_str()?;
        serde_json::from_str(description.strip_prefix(DESCRIPTION)?).ok()
    }

    fn retention(&self) -> Option<Retention> {
        self.mark()?.retention.parse().ok()
    }

    /// Whether it is as a setup left it.
    fn is_untouched(&self, flat: &Flat) -> bool {
        self.mark().is_some_and(|mark| mark.sha256 == flat::digest(flat))
    }

    /// What it is for.
    fn patterns(&self) -> Vec<String> {
        let templates = self.policy["ism_template"].as_array().into_iter().flatten();
        let patterns = templates.flat_map(|template| texts(&template["index_patterns"]));
        patterns.map(str::to_owned).collect()
    }

    /// When it was last written, as far as its `ism_template` knows.
    fn template_times(&self) -> Vec<Option<i64>> {
        let templates = self.policy["ism_template"].as_array().into_iter().flatten();
        templates.map(|template| template["last_updated_time"].as_i64()).collect()
    }
}

/// The policy's name is the template's.
pub(super) fn name(pattern: &IndexPattern) -> String {
    template::name(pattern)
}

/// The names of the indices that it is for. It deletes, so as few others as can be: `*` is all that
/// there is to write them with, and the last part of a date is written out, so that a copy of an
/// index with a suffix of its own is not one of them.
fn patterns(pattern: &IndexPattern) -> Vec<String> {
    let (before, last) = match pattern.date {
        None => return vec![format!("{}{}", pattern.prefix, pattern.suffix)],
        Some(DateFormat::Day) => ("20*.*.", 1..=31),
        Some(DateFormat::DayWithDashes) => ("20*-*-", 1..=31),
        Some(DateFormat::Month) => ("20*.", 1..=12),
        Some(DateFormat::MonthWithDashes) => ("20*-", 1..=12),
        Some(DateFormat::Year) => ("20", YEARS),
    };
    let one = |last| format!("{}{before}{last:02}{}", pattern.prefix, pattern.suffix);
    last.map(one).collect()
}

/// What stands under `policy` in a request.
fn body(pattern: &IndexPattern, retention: Retention) -> Value {
    let (actions, condition) = match pattern.date {
        None => {
            let rollover = json!({
                "min_index_age": retention.rollover_age().to_string(),
                "min_primary_shard_size": ROLLOVER_SIZE,
            });
            let condition = json!({ "min_rollover_age": retention.to_string() });
            (json!([{ "rollover": rollover }]), condition)
        }
        Some(date) => {
            let age = retention.age_of_dated(date);
            (json!([]), json!({ "min_index_age": age.to_string() }))
        }
    };
    let mut policy = json!({
        "default_state": "hot",
        "states": [
            {
                "name": "hot",
                "actions": actions,
                "transitions": [{ "state_name": "delete", "conditions": condition }],
            },
            { "name": "delete", "actions": [{ "delete": {} }], "transitions": [] },
        ],
        "ism_template": [{ "index_patterns": patterns(pattern), "priority": PRIORITY }],
    });
    let sha256 = flat::digest(&flat::of_policy(&policy));
    let mark = Mark { retention: retention.to_string(), sha256 };
    // Two texts are always JSON.
    let mark = serde_json::to_string(&mark).unwrap_or_default();
    policy["description"] = json!(format!("{DESCRIPTION}{mark}"));
    policy
}

/// For people.
fn what_it_does(target: &Target, retention: Retention) -> String {
    match target {
        Target::Dated(date) => format!(
            "documents are kept for at least {retention}: an index is deleted {} after it was made",
            retention.age_of_dated(*date)
        ),
        Target::Stream { .. } | Target::Single => format!(
            "documents are kept for at least {retention}: the stream is rolled over every {} or at \
             {ROLLOVER_SIZE}, and an index is deleted {retention} after that",
            retention.rollover_age()
        ),
    }
}

impl Job<'_> {
    /// Sees to the policy; its revision, if there is one now.
    pub(super) async fn policy(&mut self, target: &Target) -> Result<Option<Revision>, AskError> {
        let name = name(&self.settings.index);
        for _ in 0..ATTEMPTS_MAX {
            match self.policy_once(&name, target).await? {
                Step::Done(state, revision) => {
                    self.items.push(Item { what: What::Policy, name, state });
                    return Ok(revision);
                }
                Step::Again => {}
            }
        }
        let state = State::Failed("somebody else is writing it, too: try again".to_owned());
        self.items.push(Item { what: What::Policy, name, state });
        Ok(None)
    }

    async fn policy_once(&self, name: &str, target: &Target) -> Result<Step, AskError> {
        let path = format!("/_plugins/_ism/policies/{name}");
        let found = match self.read_policy(&path).await? {
            Ok(found) => found,
            Err(why) => return Ok(Step::Done(State::Failed(why), None)),
        };
        let kept = found.as_ref().and_then(Found::retention);
        let retention = self.order.retention.or(kept).unwrap_or_default();
        let body = body(&self.settings.index, retention);
        let does = what_it_does(target, retention);
        let Some(found) = found else {
            if let Some(state) = self.is_in_the_way(name, target).await? {
                return Ok(Step::Done(state, None));
            }
            if self.order.dry_run {
                return Ok(Step::Done(State::Missing(does), None));
            }
            return self.write_policy(&path, "", &body, || State::Created(does)).await;
        };
        let flat = flat::of_policy(&found.policy);
        let differences = differences(&flat, &flat::of_policy(&body));
        let is_never_applied = self.is_never_applied(&path, &found).await?;
        if differences.is_empty() && !is_never_applied {
            let state = State::Fine(format!("{does} (revision {})", found.revision.number));
            return Ok(Step::Done(state, Some(found.revision)));
        }
        if !self.order.force && !differences.is_empty() {
            let is_untouched = found.is_untouched(&flat);
            let (there, wanted) = (found.patterns(), patterns(&self.settings.index));
            if let Some(why) = self.of_another_index(&there, &wanted, is_untouched) {
                return Ok(Step::Done(State::Failed(why), None));
            }
            if !is_untouched {
                return Ok(Step::Done(State::Edited(differences), Some(found.revision)));
            }
        }
        if is_never_applied && let Some(state) = self.is_in_the_way(name, target).await? {
            return Ok(Step::Done(state, None));
        }
        let never = "it was not written by the ISM API (its ism_template has no \
                     last_updated_time), and is applied to no index that is made";
        let told = |differences, so: fn(Vec<_>) -> State, text: fn(String) -> State| {
            if is_never_applied { text(never.to_owned()) } else { so(differences) }
        };
        if self.order.dry_run {
            let state = told(differences, State::Differs, State::Pending);
            return Ok(Step::Done(state, Some(found.revision)));
        }
        let Revision { number, term } = found.revision;
        let query = format!("?if_seq_no={number}&if_primary_term={term}");
        let done = || told(differences, State::Changed, State::Done);
        self.write_policy(&path, &query, &body, done).await
    }

    /// What is there; the inner error says why nobody knows.
    async fn read_policy(&self, path: &str) -> Result<Result<Option<Found>, String>, AskError> {
        let answer = self.asker.ask(Method::GET, path, Vec::new()).await?;
        Ok(match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map(Some).map_err(|error| {
                format!("the answer cannot be read: {}", what_it_is(&answer.body, &error))
            }),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Err(format!(
                "this OpenSearch has no Index State Management, so nothing rolls over or deletes \
                 indices here: install the plugin opensearch-index-management, or delete old \
                 indices in another way ({})",
                whole_error(&answer.body)
            )),
            _ => Err(self.refused(&answer, GET)),
        })
    }

    /// Whether the time of its `ism_template` is made up at each reading.
    async fn is_never_applied(&self, path: &str, found: &Found) -> Result<bool, AskError> {
        let times = found.template_times();
        if times.contains(&None) {
            return Ok(true);
        }
        let again = self.read_policy(path).await?.ok().flatten();
        Ok(again.is_some_and(|again| {
            again.revision == found.revision && again.template_times() != times
        }))
    }

    async fn write_policy(
        &self,
        path: &str,
        query: &str,
        policy: &Value,
        done: impl FnOnce() -> State,
    ) -> Result<Step, AskError> {
        let body = json!({ "policy": policy }).to_string().into_bytes();
        let answer = self.asker.ask(Method::PUT, &format!("{path}{query}"), body).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(Step::Again);
        }
        if !answer.status.is_success() {
            return Ok(Step::Done(State::Failed(self.refused(&answer, WRITE)), None));
        }
        Ok(match serde_json::from_slice::<Revision>(&answer.body) {
            Ok(revision) => Step::Done(done(), Some(revision)),
            Err(error) => {
                let what = what_it_is(&answer.body, &error);
                let why = format!("it is not known whether it is written: {what}");
                Step::Done(State::Failed(why), None)
            }
        })
    }
}

enum Step {
    Done(State, Option<Revision>),
    /// Somebody else was faster.
    Again,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::opensearch::resolve;

    fn pattern(date: Option<DateFormat>) -> IndexPattern {
        let dash = if date.is_some() { "-" } else { "" };
        IndexPattern { prefix: format!("kube-events{dash}"), date, suffix: String::new() }
    }

    #[test]
    fn a_stream_is_rolled_over_and_its_indices_deleted_after_that() {
        let body = body(&pattern(None), Retention::default());
        let expected = json!([
            {
                "name": "hot",
                "actions": [{ "rollover": { "min_index_age": "3d", "min_primary_shard_size": "30gb" } }],
                "transitions": [
                    { "state_name": "delete", "conditions": { "min_rollover_age": "30d" } },
                ],
            },
            { "name": "delete", "actions": [{ "delete": {} }], "transitions": [] },
        ]);
        assert_eq!(body["states"], expected);
        assert_eq!(
            body["ism_template"],
            json!([{ "index_patterns": ["kube-events"], "priority": 150 }])
        );
    }

    #[test]
    fn dated_indices_are_deleted_and_no_others_that_begin_so() {
        let body = body(&pattern(Some(DateFormat::Day)), Retention::default());
        assert_eq!(
            body["states"][0]["transitions"],
            json!([{ "state_name": "delete", "conditions": { "min_index_age": "31d" } }])
        );
        let is_for = |date, name: &str| {
            let patterns = patterns(&pattern(Some(date)));
            patterns.iter().any(|pattern| resolve::matches(pattern, name))
        };
        use DateFormat::{Day, DayWithDashes, Month, MonthWithDashes, Year};
        for (date, name) in [
            (Day, "kube-events-2026.03.01"),
            (Day, "kube-events-2099.12.31"),
            (DayWithDashes, "kube-events-2026-10-20"),
            (Month, "kube-events-2026.12"),
            (MonthWithDashes, "kube-events-2026-01"),
            (Year, "kube-events-2026"),
        ] {
            assert!(is_for(date, name), "{name}");
        }
        for (date, name) in [
            (Day, "kube-events-2026.03.01-keep"),
            (Day, "kube-events-2026.03.01-v2"),
            (Day, "kube-events-2026.03"),
            (Month, "kube-events-2026.03-keep"),
            (Month, "kube-events-2026.03.31"),
            (Year, "kube-events-2026.03.01"),
            (Year, "kube-events-2026-archive"),
        ] {
            assert!(!is_for(date, name), "{name}");
        }
    }

    #[test]
    fn it_is_known_whether_somebody_changed_it_and_what_was_asked_for() {
        let retention: Retention = "90d".parse().unwrap();
        let policy = body(&pattern(None), retention);
        let mut found = Found { revision: Revision::default(), policy };
        let flat = |found: &Found| flat::of_policy(&found.policy);
        assert!(found.is_untouched(&flat(&found)));
        assert_eq!(found.retention(), Some(retention));
        found.policy["states"][0]["transitions"][0]["conditions"]["min_rollover_age"] = json!("1d");
        assert!(!found.is_untouched(&flat(&found)));
        found.policy["description"] = json!("mine");
        assert_eq!((found.retention(), found.is_untouched(&flat(&found))), (None, false));
    }
}
