//! What the machine counts and notices, as metrics and log lines.

use tokio::time::Instant;

use super::report::LINES;
use super::scheduler::Dead;
use super::sender::{Counts, Notice, Outcome};
use super::write_target::{Kind, WriteTarget};
use crate::log_limit::LogLimiter;
use crate::metrics::SinkMetrics;
use crate::opensearch::Class;
use crate::sink::lag::Lag;

/// The labels of `weir_sink_lookups_total{result}`.
const LOOKUPS: [&str; 3] = ["stored", "absent", "moved"];

/// Counts and logs.
pub(super) struct Observer {
    metrics: SinkMetrics,
    lag: Lag,
    dead_letter_lines: LogLimiter<Instant>,
    /// As it is configured, without its date.
    index: String,
}

impl Observer {
    pub(super) fn new(metrics: &SinkMetrics, index: String) -> Observer {
        for class in Class::LABELS {
            metrics.items.with_label_values(&[class]);
        }
        for result in LOOKUPS {
            metrics.lookups.with_label_values(&[result]);
        }
        let lag = Lag::new(&metrics.delivery_lag);
        Observer { metrics: metrics.clone(), lag, dead_letter_lines: LogLimiter::new(LINES), index }
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        let Counts { items, stored, absent, moved } = outcome.counts;
        for (label, count) in Class::LABELS.iter().zip(items).filter(|(_, count)| *count > 0) {
            self.metrics.items.with_label_values(&[label]).inc_by(count);
        }
        for (label, count) in LOOKUPS.iter().zip([stored, absent, moved]) {
            self.metrics.lookups.with_label_values(&[label]).inc_by(count);
        }
        self.lag.observe(&outcome.lags);
        outcome.notices.iter().for_each(|notice| self.notice(notice));
    }

    fn notice(&self, notice: &Notice) {
        match notice {
            Notice::FoundOut(WriteTarget::Moves { look_up }, into) => {
                let kind = Kind::WritesTo(into.clone());
                tracing::info!(index = self.index, look_up, "the index is {}", kind.text());
            }
            Notice::FoundOut(..) => {}
            Notice::Moved { documents, index } => tracing::warn!(
                documents,
                index,
                "the writes have moved to another index. Some documents that are stored in it now \
                 may still have been on their way to the previous one when they were looked up: \
                 such a document is stored twice"
            ),
        }
    }

    /// These are about to be written among the dead letters.
    pub(super) fn dead_lettering(&mut self, dead: &[Dead], now: Instant) {
        let Some(Dead { refusal, detail, .. }) = dead.first() else { return };
        if let Some(silent) = self.dead_letter_lines.admit(dead.len() as u64, now) {
            tracing::warn!(
                documents = dead.len(),
                since_last_logged = silent,
                reason = refusal.label(),
                "OpenSearch can never store some documents, and they go to the dead letters: \
                 {detail}"
            );
        }
    }
}
