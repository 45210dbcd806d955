//! What every source is given.

use std::time::Duration;

use crate::handoff::SourceSender;
use crate::health::{Health, Part};
use crate::metrics::SourceMetrics;
use crate::position::Keeper;
use crate::shutdown::Shutdown;

/// How often a waiting source checks whether it should stop, and whether a followed file has grown.
pub(super) const LOOK_UP: Duration = Duration::from_millis(200);

/// The name under which the source reports to [`Health`].
pub(super) const TASK: Part = Part::Source;

/// What a source needs from the rest of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where chunks come from and go to.
    pub sender: SourceSender,
    /// How far an earlier run came, and whether that is still of use.
    pub keeper: Keeper,
    /// Frames, states, restarts.
    pub metrics: SourceMetrics,
    /// What the probes answer.
    pub health: Health,
    /// When to stop.
    pub shutdown: Shutdown,
}
