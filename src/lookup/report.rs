//! What the log says of lookups: little. That an object is gone is what happens to objects.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Resource;
use crate::log_limit::{LogLimiter, Rate};
use crate::text::{self, REASON_BYTES_MAX};

/// Lines about requests that were not answered.
const RATE: Rate = Rate { burst: 1, interval: Duration::from_secs(60) };

#[derive(Debug)]
pub(super) struct Reporter {
    /// Resources of which it was said that they may not be read.
    forbidden: BTreeSet<String>,
    failures: LogLimiter<Instant>,
}

impl Default for Reporter {
    fn default() -> Reporter {
        Reporter { forbidden: BTreeSet::new(), failures: LogLimiter::new(RATE) }
    }
}

impl Reporter {
    /// An object may not be read. Said once of each resource: it may be so on purpose.
    pub(super) fn forbidden(&mut self, resource: &Resource, why: &str) {
        if self.forbidden.insert(resource.to_string()) {
            let why = text::one_line(why, REASON_BYTES_MAX);
            tracing::warn!(
                %resource,
                "weir may not look this up, and its events go on without: {why}; a Role, or a \
                 ClusterRole, that grants it has the rule {} (this is logged once)",
                resource.rule()
            );
        }
    }

    /// A request was not answered, or not with anything of use.
    pub(super) fn failed(&mut self, why: &str) {
        if let Some(unsaid) = self.failures.admit(1, Instant::now()) {
            let why = text::one_line(why, REASON_BYTES_MAX);
            tracing::warn!(unsaid, "an object could not be looked up, and its events go on: {why}");
        }
    }
}
