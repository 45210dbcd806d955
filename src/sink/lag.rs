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

/// How far a reporter's clock may be ahead of ours, as far as `@timestamp` may be from the server's
/// times: what claims more is implausible.
const AHEAD_MAX: Micros = 24 * 60 * 60 * 1_000_000;

/// The lag of an event that is acknowledged `now`, in µs. An event without a plausible time has
/// none, and one whose reporter's clock is a little ahead of ours has none worth counting: zero.
pub(super) fn of(item: &Item, now: Micros) -> Option<Micros> {
    item.document().event_time.and_then(|time| since(time, now))
}

fn since(time: Micros, now: Micros) -> Option<Micros> {
    let lag = now.saturating_sub(time);
    (lag >= -AHEAD_MAX).then_some(lag.max(0))
}

/// Now in µs since the epoch.
pub(super) fn now_micros() -> Micros {
    jiff::Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_a_little_ahead_gives_no_lag_and_one_far_ahead_is_not_believed() {
        let now = 1_795_374_207_000_000;
        assert_eq!(since(now - 5, now), Some(5));
        assert_eq!(since(now + 5, now), Some(0));
        assert_eq!(since(now + AHEAD_MAX, now), Some(0));
        assert_eq!(since(now + AHEAD_MAX + 1, now), None);
        assert_eq!(since(Micros::MAX, now), None);
    }
}
