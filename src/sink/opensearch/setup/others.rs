//! Whether a policy of somebody else's is for the indices already.
//!
//! Constraint: weir's own would take over what is made from now on, because its priority is above
//! those that people give, and would delete it at an age that nobody asked for. So it is installed
//! only where it is known that there is no other.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::explained::Explained;
use super::{Job, State, Target, texts};
use crate::opensearch::{Request, what_it_is};
use crate::sink::lag::now_micros;
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::request::index_name;
use crate::sink::opensearch::resolve::matches;
use crate::text::{self, REASON_BYTES_MAX};

/// More policies than anybody has; ISM answers 20 unless it is told otherwise.
const POLICIES_MAX: usize = 1000;
/// Of each its name and its patterns alone.
const POLICIES_BYTES_MAX: usize = 4 << 20;
const SEARCH: &str = "cluster:admin/opendistro/ism/policy/search";

#[derive(Deserialize)]
struct Policies {
    #[serde(default)]
    policies: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    policy: Value,
}

impl Listed {
    /// Whether it takes in an index or a stream of this name when it is made. What begins with `-`
    /// is excluded, of late.
    fn is_for(&self, name: &str) -> bool {
        let templates = &self.policy["ism_template"];
        let several = templates.as_array().map_or(std::slice::from_ref(templates), Vec::as_slice);
        several.iter().any(|template| {
            let patterns: Vec<&str> = texts(&template["index_patterns"]).collect();
            let is_excluded = |pattern: &&str| {
                pattern.strip_prefix('-').is_some_and(|pattern| matches(pattern, name))
            };
            patterns.iter().any(|pattern| matches(pattern, name))
                && !patterns.iter().any(is_excluded)
        })
    }
}

impl Job<'_> {
    /// Whether a policy of somebody else's is for the indices, from which this one would take over
    /// what is made from now on; or nobody knows.
    pub(super) async fn is_in_the_way(
        &self,
        name: &str,
        target: &Target,
    ) -> Result<Option<State>, AskError> {
        if self.order.force {
            return Ok(None);
        }
        Ok(match self.other_policy(target, name).await? {
            Ok(None) => None,
            Ok(Some(other)) => Some(State::Others(format!(
                "another policy, `{other}`, is for what is written to, and is left to it; this one \
                 would take over what is made from now on, and --force installs it"
            ))),
            Err(why) => Some(State::Failed(format!(
                "it is not installed, because nobody says whether another policy is for what is \
                 written to, from which it would take over; --force installs it without knowing: \
                 {why}"
            ))),
        })
    }

    /// The policy that is for the indices and is not `ours`, if there is one. The inner error says
    /// why nobody knows.
    async fn other_policy(
        &self,
        target: &Target,
        ours: &str,
    ) -> Result<Result<Option<String>, String>, AskError> {
        let listed = match self.policies().await? {
            Ok(listed) => listed,
            Err(why) => return Ok(Err(why)),
        };
        let name = index_name(&self.settings.index, now_micros());
        let other = listed.iter().find(|listed| listed.id != ours && listed.is_for(&name));
        if let Some(other) = other {
            return Ok(Ok(Some(text::words(&other.id, REASON_BYTES_MAX))));
        }
        let newest = match self.indices(target).await? {
            Ok(indices) => indices.written.or_else(|| indices.all.last().cloned()),
            Err(why) => return Ok(Err(why)),
        };
        let Some(newest) = newest else { return Ok(Ok(None)) };
        let explained = match self.explain(std::slice::from_ref(&newest)).await? {
            Ok(mut all) => all.remove(&newest),
            Err(why) => return Ok(Err(why)),
        };
        Ok(match explained {
            // It is gone by now.
            None => Ok(None),
            Some(Explained::Managed(found)) => {
                let other = found.policy.filter(|policy| policy != ours);
                Ok(other.map(|policy| text::words(&policy, REASON_BYTES_MAX)))
            }
            Some(Explained::Hidden) => Err(Explained::hidden()),
        })
    }

    async fn policies(&self) -> Result<Result<Vec<Listed>, String>, AskError> {
        let path = format!(
            "/_plugins/_ism/policies?size={POLICIES_MAX}&filter_path=policies._id,\
             policies.policy.ism_template"
        );
        let all = Request::json(Method::GET, path, Vec::new());
        let answer = self.asker.send(all.answered_by(POLICIES_BYTES_MAX)).await?;
        if answer.status != StatusCode::OK {
            return Ok(Err(self.refused(&answer, SEARCH)));
        }
        let read = serde_json::from_slice::<Policies>(&answer.body);
        Ok(read.map(|answer| answer.policies).map_err(|error| {
            format!("the answer cannot be read: {}", what_it_is(&answer.body, &error))
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_for_what_its_patterns_match_and_do_not_exclude() {
        let is_for = |templates: Value| {
            let listed = Listed { id: "mine".into(), policy: json!({ "ism_template": templates }) };
            listed.is_for("kube-events")
        };
        assert!(is_for(json!([{"index_patterns": ["logs"]}, {"index_patterns": ["kube-*"]}])));
        assert!(is_for(json!({"index_patterns": ["*"]})));
        assert!(!is_for(json!([{"index_patterns": ["*", "-kube-*"]}])));
        assert!(!is_for(json!([{"index_patterns": ["kube-events-*"]}])));
        assert!(!is_for(Value::Null));
    }
}
