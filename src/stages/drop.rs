//! A stage without a module: it drops what it matches, and nothing is called.

use super::matcher::Match;
use crate::event::EventView;
use crate::ledger::{Ledger, ReasonId};

/// The reason of what it drops.
const REASON: &str = "matched";

/// One `[[stage]]` with `drop = true`. All workers share it.
#[derive(Debug)]
pub(super) struct DropStage {
    matches: Match,
    reason: ReasonId,
}

impl DropStage {
    pub(super) fn new(name: &str, matches: &Match, ledger: &Ledger) -> DropStage {
        DropStage { matches: matches.clone(), reason: ledger.filter_reason(name, REASON) }
    }

    /// Why the event, as edited so far, is filtered, if it is.
    pub(super) fn drops(&self, event: EventView<'_>) -> Option<ReasonId> {
        self.matches.accepts(event).then_some(self.reason)
    }
}
