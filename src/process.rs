//! What all parts of one process share, whatever they do: where they keep account, count, and
//! report their condition, and what they watch to know when to stop.
//!
//! A part is given this, its settings, and its neighbours in the flow; whatever else it needs is
//! its own.

use crate::handoff::Takeover;
use crate::health::Health;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::position::Tracker;
use crate::shutdown::Shutdown;

/// What the parts of one process share; cheap to clone.
#[derive(Clone, Debug)]
pub struct Process {
    /// What has become of every event.
    pub ledger: Ledger,
    /// How far the source has read, and how far everything is settled.
    pub tracker: Tracker,
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Where a part says in which condition it is, and that it is alive.
    pub health: Health,
    /// When this process took over: what was written before then, others may have sent.
    pub takeover: Takeover,
    /// When to stop.
    pub shutdown: Shutdown,
}

impl Process {
    /// One that has done nothing yet.
    ///
    /// # Errors
    ///
    /// When two metrics have one name, which is a mistake in weir.
    pub fn new(ledger: Ledger, shutdown: Shutdown) -> prometheus::Result<Process> {
        let metrics = Metrics::new(&ledger)?;
        Ok(Process {
            ledger,
            tracker: Tracker::default(),
            metrics,
            health: Health::default(),
            takeover: Takeover::default(),
            shutdown,
        })
    }
}

/// One of its own, for a test.
#[cfg(test)]
impl Default for Process {
    fn default() -> Process {
        let process = Process::new(Ledger::default(), Shutdown::default());
        process.unwrap_or_else(|error| unreachable!("{error}"))
    }
}
