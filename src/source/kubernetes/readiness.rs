//! Whether the source is ready: the conditions of all scopes, as one condition of the part
//! `source`.
//!
//! Invariant: it is not ready before the first list of each scope, and while something needs a
//! person. Everything else is a note.

use std::sync::Arc;

use parking_lot::Mutex;

use super::scope::Scope;
use crate::health::{Condition, Health, Part};

/// Scopes whose conditions are put in words.
const SCOPES_SHOWN_MAX: usize = 5;

/// How each scope is, and the one condition that follows for the part `source`.
#[derive(Clone, Debug)]
pub(super) struct Readiness {
    health: Health,
    scopes: Arc<Mutex<Vec<ScopeCondition>>>,
}

#[derive(Clone, Debug)]
pub(super) struct ScopeCondition {
    pub(super) scope: Scope,
    /// By this process, completely, or `start = "now"` makes it needless.
    pub(super) listed: bool,
    /// From a saved position, which makes the list needless while it is of use.
    pub(super) goes_on: bool,
    pub(super) remark: Option<Remark>,
}

/// What the condition says while something is not as it should be.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    pub(super) text: String,
    pub(super) needs_a_person: bool,
}

impl Readiness {
    /// Nothing is listed yet.
    pub(super) fn new(health: Health, scopes: &[Scope]) -> Readiness {
        let fresh = |scope: &Scope| ScopeCondition {
            scope: scope.clone(),
            listed: false,
            goes_on: false,
            remark: None,
        };
        let readiness =
            Readiness { health, scopes: Arc::new(Mutex::new(scopes.iter().map(fresh).collect())) };
        readiness.change(0, |_| {});
        readiness
    }

    /// Changes how the scope with this index is.
    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut ScopeCondition)) {
        let mut scopes = self.scopes.lock();
        if let Some(scope) = scopes.get_mut(index) {
            change(scope);
        }
        self.health.set(Part::Source, overall(&scopes));
    }
}

/// The worst of all.
pub(super) fn overall(scopes: &[ScopeCondition]) -> Condition {
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
        (true, false) => Condition::Note(joined(&notes)),
        (false, _) => Condition::NotReady(joined(&not_ready)),
    }
}

/// What the first scopes say: with hundreds of namespaces the others hardly say anything else.
fn joined(texts: &[String]) -> String {
    let (shown, others) = texts.split_at(texts.len().min(SCOPES_SHOWN_MAX));
    let shown = shown.join("; ");
    if others.is_empty() { shown } else { format!("{shown}; and {} more like these", others.len()) }
}

impl ScopeCondition {
    fn condition(&self) -> Condition {
        match (&self.remark, self.listed || self.goes_on) {
            (None, true) => Condition::Ready,
            (None, false) => Condition::NotReady(format!(
                "the first list of {} has not completed yet",
                self.scope
            )),
            (Some(remark), false) => {
                let Remark { text, .. } = remark;
                Condition::NotReady(format!(
                    "the first list of {} has not completed: {text}",
                    self.scope
                ))
            }
            (Some(remark), true) if remark.needs_a_person => {
                Condition::NotReady(remark.text.clone())
            }
            (Some(remark), true) => Condition::Note(remark.text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_scope_has_been_listed() {
        let scopes = Scope::of(&["a".into(), "b".into()]);
        let health = Health::default();
        let readiness = Readiness::new(health.clone(), &scopes);
        readiness.change(0, |scope| scope.listed = true);
        insta::assert_snapshot!(health.readiness().lines[0], @"source: not ok: the first list of namespace b has not completed yet");
        readiness.change(1, |scope| scope.listed = true);
        assert!(health.readiness().ok);
        let many: Vec<String> = (0..500).map(|number| format!("n{number}")).collect();
        Readiness::new(health.clone(), &Scope::of(&many));
        let line = &health.readiness().lines[0];
        assert!(line.len() < 500 && line.ends_with("; and 495 more like these"), "{line}");
    }
}
