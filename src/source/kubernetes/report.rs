//! What people see of the list/watch machines: log lines, metrics, readiness.
//!
//! Invariants: a log line of the machine names its scope and its state; lines are bounded in rate,
//! because the machine waits between failures; readiness fails before the first list of each scope,
//! and for what needs a person.

use std::sync::{Arc, Mutex};

use super::failure::{Cause, Failure};
use super::scope::Scope;
use super::state::State;
use super::step::Note;
use crate::health::{Condition, Health, Part};
use crate::metrics::SourceMetrics;

/// 401 so many times in a row is no token that is just being rotated: kube reads a token file again
/// once a minute.
const UNAUTHORIZED_MAX: u32 = 5;

/// How each scope is, and the one condition that follows for the part `source`.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    health: Health,
    scopes: Arc<Mutex<Vec<ScopeCondition>>>,
}

#[derive(Clone, Debug)]
struct ScopeCondition {
    scope: Scope,
    /// By this process, completely, or `start = "now"` makes it needless.
    listed: bool,
    /// From a saved position, which makes the list needless while it is of use.
    goes_on: bool,
    problem: Option<Problem>,
}

#[derive(Clone, Debug)]
struct Problem {
    text: String,
    needs_a_person: bool,
}

impl Readiness {
    /// Nothing is listed yet.
    pub(super) fn new(health: Health, scopes: &[Scope]) -> Readiness {
        let fresh = |scope: &Scope| ScopeCondition {
            scope: scope.clone(),
            listed: false,
            goes_on: false,
            problem: None,
        };
        let readiness =
            Readiness { health, scopes: Arc::new(Mutex::new(scopes.iter().map(fresh).collect())) };
        readiness.change(0, |_| {});
        readiness
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut ScopeCondition)) {
        let mut scopes = self.scopes.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(scope) = scopes.get_mut(index) {
            change(scope);
        }
        self.health.set(Part::Source, overall(&scopes));
    }
}

/// The worst of all.
fn overall(scopes: &[ScopeCondition]) -> Condition {
    let mut not_ready = Vec::new();
    let mut notes = Vec::new();
    for scope in scopes {
        match scope.condition() {
            Condition::Ready => {}
            Condition::Note(text) => notes.push(text),
            Condition::NotReady(text) => not_ready.push(text),
        }
    }
    match (not_ready.is_empty(), notes.is_empty()) {
        (true, true) => Condition::Ready,
        (true, false) => Condition::Note(notes.join("; ")),
        (false, _) => Condition::NotReady(not_ready.join("; ")),
    }
}

impl ScopeCondition {
    fn condition(&self) -> Condition {
        match (&self.problem, self.listed || self.goes_on) {
            (None, true) => Condition::Ready,
            (None, false) => Condition::NotReady(format!(
                "the first list of {} has not completed yet",
                self.scope
            )),
            (Some(problem), false) => {
                let Problem { text, .. } = problem;
                Condition::NotReady(format!(
                    "the first list of {} has not completed: {text}",
                    self.scope
                ))
            }
            (Some(problem), true) if problem.needs_a_person => {
                Condition::NotReady(problem.text.clone())
            }
            (Some(problem), true) => Condition::Note(problem.text.clone()),
        }
    }
}

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
            self.problem(Some(Problem { text, needs_a_person: false }));
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
                    scope = %self.scope, state = "listing", accepted, skipped, since, %version, first, "listed"
                );
                self.readiness.change(self.index, |scope| scope.listed = true);
            }
            Note::Begun(version) => {
                tracing::info!(
                    scope = %self.scope, state = "checking", %version,
                    "beginning behind everything that the cluster has, as `start = \"now\"` says"
                );
                self.readiness.change(self.index, |scope| scope.listed = true);
            }
            Note::Restored { cursor, version } => {
                self.count(Cause::Restored);
                tracing::warn!(
                    scope = %self.scope, state = "listing", %cursor, %version,
                    "the API server's version is below the last one seen: the cluster was restored or replaced; every \
                     event that it holds is accepted again"
                );
            }
            Note::Lied { missed } => {
                self.count(Cause::Lied);
                tracing::warn!(
                    scope = %self.scope, state = "listing", missed,
                    "a watch was open and silent, and the list had events that it should have delivered; they are \
                     accepted now"
                );
            }
            Note::Watching(from) => {
                tracing::debug!(scope = %self.scope, state = "watching", %from, "a watch is open");
                self.readiness.change(self.index, |scope| {
                    scope.goes_on = true;
                    scope.problem = None;
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
                "events that had been read were lost on disk: reading everything again that the cluster still has; ids \
                 keep out what is stored"
            ),
            _ => tracing::info!(
                %scope, state = "watching", cause = cause.label(),
                "listing again: versions that were overwritten and compacted since the last one seen are not to be had"
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
        let problem = problem(&self.scope, state, failure, failures);
        tracing::warn!(
            scope = %self.scope, state, cause = failure.cause.label(), failures, wait_ms = wait.as_millis() as u64,
            "{}; trying again", problem.text
        );
        self.problem(Some(problem));
    }

    fn problem(&self, problem: Option<Problem>) {
        self.readiness.change(self.index, |scope| scope.problem = problem);
    }

    fn count(&self, cause: Cause) {
        self.metrics.restarts.with_label_values(&[cause.label()]).inc();
    }
}

fn problem(scope: &Scope, state: &str, failure: &Failure, failures: u32) -> Problem {
    let text = match failure.cause {
        Cause::Forbidden => return forbidden(scope, state, failure),
        Cause::Unauthorized => format!(
            "the API server does not accept weir's credentials ({failure}): if this lasts, check the user in the \
             kubeconfig, or the pod's service account"
        ),
        Cause::Connection => format!("no answer from the API server, or half of one ({failure})"),
        Cause::Throttled => format!("the API server asks weir to slow down ({failure})"),
        Cause::ServerError => format!("the API server has an error of its own ({failure})"),
        Cause::Gone => "the list took longer than the API server keeps its snapshot".to_owned(),
        _ => format!(
            "the API server's answer to `{}` is not one that weir can use ({failure}): check that the configured \
             server is a Kubernetes API server",
            kubectl(scope, state)
        ),
    };
    Problem {
        text,
        needs_a_person: failure.cause == Cause::Unauthorized && failures >= UNAUTHORIZED_MAX,
    }
}

fn kubectl(scope: &Scope, state: &str) -> String {
    let watch = if verb(state) == "watch" { " --watch" } else { "" };
    format!("kubectl get events {}{watch}", scope.kubectl_flag())
}

fn verb(state: &str) -> &'static str {
    if matches!(state, "opening" | "watching") { "watch" } else { "list" }
}

/// Names the missing right, and the command that shows whether it was granted.
fn forbidden(scope: &Scope, state: &str, failure: &Failure) -> Problem {
    // `events is forbidden: User "system:serviceaccount:weir:weir" cannot list resource …`
    let user = failure.message.split("User \"").nth(1).and_then(|rest| rest.split('"').next());
    let as_user = user.map(|user| format!(" --as {user}")).unwrap_or_default();
    let (verb, flag) = (verb(state), scope.kubectl_flag());
    let text = format!(
        "weir may not {verb} events in {scope} ({failure}): grant `get`, `list` and `watch` on `events` of the core API \
         group, and see whether `kubectl auth can-i {verb} events {flag}{as_user}` says yes"
    );
    Problem { text, needs_a_person: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, message: &str) -> Failure {
        Failure::of_status(status, None, message.to_owned())
    }

    #[test]
    fn a_refused_right_is_named_with_the_command_that_shows_it() {
        let failure = failed(
            403,
            "events is forbidden: User \"system:serviceaccount:weir:weir\" cannot list resource \"events\" in API \
             group \"\" in the namespace \"team-a\"",
        );
        let problem = problem(&Scope::Namespace("team-a".into()), "listing", &failure, 1);
        assert!(problem.needs_a_person);
        insta::assert_snapshot!(problem.text, @r#"weir may not list events in namespace team-a (status 403: events is forbidden: User "system:serviceaccount:weir:weir" cannot list resource "events" in API group "" in the namespace "team-a"): grant `get`, `list` and `watch` on `events` of the core API group, and see whether `kubectl auth can-i list events --namespace team-a --as system:serviceaccount:weir:weir` says yes"#);
    }

    #[test]
    fn an_outage_after_the_first_list_is_a_note_and_before_it_not_ready() {
        let problem = problem(&Scope::All, "watching", &failed(503, "shutting down"), 9);
        let mut scope = ScopeCondition {
            scope: Scope::All,
            listed: true,
            goes_on: false,
            problem: Some(problem),
        };
        assert_eq!(
            overall(&[scope.clone()]),
            Condition::Note(
                "the API server has an error of its own (status 503: shutting down)".into()
            )
        );
        scope.listed = false;
        assert!(matches!(overall(&[scope]), Condition::NotReady(_)));
    }

    #[test]
    fn credentials_that_stay_refused_need_a_person_and_one_refusal_does_not() {
        let refused = failed(401, "Unauthorized");
        assert!(!problem(&Scope::All, "listing", &refused, 1).needs_a_person);
        assert!(problem(&Scope::All, "listing", &refused, UNAUTHORIZED_MAX).needs_a_person);
    }

    #[test]
    fn ready_means_that_every_scope_has_been_listed() {
        let scopes = Scope::of(&["a".into(), "b".into()]);
        let health = Health::default();
        let readiness = Readiness::new(health.clone(), &scopes);
        readiness.change(0, |scope| scope.listed = true);
        insta::assert_snapshot!(health.readiness().lines[0], @"source: not ok: the first list of namespace b has not completed yet");
        readiness.change(1, |scope| scope.listed = true);
        assert!(health.readiness().ok);
    }
}
