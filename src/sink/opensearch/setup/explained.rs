//! What ISM says of indices
//! (<https://docs.opensearch.org/latest/im-plugin/ism/api/#explain-index>), and what follows. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::State;
use super::policy::Revision;
use crate::sink::opensearch::request::index_name;
use crate::sink::settings::IndexPattern;
use crate::text::{self, REASON_BYTES_MAX};

/// What ISM says of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Managed {
    pub(super) policy: Option<String>,
    /// None before ISM has looked at it for the first time.
    revision: Option<i64>,
    is_off: bool,
    /// What went wrong, in ISM's words.
    failure: Option<String>,
}

/// How an index that was asked for is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Explained {
    Managed(Managed),
    /// Not at all: ISM leaves out what the user has no right to.
    Hidden,
}

impl Explained {
    /// What that means.
    pub(super) fn hidden() -> String {
        "ISM does not say whether a policy manages it: the user lacks the right \
         indices:admin/opensearch/ism/managedindex on it"
            .to_owned()
    }

    pub(super) fn managed(&self) -> Option<&Managed> {
        match self {
            Explained::Managed(managed) => Some(managed),
            Explained::Hidden => None,
        }
    }
}

/// Reads an answer about several, which are there.
pub(super) fn explained(names: &[String], body: &[u8]) -> Option<BTreeMap<String, Explained>> {
    let answer: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let of = |name: &String| match answer.get(name).filter(|said| said.is_object()) {
        Some(said) => Explained::Managed(Managed::of(said)),
        None => Explained::Hidden,
    };
    Some(names.iter().map(|name| (name.clone(), of(name))).collect())
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

    pub(super) fn is_of(&self, policy: &str) -> bool {
        self.policy.as_deref() == Some(policy)
    }

    /// Whether it follows an edition that is not this one. An index that ISM has not looked at yet
    /// follows the one that was there when it was made, and does not say which that is.
    pub(super) fn is_behind(&self, policy: &str, edition: Edition) -> bool {
        let is_other = |number| number != edition.revision.number;
        self.is_of(policy) && self.revision.map_or(edition.is_changed, is_other)
    }

    /// Whether nothing goes on with it until somebody sees to it.
    pub(super) fn is_stuck(&self, policy: &str, revision: Revision) -> bool {
        matches!(self.state(policy, revision), State::Failed(_))
    }

    /// What is to be said of it, under whichever policy it is.
    pub(super) fn state(&self, policy: &str, revision: Revision) -> State {
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
            return State::Fine(format!(
                "another policy manages it, `{by}`, and goes on to; `{policy}` is for what is made \
                 from now on"
            ));
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

/// The indices of the pattern, whose names have a date in its place.
pub(super) fn of_pattern(
    names: impl IntoIterator<Item = String>,
    pattern: &IndexPattern,
) -> Vec<String> {
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
    names.into_iter().filter(|name| fits(name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sink::settings::DateFormat;

    const REVISION: i64 = 7;

    fn state(said: Value) -> State {
        let body = json!({ "e": said, "total_managed_indices": 1 }).to_string();
        let found = explained(&["e".to_owned()], body.as_bytes()).unwrap().remove("e").unwrap();
        found.managed().unwrap().state("weir-e", revision(REVISION))
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
        insta::assert_snapshot!(fine(json!({"policy_id": "mine\nx", "policy_seq_no": 2, "enabled": true})), @"another policy manages it, `mine x`, and goes on to; `weir-e` is for what is made from now on");
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
    fn an_index_that_ism_leaves_out_is_not_one_without_a_policy() {
        let names = ["e-1", "e-2"].map(str::to_owned);
        let body = json!({ "e-1": { "policy_id": null }, "total_managed_indices": 0 }).to_string();
        let all = explained(&names, body.as_bytes()).unwrap();
        assert_eq!(all["e-1"], Explained::Managed(Managed::default()));
        assert_eq!(all["e-2"], Explained::Hidden);
    }

    #[test]
    fn only_indices_with_a_date_in_its_place_are_of_the_pattern() {
        let pattern =
            IndexPattern { prefix: "e1-".into(), date: Some(DateFormat::Day), suffix: "-x".into() };
        let names = ["e1-2026.01.02-x", "e1-2026-01-02-x", "e2-2026.01.02-x", "e1-audit-x", "e1-"];
        let names = names.map(str::to_owned);
        assert_eq!(of_pattern(names, &pattern), ["e1-2026.01.02-x"]);
    }
}
