//! What every source is given.

use crate::handoff::SourceSender;
use crate::health::Health;
use crate::metrics::SourceMetrics;
use crate::position::Keeper;
use crate::shutdown::Shutdown;

/// What a source needs of the rest of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where chunks come from and go to.
    pub sender: SourceSender,
    /// Where an earlier run was, and whether that is still of use.
    pub keeper: Keeper,
    /// Frames, states, restarts.
    pub metrics: SourceMetrics,
    /// What the probes answer.
    pub health: Health,
    /// When to stop.
    pub shutdown: Shutdown,
}
