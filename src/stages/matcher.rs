//! `match`: which events a stage sees, decided without a call.

use super::Match;
use crate::event::{EventView, Field};

impl Match {
    /// Whether the event, as edited so far, is one that the stage sees.
    pub(super) fn accepts(&self, event: EventView<'_>) -> bool {
        let keys = [
            (&self.event_type, Field::Type),
            (&self.reason, Field::Reason),
            (&self.namespace, Field::Namespace),
            (&self.kind, Field::RegardingKind),
            (&self.name, Field::RegardingName),
            (&self.component, Field::Component),
        ];
        keys.into_iter().all(|(wanted, field)| {
            wanted.as_ref().is_none_or(|wanted| event.is_one_of(field, wanted))
        })
    }
}
