//! What people see of the list/watch machines: log lines and metrics; and what goes into
//! [`Readiness`].
//!
//! Invariants: a log line of the machine names its scope and its state; lines are bounded in rate,
//! because the machine waits between failures.

use super::failure::{Cause, Failure};
use super::readiness::{Readiness, Remark};
use super::scope::Scope;
use super::state::State;
use super::step::Note;
use crate::kube::as_user;
use crate::metrics::SourceMetrics;

/// This many 401s in a row do not come from a token that is just being rotated: kube reads a token
/// file again once a minute.
const UNAUTHORIZED_MAX: u32 = 5;

/// Shows what one machine does.
#[derive(Debug)]
pub(super) struct Reporter {
    scope: Scope,
    index: usize,
    metrics: SourceMetrics,
    readiness: Readiness,
    state: Option<&'static str>,
}

impl Reporter {
    /// For the scope with this index.
    pub(super) fn new(
        scope: Scope,
        index: usize,
        metrics: SourceMetrics,
        readiness: Readiness,
    ) -> Reporter {
        for name in State::NAMES {
            metrics.state.with_label_values(&[name]).add(0);
        }
        for cause in Cause::ALL {
            metrics.restarts.with_label_values(&[cause.label()]).inc_by(0);
        }
        Reporter { scope, index, metrics, readiness, state: None }
    }

    /// The machine is in `state`. With several scopes the metric counts those that are in it.
    pub(super) fn state(&mut self, state: &State) {
        let name = state.name();
        if self.state == Some(name) {
            return;
        }
        if let Some(old) = self.state.replace(name) {
            self.metrics.state.with_label_values(&[old]).dec();
        }
        self.metrics.state.with_label_values(&[name]).inc();
        tracing::debug!(scope = %self.scope, state = name, "the source's state has changed");
        if name == "full" {
            let text = format!(
                "the watch of {} is closed until there is room for more events",
                self.scope
            );
            self.remark(Some(Remark { text, needs_a_person: false }));
        }
    }

    /// Shows a note.
    pub(super) fn note(&mut self, note: Note) {
        match note {
            Note::Failed { state, failure, failures, wait } => {
                self.failed(state, &failure, failures, wait)
            }
            Note::Restarted(cause) => self.restarted(cause),
            Note::Listed { first, accepted, skipped, since, version } => {
                // `tests/chaos` reads this line: versions overwritten between the two were not to
                // be seen.
                let since = since.as_ref().map(tracing::field::display);
                tracing::info!(
                    scope = %self.scope, state = "listing",
                    accepted, skipped, since, %version, first, "listed"
                );
                self.readiness.change(self.index, |scope| scope.listed = true);
            }
            Note::Begun(version) => {
                tracing::info!(
                    scope = %self.scope, state = "checking", %version,
                    "beginning after everything that the cluster already has, as \
                     `start = \"now\"` says"
                );
                self.readiness.change(self.index, |scope| scope.listed = true);
            }
            Note::Restored { cursor, version } => {
                self.count(Cause::Restored);
                tracing::warn!(
                    scope = %self.scope, state = "listing", %cursor, %version,
                    "the API server's version is below the last one seen: the cluster was restored \
                     or replaced; every event that it holds is accepted again"
                );
            }
            Note::Lied { missed } => {
                self.count(Cause::Lied);
                tracing::warn!(
                    scope = %self.scope, state = "listing", missed,
                    "a watch was open and silent, and the list had events that it should have \
                     delivered; they are accepted now"
                );
            }
            Note::Watching(from) => {
                tracing::debug!(scope = %self.scope, state = "watching", %from, "a watch is open");
                self.readiness.change(self.index, |scope| {
                    scope.goes_on = true;
                    scope.remark = None;
                });
            }
        }
    }

    fn restarted(&self, cause: Cause) {
        self.count(cause);
        if !matches!(cause, Cause::Closed | Cause::Full) {
            self.readiness.change(self.index, |scope| scope.goes_on = false);
        }
        let scope = &self.scope;
        match cause {
            Cause::Closed => {
                tracing::debug!(%scope, state = "watching", "the server ended the watch")
            }
            Cause::Full => tracing::info!(
                %scope, state = "full",
                "no room for more events: nothing is read from the API server until there is"
            ),
            Cause::Lost => tracing::warn!(
                %scope, state = "listing", cause = cause.label(),
                "events that had been read were lost on disk: reading again everything that the \
                 cluster still has; ids keep out what is stored"
            ),
            _ => tracing::info!(
                %scope, state = "watching", cause = cause.label(),
                "listing again: versions that were overwritten and compacted since the last one \
                 seen are gone"
            ),
        }
    }

    fn failed(
        &self,
        state: &'static str,
        failure: &Failure,
        failures: u32,
        wait: std::time::Duration,
    ) {
        self.count(failure.cause);
        let remark = remark(&self.scope, state, failure, failures);
        tracing::warn!(
            scope = %self.scope, state, cause = failure.cause.label(),
            failures, wait_ms = wait.as_millis() as u64,
            "{}; trying again", remark.text
        );
        self.remark(Some(remark));
    }

    fn remark(&self, remark: Option<Remark>) {
        self.readiness.change(self.index, |scope| scope.remark = remark);
    }

    fn count(&self, cause: Cause) {
        self.metrics.restarts.with_label_values(&[cause.label()]).inc();
    }
}

fn remark(scope: &Scope, state: &str, failure: &Failure, failures: u32) -> Remark {
    let text = match failure.cause {
        Cause::Forbidden => return forbidden(scope, state, failure),
        Cause::Unauthorized => format!(
            "the API server does not accept weir's credentials ({failure}): if this lasts, check \
             the user in the kubeconfig, or the pod's service account"
        ),
        Cause::Connection => format!("no answer from the API server, or half of one ({failure})"),
        Cause::Tls => format!("weir and the API server cannot agree on TLS: {failure}"),
        Cause::Lapsed => format!(
            "{failure} before it was renewed, so another replica may read by now: nothing more is \
             taken in until it is known who leads"
        ),
        Cause::Throttled => format!("the API server asks weir to slow down ({failure})"),
        Cause::ServerError => format!("the API server reports an internal error ({failure})"),
        Cause::Gone => "the list took longer than the API server keeps its snapshot".to_owned(),
        _ => format!(
            "the API server's answer to `{}` is not one that weir can use ({failure}): check that \
             the configured server is a Kubernetes API server",
            kubectl(scope, state)
        ),
    };
    let needs_a_person = match failure.cause {
        Cause::Unauthorized => failures >= UNAUTHORIZED_MAX,
        // After the first one, what the kubeconfig names is read again.
        Cause::Tls => failures > 1,
        _ => false,
    };
    Remark { text, needs_a_person }
}

fn kubectl(scope: &Scope, state: &str) -> String {
    let watch = if verb(state) == "watch" { " --watch" } else { "" };
    format!("kubectl get events {}{watch}", scope.kubectl_flag())
}

fn verb(state: &str) -> &'static str {
    if matches!(state, "opening" | "watching") { "watch" } else { "list" }
}

/// Names the missing right, and the command that shows whether it was granted.
fn forbidden(scope: &Scope, state: &str, failure: &Failure) -> Remark {
    let as_user = as_user(&failure.message);
    let (verb, flag) = (verb(state), scope.kubectl_flag());
    let text = format!(
        "weir may not {verb} events in {scope} ({failure}): grant `get`, `list` and `watch` on \
         `events` of the core API group, and see whether `kubectl auth can-i {verb} events \
         {flag}{as_user}` says yes"
    );
    Remark { text, needs_a_person: true }
}

#[cfg(test)]
mod tests {
    use super::super::readiness::{ScopeCondition, overall};
    use super::*;
    use crate::health::Condition;

    fn failed(status: u16, message: &str) -> Failure {
        Failure::of_status(status, None, message.to_owned())
    }

    #[test]
    fn a_refused_right_is_named_with_the_command_that_shows_it() {
        let failure = failed(
            403,
            "events is forbidden: User \"system:serviceaccount:weir:weir\" cannot list resource \
             \"events\" in API group \"\" in the namespace \"team-a\"",
        );
        let remark = remark(&Scope::Namespace("team-a".into()), "listing", &failure, 1);
        assert!(remark.needs_a_person);
        insta::assert_snapshot!(remark.text, @r#"weir may not list events in namespace team-a (status 403: events is forbidden: User "system:serviceaccount:weir:weir" cannot list resource "events" in API group "" in the namespace "team-a"): grant `get`, `list` and `watch` on `events` of the core API group, and see whether `kubectl auth can-i list events --namespace team-a --as system:serviceaccount:weir:weir` says yes"#);
    }

    #[test]
    fn what_tls_refuses_is_a_sentence_that_fails_readiness() {
        let failure = Failure::tls("the server's certificate has expired".to_owned());
        let text = "weir and the API server cannot agree on TLS: the server's certificate has \
                    expired";
        let twice = remark(&Scope::All, "watching", &failure, 2);
        assert_eq!((twice.text.as_str(), twice.needs_a_person), (text, true));
        assert!(!remark(&Scope::All, "watching", &failure, 1).needs_a_person);
    }

    #[test]
    fn an_outage_after_the_first_list_is_a_note_and_before_it_not_ready() {
        let remark = remark(&Scope::All, "watching", &failed(503, "shutting down"), 9);
        let mut scope = ScopeCondition {
            scope: Scope::All,
            listed: true,
            goes_on: false,
            remark: Some(remark),
        };
        assert_eq!(
            overall(&[scope.clone()]),
            Condition::Note(
                "the API server reports an internal error (status 503: shutting down)".into()
            )
        );
        scope.listed = false;
        assert!(matches!(overall(&[scope]), Condition::NotReady(_)));
    }

    #[test]
    fn credentials_that_stay_refused_need_a_person_and_one_refusal_does_not() {
        let refused = failed(401, "Unauthorized");
        assert!(!remark(&Scope::All, "listing", &refused, 1).needs_a_person);
        assert!(remark(&Scope::All, "listing", &refused, UNAUTHORIZED_MAX).needs_a_person);
    }
}
