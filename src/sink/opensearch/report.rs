//! Says how the sink is: in `/readyz` always, in the log at a bounded rate.

use std::time::Duration;

use tokio::time::Instant;

use super::lane::Trouble;
use crate::health::{Condition, Health};
use crate::sink::PART;

/// What goes on unchanged is logged again after this.
const REPEAT: Duration = Duration::from_secs(60);

/// Lets the first of many through at once, and then one a minute, with the number of those between.
#[derive(Debug, Default)]
pub(super) struct Rate {
    last: Option<Instant>,
    silent: u64,
}

impl Rate {
    /// Whether to log now; with how many were not, since the last that was.
    pub(super) fn allow(&mut self, count: u64, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now - last < REPEAT) {
            self.silent += count;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.silent))
    }
}

/// Follows the lane's trouble.
#[derive(Debug)]
pub(super) struct Reporter {
    health: Health,
    /// Since when (for people and for us), and what.
    current: Option<(jiff::Timestamp, Instant, Trouble)>,
    rate: Rate,
}

impl Reporter {
    pub(super) fn new(health: Health) -> Reporter {
        Reporter { health, current: None, rate: Rate::default() }
    }

    /// The lane's trouble is now this.
    pub(super) fn update(&mut self, trouble: Option<Trouble>, now: Instant) {
        let Some(trouble) = trouble else {
            if let Some((_, since, _)) = self.current.take() {
                tracing::info!(for_s = (now - since).as_secs(), "OpenSearch takes documents again");
                self.rate = Rate::default();
            }
            return self.health.set(PART, Condition::Ready);
        };
        let new_kind = !matches!(
            (&self.current, &trouble),
            (Some((_, _, Trouble::Outage(_))), Trouble::Outage(_))
                | (Some((_, _, Trouble::Refused(_))), Trouble::Refused(_))
        );
        if new_kind {
            self.rate = Rate::default();
        }
        let (wall, since) = match &self.current {
            Some((wall, since, _)) => (*wall, *since),
            None => (jiff::Timestamp::now(), now),
        };
        self.log(&trouble, now, since);
        self.health.set(PART, condition(&trouble, wall));
        self.current = Some((wall, since, trouble));
    }

    fn log(&mut self, trouble: &Trouble, now: Instant, since: Instant) {
        if self.rate.allow(1, now).is_none() {
            return;
        }
        let for_s = (now - since).as_secs();
        match trouble {
            Trouble::Outage(why) => {
                tracing::warn!(for_s, "OpenSearch takes no documents for now: {why}; trying again");
            }
            Trouble::Refused(why) => {
                tracing::error!(
                    for_s,
                    "OpenSearch refuses: {why}; events are held, and it is tried again"
                );
            }
        }
    }
}

fn condition(trouble: &Trouble, since: jiff::Timestamp) -> Condition {
    match trouble {
        Trouble::Outage(why) => Condition::Note(format!("since {since:.0}: {why}; trying again")),
        Trouble::Refused(why) => Condition::NotReady(format!(
            "since {since:.0}: {why}; events are held, and it is tried again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_logged_at_once_and_then_one_a_minute_with_the_number_between() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert_eq!(rate.allow(5, start), Some(0));
        assert_eq!(rate.allow(2, start + REPEAT / 2), None);
        assert_eq!(rate.allow(1, start + REPEAT / 2), None);
        assert_eq!(rate.allow(1, start + REPEAT), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_a_note_and_a_refusal_fails_readiness() {
        let health = Health::default();
        let mut reporter = Reporter::new(health.clone());
        let mut lines = |trouble| {
            reporter.update(trouble, Instant::now());
            let report = health.readiness();
            let line = report.lines[0].clone();
            (report.ok, line.split_once("Z: ").map_or(line.clone(), |(_, rest)| rest.to_owned()))
        };
        assert_eq!(lines(None), (true, "sink: ok".into()));
        assert_eq!(
            lines(Some(Trouble::Outage("gone".into()))),
            (true, "gone; trying again)".into())
        );
        let (ok, line) = lines(Some(Trouble::Refused("401".into())));
        assert!(!ok);
        assert_eq!(line, "401; events are held, and it is tried again");
    }
}
