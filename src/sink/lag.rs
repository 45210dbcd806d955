//! How long events take from their time to the sink's acknowledgement.

use prometheus::Histogram;
use prometheus::local::LocalHistogram;

use crate::event::Micros;
use crate::handoff::Item;

/// Collects the lags of one acknowledgement and exports them together.
pub(super) struct Lag(LocalHistogram);

impl Lag {
    pub(super) fn new(histogram: &Histogram) -> Lag {
        Lag(histogram.local())
    }

    /// These were acknowledged at `now`, in µs since the epoch.
    pub(super) fn acknowledged<'a>(&mut self, items: impl Iterator<Item = &'a Item>, now: Micros) {
        for lag in items.filter_map(|item| of(item, now)) {
            self.0.observe(lag as f64 / 1e6);
        }
        self.0.flush();
    }

    /// Events were acknowledged with these lags, in µs.
    pub(super) fn observe(&mut self, lags: &[Micros]) {
        lags.iter().for_each(|lag| self.0.observe(*lag as f64 / 1e6));
        self.0.flush();
    }
}

/// The lag of an event that is acknowledged `now`, in µs. An event without a time has none, and one
/// whose reporter's clock is ahead of ours has none worth counting: zero.
pub(super) fn of(item: &Item, now: Micros) -> Option<Micros> {
    item.document().event_time.map(|time| now.saturating_sub(time).max(0))
}

/// Now in µs since the epoch.
pub(super) fn now_micros() -> Micros {
    jiff::Timestamp::now().as_microsecond()
}
