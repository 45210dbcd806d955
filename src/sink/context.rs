//! What a sink needs of the rest of the process.

use std::time::Duration;

use crate::dead_letter::DeadLetters;
use crate::handoff::Takeover;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::position::Keeper;
use crate::shutdown::Shutdown;

/// The sink's name in `/readyz` and `/livez`.
pub(super) const PART: Part = Part::Sink;
/// A sink with nothing to do says this often that it is alive: well below
/// [`STALL_AFTER`](crate::health::STALL_AFTER).
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// What a sink needs of the rest of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Where the sink says how it is.
    pub health: Health,
    /// For documents that can never be stored.
    pub dead_letters: DeadLetters,
    /// Told which cluster the documents go to.
    pub keeper: Keeper,
    /// When this process took over: what was written before then, others may have sent.
    pub takeover: Takeover,
    /// `abort` ends the sink at once. `drain` means nothing to it: its inbox ends when the drain
    /// has come this far.
    pub shutdown: Shutdown,
}
