//! What the sinks' tests share.

use super::*;
use crate::dead_letter::DeadLetters;
use crate::handoff::Takeover;
use crate::health::Health;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::position::Keeper;
use crate::shutdown::Shutdown;

/// A context without dead letters, and its ledger.
pub(super) fn context() -> (Ledger, Context) {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).unwrap();
    let (health, shutdown) = (Health::default(), Shutdown::default());
    let dead_letters = DeadLetters::open(None, &ledger, &health, &shutdown).unwrap();
    let (keeper, takeover) = (Keeper::default(), Takeover::default());
    (ledger, Context { metrics, health, dead_letters, keeper, takeover, shutdown })
}
