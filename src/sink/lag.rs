//! How long events take from their time to the sink's acknowledgement.

use prometheus::Histogram;
use prometheus::local::LocalHistogram;

use crate::handoff::Item;

/// Collects the lags of one acknowledgement and exports them together.
pub(super) struct Lag(LocalHistogram);

impl Lag {
    pub(super) fn new(histogram: &Histogram) -> Lag {
        Lag(histogram.local())
    }

    /// These were acknowledged at `now`, in µs since the epoch. An event without a time has no lag,
    /// and one whose reporter's clock is ahead of ours has none worth counting: zero.
    pub(super) fn acknowledged<'a>(&mut self, items: impl Iterator<Item = &'a Item>, now: i64) {
        for item in items {
            if let Some(time) = item.document().event_time {
                self.0.observe(now.saturating_sub(time).max(0) as f64 / 1e6);
            }
        }
        self.0.flush();
    }
}

/// Now in µs since the epoch.
pub(super) fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
